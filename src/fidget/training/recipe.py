"""Recipes: what a training run is, in TOML, checked key by key before anything is loaded.

A recipe knows nothing of paths: `fidget train RECIPE --poses DIR --protocol NAME` brings them together.
"""

from __future__ import annotations

import difflib
import hashlib
import json
import math
import tomllib
import types
import typing
from collections.abc import Mapping, Sequence
from dataclasses import MISSING, fields
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import (
    BaseModel,
    ConfigDict,
    Field,
    ValidationError,
    create_model,
    field_validator,
    model_validator,
)

from fidget.training.recipe_files import shipped_recipes
from skeleton_models.augment import Augment
from skeleton_models.graph_input import GraphInput
from skeleton_models.heatmap_input import HeatmapInput

Scalar = bool | int | float | str


class _Table(BaseModel):
    """One table of a recipe: unknown keys are errors, values never change."""

    model_config = ConfigDict(extra="forbid", frozen=True)


class ModelTable(_Table):
    """`[model]`: a name of `list_models()` and the network's own options."""

    name: str
    options: dict[str, Scalar | list[Scalar]] = {}


def _with_fields_of(settings: type, base: type[BaseModel], without: tuple[str, ...] = ()) -> type[BaseModel]:
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
            table = make_table(kind.__name__, __base__=_Table, **{k: (type(v), v) for k, v in given.items()})
            keys[entry.name] = (table, table())
        else:
            default = entry.default_factory() if entry.default_factory is not MISSING else entry.default
            keys[entry.name] = (kind, ... if default is MISSING else default)
    made: type[BaseModel] = make_table(f"{settings.__name__}Table", __base__=base, **keys)
    return made


class _GraphKeys(_Table):
    """`[input]` with form = "graph": what a recipe says beside the fields of `GraphInput`."""

    form: Literal["graph"]
    layout: str = ""  # empty: the cache's own
    separate: bool = False  # one run for each stream, instead of their channels side by side
    compute_absent: bool = False  # compute padded persons too, as published code does


class _HeatmapKeys(_Table):
    """`[input]` with form = "heatmap": what a recipe says beside the fields of `HeatmapInput`."""

    form: Literal["heatmap"]
    layout: str = ""
    streams: list[Literal["joint", "limb"]] = ["joint"]
    render: Literal["auto", "cpu", "device"] = "auto"  # where volumes are drawn; auto: on a GPU if on a GPU

    @property
    def separate(self) -> bool:
        """Joints and limbs are always two runs."""
        return True


_SAID_ELSEWHERE = ("layout", "augment", "test_clips", "test_flip", "kind")
AugmentTable: Any = _with_fields_of(Augment, _Table)
GraphTable: Any = _with_fields_of(GraphInput, _GraphKeys, _SAID_ELSEWHERE)
HeatmapTable: Any = _with_fields_of(HeatmapInput, _HeatmapKeys, _SAID_ELSEWHERE)


class TrainTable(_Table):
    """`[train]`: how long, how fast, with what numbers."""

    epochs: int = Field(ge=1)
    batch_size: int = Field(ge=1)  # of one process
    reference_batch: int = Field(default=0, ge=0)  # the batch that learning_rate is meant for; 0: batch_size
    optimizer: Literal["sgd", "adamw"] = "sgd"
    learning_rate: float = Field(gt=0)
    momentum: float = Field(default=0.9, ge=0, lt=1)  # Nesterov's, of sgd
    betas: tuple[float, float] = (0.9, 0.999)  # of adamw
    weight_decay: float = Field(default=0.0, ge=0)
    decay_all: bool = True  # False: biases and normalisation layers do not decay
    schedule: Literal["cosine", "step", "constant"] = "cosine"
    warmup_epochs: float = Field(default=0.0, ge=0)
    step_epochs: list[int] = []  # of schedule = "step"
    step_factor: float = Field(default=0.1, gt=0, lt=1)
    final_factor: float = Field(default=0.0, ge=0, le=1)  # where cosine ends
    precision: Literal["32", "bf16", "16"] = "32"
    clip_gradient_norm: float = Field(default=0.0, ge=0)  # 0: off
    ema_decay: float = Field(default=0.0, ge=0, lt=1)  # 0: off
    seed: int = Field(default=0, ge=0)
    compile: bool = False
    channels_last: bool = False
    threads: int = Field(default=0, ge=0)  # 0: as torch finds them
    prefetch: int = Field(default=3, ge=1)  # batches made ahead
    tensorboard: bool = False  # event files of the metrics as well; needs the package tensorboard

    @field_validator("precision", mode="before")
    @classmethod
    def _a_number_is_meant_too(cls, value: object) -> object:
        return str(value) if type(value) is int else value  # --set train.precision=32 is a number in TOML

    @model_validator(mode="after")
    def _fits(self) -> TrainTable:
        if self.schedule == "step" and not self.step_epochs:
            raise ValueError("schedule 'step' needs step_epochs, such as [30, 40]")
        if self.schedule != "step" and self.step_epochs:
            raise ValueError(f"step_epochs is for schedule 'step', got schedule {self.schedule!r}")
        if self.warmup_epochs >= self.epochs:
            raise ValueError(
                f"warmup_epochs must be below epochs ({self.epochs}), got {self.warmup_epochs:g}"
            )
        return self


