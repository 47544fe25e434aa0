"""Results and small runs that these tests share."""

from __future__ import annotations

import numpy as np

from fidget.recognition.result import Alternative, Curves, Person, Segment, VideoResult
from protocols.label_tree import LabelTree

TREE = LabelTree("demo", ("nodding", "bowing head", "waving"), ("head", "arms"), (0, 0, 1))
HOSTILE = "<b>&\"'\x00\x1b]=1+1,\ud800\nname"


def segment(start_s: float, end_s: float, action: str | None = "nodding", **changes: object) -> Segment:
    values: dict[str, object] = {
        "start_s": start_s, "end_s": end_s, "status": "sure" if action else "abstained", "action": action,
        "group": "arms" if action == "waving" else "head" if action else None, "probability": 0.8,
        "words": action or "not sure enough to say",
        "alternatives": (Alternative("nodding", "head", 0.8), Alternative("waving", "arms", 0.1)),
    }  # fmt: skip
    return Segment(**{**values, **changes})  # type: ignore[arg-type]


def person(track_id: int, *segments: Segment, windows: int = 3) -> Person:
    probability = np.full((3, windows), 1 / 3, np.float32)
    return Person(
        track_id,
        np.array([1.0, 1.04]),
        np.array([0.5, 0.0], np.float32),
        tuple(segments),
        Curves(1 + np.arange(windows, dtype=float), probability),
    )


def result_of(*persons: Person, **changes: object) -> VideoResult:
    values: dict[str, object] = {
        "video_id": "a/talk", "path": "/data/talk.mp4", "media": "talk-overlay.mp4", "private": False,
        "start_s": 1.0, "duration_s": 9.0, "frame_rate": 25.0, "frame_width": 64, "frame_height": 48,
        "warnings": ("one",), "method": "demo", "simulated": True, "calibrated": True, "temperature": 1.5,
        "actions": TREE.actions, "groups": TREE.groups, "group_of": TREE.group_of, "persons": persons,
    }  # fmt: skip
    return VideoResult(**{**values, **changes})  # type: ignore[arg-type]
