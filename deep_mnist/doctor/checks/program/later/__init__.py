"""Checks of what the program does after its fit, or in callbacks during it."""
