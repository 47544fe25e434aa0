"""The tables of a recipe that say how clips become a network's input: `[input]` and `[augment]`."""

from __future__ import annotations

import typing
from dataclasses import MISSING, fields
from typing import Any, Literal

from pydantic import BaseModel, Field, create_model, model_validator

from fidget.training.recipe_tables import Table
from rgb_models.frame_augment import FrameAugment
from skeleton_models.augment import Augment
from skeleton_models.graph_input import GraphInput
from skeleton_models.heatmap_input import HeatmapInput


def with_fields_of(settings: type, base: type[BaseModel], without: tuple[str, ...] = ()) -> type[BaseModel]:
    """A table with the fields of a settings dataclass, so that a new setting is a recipe's key at once."""
    hints = typing.get_type_hints(settings)
    keys: dict[str, Any] = {}
    make_table: Any = create_model  # its overloads take no keys that are made here
    for entry in fields(settings):
        kind = hints[entry.name]
        if entry.name in without:
            continue
        if hasattr(kind, "_field_defaults"):  # a NamedTuple becomes a table below
            given = kind._field_defaults
            table = make_table(kind.__name__, __base__=Table, **{k: (type(v), v) for k, v in given.items()})
            keys[entry.name] = (table, table())
        else:
            default = entry.default_factory() if entry.default_factory is not MISSING else entry.default
            keys[entry.name] = (kind, ... if default is MISSING else default)
    made: type[BaseModel] = make_table(f"{settings.__name__}Table", __base__=base, **keys)
    return made


class _GraphKeys(Table):
    """`[input]` with form = "graph": what a recipe says beside the fields of `GraphInput`."""

    form: Literal["graph"]
    layout: str = ""  # empty: the cache's own
    separate: bool = False  # one run for each stream, instead of their channels side by side
    compute_absent: bool = False  # compute padded persons too, as published code does


class _HeatmapKeys(Table):
    """`[input]` with form = "heatmap": what a recipe says beside the fields of `HeatmapInput`."""

    form: Literal["heatmap"]
    layout: str = ""
    streams: list[Literal["joint", "limb"]] = Field(default_factory=lambda: ["joint"])
    render: Literal["auto", "cpu", "device"] = "auto"  # where volumes are drawn; auto: on a GPU if on a GPU

    @property
    def separate(self) -> bool:
        """Joints and limbs are always two runs."""
        return True


class _PictureKeys(Table):
    """Which pictures of a video a network sees, and how large."""

    form: str
    frames: int = Field(default=0, ge=0)  # 0: as the network was published
    sampling: Literal["segment", "dense", "uniform"] = "segment"
    stride: int = Field(default=1, ge=1)  # frames from one to the next, of sampling = "dense"
    size: int = Field(default=0, ge=0)  # height and width, pixels; 0: as the network was published
    test_size: int = Field(default=0, ge=0)  # in evaluation; 0: size
    resize_short: int = Field(default=0, ge=0)  # short side that a central crop is taken of; 0: as published
    short_side: int = Field(default=0, ge=0)  # pixels that frames are scaled down to as they are read
    test_crops: Literal[1, 3] = 1  # 1: the centre; 3: along the longer side
    mean: list[float] = Field(default_factory=list)  # of pixel values 0..255, red first; empty: as published
    std: list[float] = Field(default_factory=list)  # likewise
    person_crop: bool = False  # crops are taken around the person, whom a pose cache knows
    frame_store: Literal["video", "jpeg", "raw"] = "video"  # where frames are read from
    threads: int = Field(default=1, ge=1)  # that decode the clips of a batch

    @model_validator(mode="after")
    def _fits(self) -> _PictureKeys:
        if {len(self.mean), len(self.std)} not in ({0}, {3}):
            raise ValueError("mean and std have 3 numbers each, or none")
        if any(value <= 0 for value in self.std):
            raise ValueError(f"std must be above 0, got {self.std}")
        if self.stride > 1 and self.sampling != "dense":
            raise ValueError(f"stride is for sampling 'dense', got sampling {self.sampling!r}")
        return self

    @property
    def separate(self) -> bool:
        """One stream is one run."""
        return False


class FramesTable(_PictureKeys):
    """`[input]` with form = "frames"."""

    form: Literal["frames"]

    @property
    def layout(self) -> str:
        """Frames have no joints."""
        return ""

    @property
    def streams(self) -> list[str]:
        """One."""
        return ["rgb"]


class FramesAndHeatmapTable(_PictureKeys):
    """`[input]` with form = "frames_and_heatmap": pictures, and the joints of the same crop as maps."""

    form: Literal["frames_and_heatmap"]
    layout: str = ""  # empty: the cache's own
    pose_frames: int = Field(default=32, ge=1)  # of the heatmaps, drawn from the clip for themselves
    sigma: float = Field(default=0.7, gt=0)  # of the Gaussians, pixels of a map of a quarter of `size`

    @property
    def streams(self) -> list[str]:
        """Both are one."""
        return ["rgb+joint"]


_SAID_ELSEWHERE = ("layout", "augment", "test_clips", "test_flip", "kind")
AugmentTable: Any = with_fields_of(Augment, Table)
GraphTable: Any = with_fields_of(GraphInput, _GraphKeys, _SAID_ELSEWHERE)
FrameAugmentTable: Any = with_fields_of(FrameAugment, Table, ("center_share",))
HeatmapTable: Any = with_fields_of(HeatmapInput, _HeatmapKeys, _SAID_ELSEWHERE)
