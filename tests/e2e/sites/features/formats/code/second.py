print(describe(loaded_value * 2))
