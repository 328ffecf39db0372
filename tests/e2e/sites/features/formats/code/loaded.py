loaded_value = 21


def describe(value):
    return f"the loaded value is {value}"
