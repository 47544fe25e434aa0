"""Recipes of emotion networks over videos, in TOML, checked key by key before anything is loaded.

As recipes of recognisers (`fidget.training.recipe`) they know nothing of paths. A recipe says which encoders
look at the face and at the person; the network decides which of them it takes.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from pathlib import Path
from typing import Literal

from pydantic import Field, field_validator, model_validator

from fidget.training import recipe_files
from fidget.training.recipe import FrameRecipe, parse_as
from fidget.training.recipe_inputs import FrameAugmentTable, FramesTable
from fidget.training.recipe_tables import ModelTable, SamplingTable, Scalar, Table, TrainTable
from rgb_models.frame_augment import FrameAugment

VideoNetwork = Literal["two_branch", "face_branch", "action_branch", "vaanet", "emotion_fan"]
FACE_NETWORKS = ("two_branch", "face_branch", "emotion_fan")
PERSON_NETWORKS = ("two_branch", "action_branch", "vaanet")
RECIPE_OF = {
    "two_branch": "ma52pro",
    "face_branch": "ma52pro",
    "action_branch": "ma52pro",
    "vaanet": "vaanet",
    "emotion_fan": "emotion_fan",
}
"""Network -> the shipped recipe that is taken where none is named."""


class EncoderTable(Table):
    """`[face]` or `[action]`: a network over frames and its own options; no name, no such encoder."""

    name: str = ""
    options: dict[str, Scalar | list[Scalar]] = Field(default_factory=dict)


class FaceInputTable(Table):
    """`[face_input]`: how faces are cut out; which frames, `[input]` says for both."""

    size: int = Field(default=0, ge=0)  # height and width, pixels; 0: as the encoder was published
    resize_short: int = Field(default=0, ge=0)  # side of the face that crops are taken of; 0: as published
    margin: float = Field(default=0.25, ge=0, le=2)  # around the face's box, as a share of it
    aligned: bool = False  # turned so that the eyes are level


class HeadTable(Table):
    """`[head]`: what stands on the encoders."""

    dropout: float = Field(default=0.1, ge=0, lt=1)
    attention_heads: int = Field(default=8, ge=1)  # of the transformer over time
    segments: int = Field(default=4, ge=1)  # of VAANet; the frames are shared out to them
    hidden: int = Field(default=64, ge=1)  # of VAANet's attention
    relation: bool = True  # of Emotion-FAN: frames against the whole, too


class EmotionLossTable(Table):
    """`[loss]`: what is minimised."""

    emotion_weight: float = Field(default=0.03, ge=0)  # L = L_act + this * L_emo
    positive: list[str] = Field(default_factory=list)  # VAANet: of positive polarity; none: plain loss
    polarity_weight: float = Field(default=0.5, ge=0)


class EmotionDataTable(Table):
    """`[data]`: what happens to clips that cannot be looked at; each is counted and named either way."""

    left_out: Literal["drop", "refuse"] = "drop"
    same_clips: bool = True  # clips without a face are left out of networks that need none, too


class EmotionEvalTable(Table):
    """`[eval]`: which weights are measured, and how."""

    test_clips: int = Field(default=1, ge=1)
    test_flip: bool = False
    batch_size: int = Field(default=0, ge=0)  # views at once; 0: as in training
    every: int = Field(default=1, ge=1)  # epochs between validations
    select: Literal["last", "best_val"] = "last"


class EmotionRecipe(Table):
    """A whole recipe; `recipe_hash` tells two of them apart."""

    name: str
    note: str = ""
    network: VideoNetwork
    face: EncoderTable = EncoderTable()
    action: EncoderTable = EncoderTable()
    input: FramesTable
    face_input: FaceInputTable = FaceInputTable()
    augment: FrameAugmentTable = FrameAugmentTable()
    head: HeadTable = HeadTable()
    train: TrainTable
    sampling: SamplingTable = SamplingTable()
    loss: EmotionLossTable = EmotionLossTable()
    data: EmotionDataTable = EmotionDataTable()
    eval: EmotionEvalTable = EmotionEvalTable()

    @property
    def looks_at_faces(self) -> bool:
        """Whether the network has an encoder of faces."""
        return self.network in FACE_NETWORKS

    @property
    def looks_at_persons(self) -> bool:
        """Whether the network has an encoder of the person."""
        return self.network in PERSON_NETWORKS

    @field_validator("augment")
    @classmethod
    def _in_range(cls, table: Table) -> Table:
        if FrameAugment(**table.model_dump()).mixes:
            raise ValueError("mixup and cutmix would mix faces and labels of several people; leave them out")
        return table

    @model_validator(mode="after")
    def _fits(self) -> EmotionRecipe:
        for needed, encoder, table in (
            (self.looks_at_faces, self.face, "face"),
            (self.looks_at_persons, self.action, "action"),
        ):
            if needed and not encoder.name:
                raise ValueError(
                    f"network {self.network!r} needs an encoder, this recipe has none: give a table "
                    f"[{table}] with a name, such as manet_r50, or --recipe {RECIPE_OF[self.network]}"
                )
        if self.train.tensorboard or self.train.compile:
            raise ValueError("train.tensorboard and train.compile are for fidget train; leave them out")
        return self

    def of_person(self) -> FrameRecipe:
        """The path of the person's frames, as the builders of frames take it."""
        return self._path(self.action, {})

    def of_face(self) -> FrameRecipe:
        """The path of the face's frames; a face is a frame of its own, with nobody to look for in it."""
        own = {"size": self.face_input.size, "resize_short": self.face_input.resize_short}
        return self._path(self.face, {**own, "person_crop": False, "short_side": 0, "test_size": 0})

    def _path(self, encoder: EncoderTable, changes: dict[str, object]) -> FrameRecipe:
        return FrameRecipe(
            name=self.name,
            model=ModelTable(name=encoder.name or "tsn_r50", options=encoder.options),
            input=self.input.model_copy(update=changes),
            augment=self.augment,
            train=self.train,
            eval={  # type: ignore[arg-type]
                "test_clips": self.eval.test_clips,
                "test_flip": self.eval.test_flip,
            },
        )


