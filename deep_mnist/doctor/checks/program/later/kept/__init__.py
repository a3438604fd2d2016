"""Checks of what is saved behind the fit and loaded again, there or in a later run of the program."""
