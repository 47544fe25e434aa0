"""Networks over the frames of a clip: frames become tensors, tensors become logits."""