_NOT_HASHED = (("train", "seed"), ("train", "threads"), ("train", "prefetch"), ("input", "threads"))


def recipe_hash(recipe: EmotionRecipe) -> str:
    """16 hexadecimal digits; the seed and what changes speed only are left out."""
    content = recipe.model_dump(mode="json")
    for table, key in _NOT_HASHED:
        content[table].pop(key, None)
    return hashlib.sha256(json.dumps(content, sort_keys=True).encode()).hexdigest()[:16]


def shipped_recipes() -> dict[str, str]:
    """Names of the emotion recipes that come with Fidget, and their text."""
    return recipe_files.shipped_recipes("fidget.emotion")


def load_recipe(network: str, name_or_file: str = "", overrides: Sequence[str] = ()) -> EmotionRecipe:
    """A shipped recipe by its name, or a file, for a network, with `table.key=value` overrides.

    Args:
        network: one of `VideoNetwork`; it takes the place of the recipe's own.
        name_or_file: empty for the network's own, see `RECIPE_OF`.
        overrides: of the recipe.

    Raises:
        ValueError: no such recipe, not TOML, an unknown key (the nearest is named) or a wrong value.
        OSError: the file cannot be read.
    """
    name_or_file = name_or_file or RECIPE_OF[network]
    path = Path(name_or_file)
    if path.suffix == ".toml" or path.is_file():
        text, where = path.read_text(encoding="utf-8"), str(path)
    else:
        shipped = shipped_recipes()
        if name_or_file not in shipped:
            raise ValueError(
                f"no emotion recipe {name_or_file!r}: neither a .toml file nor shipped; "
                f"known: {', '.join(shipped)}"
            )
        text, where = shipped[name_or_file], f"recipe {name_or_file}"
    return parse_recipe(text, where, (*overrides, f"network={json.dumps(network)}"), path.stem)


def parse_recipe(
    text: str, where: str, overrides: Sequence[str] = (), default_name: str = ""
) -> EmotionRecipe:
    """A recipe from TOML; `where` begins every message."""
    return parse_as(lambda _: EmotionRecipe, text, where, overrides, default_name)
