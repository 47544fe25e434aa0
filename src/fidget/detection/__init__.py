"""Detectors trained, run and measured: recordings in, detection files out."""
