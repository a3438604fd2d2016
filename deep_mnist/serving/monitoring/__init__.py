"""Metrics, and what is sent against what was trained on."""