class SamplingTable(_Table):
    """`[sampling]`: how often a clip comes in an epoch."""

    balance: Literal["none", "square_root", "class_balanced"] = "none"
    repeat: int = Field(default=1, ge=1)


class LossTable(_Table):
    """`[loss]`: what is minimised."""

    kind: Literal["cross_entropy", "focal"] = "cross_entropy"
    focal_gamma: float = Field(default=2.0, ge=0)
    label_smoothing: float = Field(default=0.0, ge=0, lt=1)
    logit_adjustment: float = Field(default=0.0, ge=0)  # tau; 0: off
    two_level_weight: float = Field(default=0.0, ge=0)  # of the body group's cross-entropy
    soft_hierarchy: bool = False  # P(action) = P(body) P(action | body)
    label_embedding: str = ""  # .npz with `actions` and `vectors`
    label_embedding_weight: float = Field(default=5.0, ge=0)


class DataTable(_Table):
    """`[data]`: what happens to clips that cannot be trained on; each is counted and named either way."""

    missing: Literal["refuse", "drop"] = "refuse"
    failed: Literal["refuse", "drop"] = "refuse"
    no_person: Literal["refuse", "drop", "keep"] = "keep"
    empty_classes: Literal["refuse", "keep"] = "refuse"


class EvalTable(_Table):
    """`[eval]`: which weights are measured, and how.

    `splits` are those that the selected weights are scored on at the end. `--set eval.splits=["val"]` keeps
    tuning runs away from the test split; the same command with `["val", "test"]` then scores both, without
    training again.
    """

    test_clips: int = Field(default=1, ge=1)
    test_flip: bool = False
    batch_size: int = Field(default=0, ge=0)  # views at once; 0: as in training
    every: int = Field(default=1, ge=1)  # epochs between validations
    select: Literal["last", "best_val"] = "last"
    splits: list[Literal["val", "test"]] = ["val", "test"]


class Recipe(_Table):
    """A whole recipe; `recipe_hash` tells two of them apart."""

    name: str
    note: str = ""
    model: ModelTable
    input: Annotated[GraphTable | HeatmapTable, Field(discriminator="form")]
    augment: AugmentTable = AugmentTable()
    train: TrainTable
    sampling: SamplingTable = SamplingTable()
    loss: LossTable = LossTable()
    data: DataTable = DataTable()
    eval: EvalTable = EvalTable()


_NOT_HASHED = (
    ("train", "seed"),
    ("train", "threads"),
    ("train", "prefetch"),
    ("train", "tensorboard"),
    ("input", "threads"),
    ("input", "render"),
    ("eval", "splits"),
)


def recipe_hash(recipe: Recipe) -> str:
    """16 hexadecimal digits; the seed, what changes speed only and the splits scored are left out."""
    content = recipe.model_dump(mode="json")
    for table, key in _NOT_HASHED:
        content[table].pop(key, None)
    return hashlib.sha256(json.dumps(content, sort_keys=True).encode()).hexdigest()[:16]


def stream_recipes(recipe: Recipe) -> dict[str, Recipe]:
    """The runs a recipe stands for: one for each separate stream, else one of all streams, named by them."""
    if not recipe.input.separate:
        return {"+".join(recipe.input.streams): recipe}
    return {
        stream: recipe.model_copy(
            update={
                "input": recipe.input.model_copy(update={"streams": type(recipe.input.streams)([stream])})
            }
        )
        for stream in recipe.input.streams
    }


