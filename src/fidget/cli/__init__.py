"""One thin module per verb of the fidget command."""
