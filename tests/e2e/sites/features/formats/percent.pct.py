# ---
# jupyter:
#   kernelspec:
#     display_name: Python 3
#     language: python
#     name: python3
# ---

# %% [markdown]
# # Percent script
#
# A Python script with cell markers, read by jupytext through `nb_custom_formats`.
# Its suffix has two dots. It can use MyST: {ref}`jupytext-header`.

# %%
total = 0
for number in range(5):
    total += number
print("total:", total)

# %% tags=["hide-input"]
total ** 2

# %% [raw]
# A raw cell without a format.

# %% [markdown]
# The end.
