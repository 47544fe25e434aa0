"""Training from a pose cache: recipes, the data order, the loop, checkpoints and the report."""
