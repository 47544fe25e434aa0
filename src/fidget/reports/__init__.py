"""Pages, pictures and overlay videos made from caches and scores."""