def load_recipe(name_or_file: str, overrides: Sequence[str] = ()) -> Recipe:
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
                f"{_nearest(name_or_file, shipped)}"
            )
        text, where = shipped[name_or_file], f"recipe {name_or_file}"
    return parse_recipe(text, where, overrides, default_name=path.stem)


def parse_recipe(text: str, where: str, overrides: Sequence[str] = (), default_name: str = "") -> Recipe:
    """A recipe from TOML; `where` begins every message."""
    try:
        content = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise ValueError(f"{where}: not TOML: {error}") from error
    for override in overrides:
        _override(content, override)
    content.setdefault("name", default_name)
    try:
        return Recipe.model_validate(content)
    except ValidationError as error:
        raise ValueError(f"{where}: " + "; ".join(_told(error))) from error


def _override(content: dict[str, Any], override: str) -> None:
    key, equals, text = override.partition("=")
    tables = key.strip().split(".")
    if not equals or not all(tables):
        raise ValueError(f"--set takes table.key=value, such as train.epochs=20, got {override!r}")
    try:
        value = tomllib.loads(f"value = {text}")["value"]
    except tomllib.TOMLDecodeError:
        value = text.strip()  # a bare word is a string
    for table in tables[:-1]:
        content = content.setdefault(table, {})
        if not isinstance(content, dict):
            raise ValueError(f"--set {override}: {table!r} is a value, not a table")
    content[tables[-1]] = value


def _told(error: ValidationError) -> list[str]:
    """Every problem in one line: the key, what was expected, what came."""
    lines = []
    for problem in error.errors():
        location = [str(part) for part in problem["loc"] if part not in ("graph", "heatmap")]
        key = ".".join(location)
        if problem["type"] == "extra_forbidden":
            known = _keys_at(Recipe, location[:-1], str(problem["loc"][1]) if len(problem["loc"]) > 2 else "")
            lines.append(f"unknown key {key!r}; {_nearest(location[-1], known)}")
        elif problem["type"] == "missing":
            lines.append(f"key {key!r} is missing")
        else:
            message = problem["msg"].removeprefix("Value error, ")
            shown = repr(problem["input"])
            lines.append(f"{key}: {message}" + (f", got {shown}" if len(shown) < 60 else ""))
    return lines


def _keys_at(table: type[BaseModel], location: Sequence[str], form: str) -> list[str]:
    """The keys of the table at a location; of a union, those of the member whose form it is."""
    for name in location:
        kind: Any = table.model_fields[name].annotation
        if isinstance(kind, types.UnionType) or typing.get_origin(kind) is typing.Union:
            members = {m.model_fields["form"].annotation.__args__[0]: m for m in typing.get_args(kind)}
            kind = members.get(form, next(iter(members.values())))
        table = kind
    return list(table.model_fields)


def _nearest(name: str, known: Mapping[str, object] | Sequence[str]) -> str:
    close = difflib.get_close_matches(name, list(known), n=3, cutoff=0.5)
    return f"nearest: {', '.join(close)}" if close else f"known: {', '.join(known)}"


def to_toml(recipe: Recipe) -> str:
    """The resolved recipe as TOML, every key written out; `parse_recipe` reads it back the same."""
    lines: list[str] = []
    _write_table(recipe.model_dump(mode="json"), (), lines)
    return "\n".join(lines) + "\n"


def _write_table(table: Mapping[str, Any], path: tuple[str, ...], lines: list[str]) -> None:
    if path:
        lines += ["", f"[{'.'.join(path)}]"]
    plain = {key: value for key, value in table.items() if value is not None and not isinstance(value, dict)}
    lines += [f"{key} = {_toml(value)}" for key, value in plain.items()]
    for key, value in table.items():
        if isinstance(value, dict) and value:
            _write_table(value, (*path, key), lines)


def _toml(value: object) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, float):
        return repr(value) if math.isfinite(value) else str(value)
    if isinstance(value, list):
        return f"[{', '.join(_toml(entry) for entry in value)}]"
    return json.dumps(value, ensure_ascii=False)
