"""Recipes of detectors: what a training run is, in TOML, checked key by key before anything is loaded.

As recipes of recognisers (`fidget.training.recipe`) they know nothing of paths.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import Field, field_validator, model_validator

from fidget.training import recipe_files
from fidget.training.recipe import parse_as
from fidget.training.recipe_inputs import AugmentTable, FrameAugmentTable, with_fields_of
from fidget.training.recipe_tables import ModelTable, Table, TrainTable
from rgb_models.frame_augment import FrameAugment
from skeleton_models.augment import Augment
from skeleton_models.graph_input import GraphInput
from temporal_detection.nms import Suppression

Windows = Literal["padding", "resizing", "sliding"]
_OF_TIME = ("crop_range", "speed_range", "reverse_probability")  # they would move what is annotated


class WindowTable(Table):
    """What every `[input]` says of time: which points of a recording a network sees at once.

    `padding` is the whole recording, in training a random part where it is longer; `resizing` the whole of it
    on so many points; `sliding` windows that overlap.
    """

    points: int = Field(ge=1)  # of a window
    stride: int = Field(default=1, ge=1)  # frames, or features, from one point to the next
    training: Windows = "padding"
    evaluation: Windows = "sliding"
    overlap: float = Field(default=0.5, ge=0, lt=1)  # of sliding windows
    kept_share: float = Field(
        default=0.75, gt=0, le=1
    )  # of an instance that a window has to hold to teach it
    crop: tuple[float, float] = (1.0, 1.0)  # share of a short recording that training sees, at random

    @model_validator(mode="after")
    def _fits(self) -> WindowTable:
        if not 0 < self.crop[0] <= self.crop[1] <= 1:
            raise ValueError(f"crop must be 0 < least <= most <= 1, got {list(self.crop)}")
        return self


class _PosesKeys(WindowTable):
    """`[input]` with form = "poses": what a recipe says beside the fields of `GraphInput`."""

    form: Literal["poses"]
    layout: str = ""  # empty: the cache's own


class ClipFramesTable(WindowTable):
    """`[input]` with form = "frames": the pictures of a window, one a point."""

    form: Literal["frames"]
    size: int = Field(default=160, ge=16)  # height and width, pixels
    short_side: int = Field(default=0, ge=0)  # frames are scaled down to so many pixels; 0: 8/7 of size
    person_crop: bool = False  # around the person, whom a pose cache knows
    threads: int = Field(default=1, ge=1)  # that decode the windows of a batch


class FeaturesTable(WindowTable):
    """`[input]` with form = "features": files of feature sequences."""

    form: Literal["features"]
    feature_stride: float = Field(default=0, ge=0)  # frames between features; 0: equal parts of a recording
    clip_frames: float = Field(default=1, ge=1)  # frames that a feature was made of
    channels_first: bool = False  # files hold (C, F)


_SAID_ELSEWHERE = ("layout", "augment", "test_clips", "test_flip", "frames", "sampling", "convention")
PosesTable: Any = with_fields_of(GraphInput, _PosesKeys, _SAID_ELSEWHERE)


class DetectionLossTable(Table):
    """`[loss]`: see `temporal_detection.detection_loss`."""

    hierarchy: bool = (
        False  # the network says P(body group) P(action | group); only where the tree has groups
    )
    radius: float = Field(default=1.5, ge=0)
    keep_overlaps: bool = True  # points name the actions of all segments that they may learn
    label_smoothing: float = Field(default=0.0, ge=0, lt=1)
    normaliser: float = Field(default=100.0, gt=0)
    momentum: float = Field(default=0.9, ge=0, lt=1)
    regression_weight: float = 1.0
    overlap_power: float = Field(default=0.0, ge=0)
    group_weight: float = Field(default=1.0, ge=0)
    alpha: float = 0.25
    gamma: float = Field(default=2.0, ge=0)


class NmsTable(with_fields_of(Suppression, Table)):  # type: ignore[misc]
    """`[nms]`: what becomes of candidates; the fields of `Suppression` and how many there are before."""

    before: int = Field(default=8000, ge=1)  # candidates of a window
    before_score: float = Field(default=1e-3, ge=0)  # least score of a candidate

    @property
    def how(self) -> Suppression:
        """As the suppression takes it."""
        return Suppression(**self.model_dump(exclude={"before", "before_score"}))

    @model_validator(mode="after")
    def _fits(self) -> NmsTable:
        _ = self.how  # it checks itself
        return self


class RecordingsTable(Table):
    """`[data]`: what happens to what cannot be trained on; each is counted and named either way."""

    missing: Literal["refuse", "drop"] = "refuse"  # annotated, and not there
    unannotated: Literal["refuse", "drop"] = "drop"  # there, and not annotated
    failed: Literal["refuse", "drop"] = "refuse"
    reversed: Literal["refuse", "drop"] = "refuse"  # instances that end before they start
    beyond: Literal["refuse", "clip", "drop"] = "refuse"  # instances that end behind the recording
    beyond_s: float = Field(default=0.1, ge=0)  # seconds that do not count as behind it
    without_instances: Literal["keep", "drop"] = "keep"  # training recordings in which nothing happens


class DetectionEvalTable(Table):
    """`[eval]`: which weights are measured, and how; as in recipes of recognisers."""

    batch_size: int = Field(default=0, ge=0)  # windows at once; 0: as in training
    every: int = Field(default=1, ge=1)  # epochs between validations
    select: Literal["last", "best_val"] = "last"
    splits: list[Literal["val", "test"]] = Field(default_factory=lambda: ["val", "test"])


class DetectionRecipe(Table):
    """A whole recipe over poses or features; `recipe_hash` tells two of them apart."""

    name: str
    note: str = ""
    model: ModelTable
    input: Annotated[PosesTable | ClipFramesTable | FeaturesTable, Field(discriminator="form")]
    augment: AugmentTable = AugmentTable()
    train: TrainTable
    repeat: int = Field(default=1, ge=1)  # how often a recording comes in an epoch
    loss: DetectionLossTable = DetectionLossTable()
    nms: NmsTable = NmsTable()
    data: RecordingsTable = RecordingsTable()
    eval: DetectionEvalTable = DetectionEvalTable()

    @field_validator("augment")
    @classmethod
    def _leaves_time(cls, table: Table) -> Table:
        moved = [key for key in _OF_TIME if getattr(table, key, None) != getattr(Augment(), key)]
        if type(table) is AugmentTable and moved:
            raise ValueError(f"{', '.join(moved)} would move what is annotated in time; leave it out")
        return table


class FrameDetectionRecipe(DetectionRecipe):
    """A recipe over frames of videos: pictures are augmented otherwise than joints."""

    augment: FrameAugmentTable = FrameAugmentTable()

    @field_validator("augment")
    @classmethod
    def _in_range(cls, table: Table) -> Table:
        if FrameAugment(**table.model_dump()).mixes:
            raise ValueError("mixup and cutmix mix labels of clips, and windows have none; leave them out")
        return table


_NOT_HASHED = (("train", "seed"), ("train", "threads"), ("train", "prefetch"), ("train", "tensorboard"),
               ("input", "threads"), ("eval", "splits"))  # fmt: skip


def recipe_hash(recipe: DetectionRecipe) -> str:
    """16 hexadecimal digits; the seed, what changes speed only and the splits measured are left out."""
    content = recipe.model_dump(mode="json")
    for table, key in _NOT_HASHED:
        content[table].pop(key, None)
    return hashlib.sha256(json.dumps(content, sort_keys=True).encode()).hexdigest()[:16]


def shipped_recipes() -> dict[str, str]:
    """Names of the detection recipes that come with Fidget, and their text."""
    return recipe_files.shipped_recipes("fidget.detection")


def load_recipe(name_or_file: str, overrides: Sequence[str] = ()) -> DetectionRecipe:
    """A shipped recipe by its name, or a file, with `table.key=value` overrides.

    Raises:
        ValueError: no such recipe, not TOML, an unknown key (the nearest is named) or a wrong value.
        OSError: the file cannot be read.
    """
    path = Path(name_or_file)
    if path.suffix == ".toml" or path.is_file():
        text, where = path.read_text(encoding="utf-8"), str(path)
    else:
        shipped = shipped_recipes()
        if name_or_file not in shipped:
            raise ValueError(
                f"no recipe {name_or_file!r}: neither a .toml file nor shipped; "
                f"there are {', '.join(shipped)}"
            )
        text, where = shipped[name_or_file], f"recipe {name_or_file}"
    return parse_as(_kind_of, text, where, overrides, path.stem)


def parse_recipe(text: str, where: str) -> DetectionRecipe:
    """A recipe from TOML; `where` begins every message."""
    return parse_as(_kind_of, text, where)


def _kind_of(form: str) -> type[DetectionRecipe]:
    return FrameDetectionRecipe if form == "frames" else DetectionRecipe
