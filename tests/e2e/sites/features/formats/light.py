# # Light script
#
# Comments are Markdown cells, blank lines separate the code cells.

word = "light"
word.upper()

# Another paragraph, then a cell of more than one block:

# +
letters = sorted(word)

print(letters)
# -

len(letters)
