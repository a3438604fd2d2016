"""Steps that are run on a batch: what their losses are given, and what they make of it."""
