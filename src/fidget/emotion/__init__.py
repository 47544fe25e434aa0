"""Emotion from faces and micro-actions: inputs put together, models fitted, tables studied."""
