"""Checks of the losses and metrics that compile() is given, by name or as functions of one's own."""
