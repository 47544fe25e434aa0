"""Wrong usage: the one error that ends a command with status 2."""

from __future__ import annotations


class UsageError(ValueError):
    """What was asked for cannot be meant; the message says what to write instead."""
