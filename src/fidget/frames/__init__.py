"""Frames of videos for networks: decoded where they are sampled, kept on disk where that is wanted."""
