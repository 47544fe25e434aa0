"""Northwestern-UCLA: ten actions, ten performers, three cameras (Wang et al., CVPR 2014).

A clip's name tells all of it: `a04_s03_e02_v01` is action 4, performer 3, repetition 2, camera 1. The
published split is cross-view: cameras 1 and 2 train, camera 3 tests. It has no validation part;
these variants make one without ever looking at camera 3:

* `nw_ucla`: performer 10 of cameras 1 and 2 validates, the nine others train, camera 3 tests.
* `nw_ucla_full`: cameras 1 and 2 train, camera 3 tests. For the last run, after everything was chosen.
* `nw_ucla_views`: camera 1 trains, camera 2 validates, and nothing tests: how well a choice carries over to a
  camera that was never seen. `nw_ucla_views_back` is the reverse.
* `nw_ucla_full_cleaned`, `nw_ucla_views_cleaned`, `nw_ucla_views_back_cleaned`: the same without the 24 clips
  of camera 2 that carry another action's label (`MISLABELLED`). What camera 3 tests is untouched.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping
from typing import NamedTuple

from protocols.label_tree import LabelTree
from protocols.protocol import Protocol, Split

TREE = LabelTree(
    "nw_ucla",
    (
        "pick up with one hand",
        "pick up with two hands",
        "drop trash",
        "walk around",
        "sit down",
        "stand up",
        "donning",
        "doffing",
        "throw",
        "carry",
    ),
)
VALIDATION_PERFORMER = 10

# Performer -> actions that carry each other's labels in camera 2. Everybody's hips sink in those cameras
# while they sit down, but performer 4's rise in camera 2; a network that never saw performer 5 takes the
# donning of camera 2 for doffing. `python -m benchmarks.nw_ucla_labels` prints the evidence.
MISLABELLED: Mapping[int, tuple[int, int]] = {4: (4, 5), 5: (6, 7)}

_NUMBERS = (1, 2, 3, 4, 5, 6, 8, 9, 11, 12)  # of the actions in clip names
_NAME = re.compile(r"a(\d\d)_s(\d\d)_e(\d\d)_v0([123])")


class Recording(NamedTuple):
    """What a clip's name tells."""

    label: int
    performer: int
    camera: int


def recording_of(clip_id: str) -> Recording:
    """Label, performer and camera of a clip; folders before its name are passed over.

    Raises:
        ValueError: it is no name of this data set.
    """
    match = _NAME.fullmatch(clip_id.rsplit("/", 1)[-1])
    if match is None or int(match[1]) not in _NUMBERS:
        raise ValueError(
            f"clip {clip_id!r}: expected a Northwestern-UCLA name such as a04_s03_e02_v01 "
            f"(action {', '.join(map(str, _NUMBERS))}; camera 1 to 3)"
        )
    return Recording(_NUMBERS.index(int(match[1])), int(match[2]), int(match[4]))


def _held_out_performer(clip: Recording) -> str | None:
    if clip.camera == 3:
        return "test"
    return "val" if clip.performer == VALIDATION_PERFORMER else "train"


def _full(clip: Recording) -> str | None:
    return "test" if clip.camera == 3 else "train"


def _views(clip: Recording) -> str | None:
    return {1: "train", 2: "val"}.get(clip.camera)


def _views_back(clip: Recording) -> str | None:
    return {2: "train", 1: "val"}.get(clip.camera)


def _mislabelled(clip: Recording) -> bool:
    return clip.camera == 2 and clip.label in MISLABELLED.get(clip.performer, ())


def _cleaned(place: Callable[[Recording], str | None]) -> Callable[[Recording], str | None]:
    return lambda clip: None if _mislabelled(clip) else place(clip)


VARIANTS: Mapping[str, tuple[Callable[[Recording], str | None], str]] = {
    "nw_ucla": (
        _held_out_performer,
        f"cameras 1 and 2 train without performer {VALIDATION_PERFORMER}, who validates; camera 3 tests",
    ),
    "nw_ucla_full": (_full, "cameras 1 and 2 train, camera 3 tests; nothing validates"),
    "nw_ucla_views": (_views, "camera 1 trains, camera 2 validates; camera 3 is not looked at"),
    "nw_ucla_views_back": (_views_back, "camera 2 trains, camera 1 validates; camera 3 is not looked at"),
    "nw_ucla_full_cleaned": (
        _cleaned(_full),
        "cameras 1 and 2 train without 24 mislabelled clips of camera 2, camera 3 tests; nothing validates",
    ),
    "nw_ucla_views_cleaned": (
        _cleaned(_views),
        "camera 1 trains, camera 2 validates without its 24 mislabelled clips; camera 3 is not looked at",
    ),
    "nw_ucla_views_back_cleaned": (
        _cleaned(_views_back),
        "camera 2 trains without its 24 mislabelled clips, camera 1 validates; camera 3 is not looked at",
    ),
}


def nw_ucla(clip_ids: Iterable[str], name: str = "nw_ucla") -> Protocol:
    """The protocol of these clips, in their order.

    Args:
        clip_ids: of a cache.
        name: one of `VARIANTS`.

    Raises:
        ValueError: a clip of another name, or no clip to train on.
    """
    place, note = VARIANTS[name]
    chosen: dict[str, tuple[list[str], list[int]]] = {}
    for clip_id in clip_ids:
        recording = recording_of(clip_id)
        split = place(recording)
        if split is not None:
            ids, labels = chosen.setdefault(split, ([], []))
            ids.append(clip_id)
            labels.append(recording.label)
    splits = {split: Split(tuple(ids), tuple(labels)) for split, (ids, labels) in chosen.items()}
    return Protocol(name, TREE, splits, note)
