"""Plain pose records: joint layouts, the clip record, frame sampling, the cache."""
