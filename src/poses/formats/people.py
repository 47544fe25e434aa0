"""People found frame by frame, as the JSON formats have them, turned into persons over time."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from poses.formats.record import FormatError, RawClip, expect_size
from poses.layout import Layout

_NUMBER = (int, float)


@dataclass
class Person:
    """One person in one frame: (V, 3) x, y, score; box or None; track id or None."""

    joints: NDArray[np.float32]
    box_px: tuple[float, float, float, float] | None
    track_id: int | None


def stack_people(clip_id: str, layout: Layout, frames: Sequence[Sequence[Person]], where: str) -> RawClip:
    """Frames of people as arrays (M, T, V), joined by track id where all have one, else by position."""
    notes = []
    ids = [[person.track_id for person in people] for people in frames]
    tracked = all(None not in row and len(set(row)) == len(row) for row in ids)
    if not tracked:
        ids = [list(range(len(row))) for row in ids]
        if len(frames) > 1 and any(len(row) > 1 for row in ids):
            notes.append(
                "people have no lasting track id in the file: joined by their position in each frame"
            )
    tracks = sorted({track for row in ids for track in row if track is not None})
    at_track = {track: m for m, track in enumerate(tracks)}
    expect_size(len(tracks), len(frames), layout, where)
    joints = np.zeros((len(tracks), len(frames), len(layout.joints), 3), np.float32)
    box_px = np.full((len(tracks), len(frames), 4), np.nan, np.float32)
    boxed = True
    for t, people in enumerate(frames):
        for person, track in zip(people, ids[t], strict=True):
            m = at_track[track or 0]  # never None here
            joints[m, t] = person.joints
            boxed = boxed and person.box_px is not None
            if person.box_px is not None:
                box_px[m, t] = person.box_px
    raw = RawClip(clip_id, layout, joints[..., :2], joints[..., 2], box_px if boxed else None)
    raw.track_ids, raw.notes = np.array(tracks, np.int64), notes
    return raw


def load_json(path: Path) -> Any:
    """The content of a JSON file, or FormatError."""
    try:
        return json.loads(path.read_bytes())
    except (ValueError, RecursionError) as error:
        raise FormatError(f"{path}: expected a JSON file: {error}") from None


def lasting_id(value: object) -> int | None:
    """A track id, or None for what is none: -1, text, or a number beyond 64 bits."""
    return value if type(value) is int and 0 <= value < 2**63 else None


def numbers(values: object, where: str) -> NDArray[np.float64]:
    """A JSON list of numbers as an array, or FormatError."""
    if not isinstance(values, list) or not all(type(value) in _NUMBER for value in values):
        raise FormatError(f"{where}: expected a list of numbers, got {str(values)[:60]}")
    try:
        array = np.array(values, np.float64)
    except OverflowError:
        raise FormatError(f"{where}: a number too large for any pixel") from None
    array[np.abs(array) > 1e30] = np.inf  # what float32 cannot hold either; a joint there is missing
    return array
