"""JHMDB-2D, the publicly shared part: 14 of the 21 actions, split 1 (Jhuang et al., ICCV 2013).

`fidget poses import` names its clips by split, action and their number in the file: `train/clap_003`. The
split is the published one. It has no validation part; these variants make one:

* `jhmdb14`: every fifth training clip of each action (numbers 2, 7, 12, ...) validates.
* `jhmdb14_full`: all of the training part trains. For the last run, after everything was chosen.

The file does not say which clips were cut from one video, and its order does not tell either. Siblings of
one video lie on both sides of that line, so validation accuracy is higher than test accuracy will be: the
nearest neighbour (16 poses) finds the class of 61 % of a random fifth of the training part, of 47 % of the
test part. Compare choices by it; never quote it.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from typing import NamedTuple

from protocols.label_tree import LabelTree
from protocols.protocol import Protocol, Split

TREE = LabelTree(
    "jhmdb14",
    (
        "catch",
        "clap",
        "golf",
        "jump",
        "pick",
        "pour",
        "pullup",
        "push",
        "run",
        "sit",
        "stand",
        "throw",
        "walk",
        "wave",
    ),
)
VARIANTS: Mapping[str, str] = {
    "jhmdb14": (
        "every fifth training clip of each action validates (siblings of one video may train); split 1 tests"
    ),
    "jhmdb14_full": "the whole training part of split 1 trains, its test part tests; nothing validates",
}
_EVERY, _FIRST = 5, 2
_NAME = re.compile(r"(train|test)/([a-z]+)_(\d+)")


class Recording(NamedTuple):
    """What a clip's id tells."""

    split: str
    label: int
    number: int


def recording_of(clip_id: str) -> Recording:
    """Split, label and number of a clip.

    Raises:
        ValueError: it is no id that the import gives.
    """
    match = _NAME.fullmatch(clip_id)
    if match is None or match[2] not in TREE.actions:
        raise ValueError(
            f"clip {clip_id!r}: expected an id such as train/clap_003, with one of the 14 actions; "
            "import the file with fidget poses import"
        )
    return Recording(match[1], TREE.actions.index(match[2]), int(match[3]))


def jhmdb(clip_ids: Iterable[str], name: str = "jhmdb14") -> Protocol:
    """The protocol of these clips, in their order.

    Args:
        clip_ids: of a cache.
        name: one of `VARIANTS`.

    Raises:
        ValueError: a clip of another name, or no clip to train on.
    """
    chosen: dict[str, tuple[list[str], list[int]]] = {}
    for clip_id in clip_ids:
        split, label, number = recording_of(clip_id)
        if name == "jhmdb14" and split == "train" and number % _EVERY == _FIRST:
            split = "val"
        ids, labels = chosen.setdefault(split, ([], []))
        ids.append(clip_id)
        labels.append(label)
    splits = {split: Split(tuple(ids), tuple(labels)) for split, (ids, labels) in chosen.items()}
    return Protocol(name, TREE, splits, VARIANTS[name])
