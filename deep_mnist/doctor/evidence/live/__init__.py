"""What a live call tells: the program's text, what a dataset is made of, what layers and maps make of a sample."""
