"""A run is a protocol, a method and a seed: from a pose cache to score files to tables."""
