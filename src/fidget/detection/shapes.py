"""What has to be known to build a detector again beside its recipe: the shapes of its input, its actions."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from fidget.detection.inputs import graph_input
from fidget.detection.recipe import DetectionRecipe
from fidget.detection.recordings import FeatureRecordings, JoinedPoses, PoseRecordings, Recordings
from protocols.label_tree import LabelTree


@dataclass(frozen=True)
class Shapes:
    """What a detector has to know of its input; stored beside its weights.

    Attributes:
        channels: C of a joint, or of the features; 3 for pictures.
        layout: name of the joint set; empty for none.
    """

    channels: int
    layout: str = ""


def shapes_of(recipe: DetectionRecipe, recordings: Recordings) -> Shapes:
    """What a network has to know of these recordings."""
    if isinstance(recordings, PoseRecordings | JoinedPoses):
        channels = graph_input(recipe, recordings.layout).channels(recordings.dimensions)
        return Shapes(channels, recordings.layout.name)
    return Shapes(recordings.channels if isinstance(recordings, FeatureRecordings) else 3)


def tree_as_json(tree: LabelTree) -> dict[str, Any]:
    """A label tree, for `tree_of_json`."""
    return {"name": tree.name, "actions": tree.actions, "groups": tree.groups, "group_of": tree.group_of}


def tree_of_json(stored: Mapping[str, Any]) -> LabelTree:
    """The label tree that `tree_as_json` told."""
    group_of = tuple(np.asarray(stored["group_of"], np.int64).tolist())
    return LabelTree(stored["name"], tuple(stored["actions"]), tuple(stored["groups"]), group_of)
