"""The champion: followed, loaded, and what its training data were like."""
