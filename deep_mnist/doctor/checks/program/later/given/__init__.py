"""Checks of what predict() and evaluate() will be given behind the fit."""
