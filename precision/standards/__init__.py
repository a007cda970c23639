"""One module a standard or method: arrays in, a frozen Result out. Pure functions."""
