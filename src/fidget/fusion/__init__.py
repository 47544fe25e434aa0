"""Score files fused by rules whose numbers are chosen on validation clips."""
