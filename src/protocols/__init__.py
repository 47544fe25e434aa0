"""Label trees, splits, score files and metrics; numpy and pyarrow only, so that scoring needs no torch."""
