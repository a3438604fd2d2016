"""How a training shows itself while it runs and afterwards."""
