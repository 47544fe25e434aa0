"""Segments in time: features become scores and boundaries, boundaries become seconds."""
