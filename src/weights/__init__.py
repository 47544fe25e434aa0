"""The manifest of every downloadable weight, and how to get one. No binary is kept here."""
