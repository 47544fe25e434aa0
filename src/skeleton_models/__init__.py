"""Pose arrays to tensors to logits: heatmaps, joint graphs, and one file for each network of a paper."""
