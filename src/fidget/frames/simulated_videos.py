"""Whether videos were made by the simulator, as a file beside them says."""

from __future__ import annotations

import json
from collections.abc import Iterable
from pathlib import Path

MARKER = "simulation.json"
"""Lies at the top of a directory of simulated videos."""


def videos_simulated(videos: Path) -> bool:
    """Whether the simulator says that it made the videos of this directory."""
    try:
        found = json.loads((videos / MARKER).read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return False
    return isinstance(found, dict) and bool(found.get("simulated"))


def any_simulated(videos: Iterable[Path]) -> bool:
    """Whether one of these files or directories lies in, or is, a directory of simulated videos."""
    looked: set[Path] = set()
    for video in videos:
        for place in (video, *video.parents):
            if place in looked:
                break
            looked.add(place)
            if videos_simulated(place):
                return True
    return False
