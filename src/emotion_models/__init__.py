"""Emotion from faces and micro-actions: networks over both, and what goes with what."""
