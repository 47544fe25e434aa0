"""What can go wrong with weight files; every message says what was expected, what came and what to do."""

from __future__ import annotations


class WeightError(Exception):
    """Any trouble with a weight: the manifest, the download, the file itself."""


class ManifestError(WeightError, ValueError):
    """A row of the manifest, or a weight's name, is not right."""


class MissingWeightError(WeightError, FileNotFoundError):
    """The file lies in none of the places that are looked at."""


class DownloadError(WeightError):
    """The file could not be brought here; nothing half-done was left under its name."""


class HashMismatchError(WeightError):
    """The bytes are not the ones that the manifest, or the first download, named."""
