"""Recipes: what a training run is, in TOML, checked key by key before anything is loaded.

A recipe knows nothing of paths: `fidget train RECIPE --poses DIR --protocol NAME` brings them together.
"""

from __future__ import annotations

import difflib
import hashlib
import json
import math
import re
import tomllib
import types
import typing
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Annotated, Any, TypeVar

from pydantic import BaseModel, Field, ValidationError, field_validator

from fidget.training.recipe_files import shipped_recipes
from fidget.training.recipe_inputs import (
    AugmentTable,
    FrameAugmentTable,
    FramesAndHeatmapTable,
    FramesTable,
    GraphTable,
    HeatmapTable,
)
from fidget.training.recipe_tables import (
    DataTable,
    EvalTable,
    LossTable,
    ModelTable,
    SamplingTable,
    Table,
    TrainTable,
)
from rgb_models.frame_augment import FrameAugment

__all__ = [
    "AugmentTable",
    "DataTable",
    "EvalTable",
    "FrameAugmentTable",
    "FrameRecipe",
    "FramesAndHeatmapTable",
    "FramesTable",
    "GraphTable",
    "HeatmapTable",
    "LossTable",
    "ModelTable",
    "Recipe",
    "SamplingTable",
    "TrainTable",
    "TwoPathRecipe",
    "load_recipe",
    "parse_as",
    "parse_recipe",
    "recipe_hash",
    "stream_recipes",
    "to_toml",
]  # fmt: skip

Kind = TypeVar("Kind", bound=BaseModel)


class Recipe(Table):
    """A whole recipe; `recipe_hash` tells two of them apart."""

    name: str
    note: str = ""
    model: ModelTable
    input: Annotated[GraphTable | HeatmapTable | FramesTable, Field(discriminator="form")]
    augment: AugmentTable = AugmentTable()
    train: TrainTable
    sampling: SamplingTable = SamplingTable()
    loss: LossTable = LossTable()
    data: DataTable = DataTable()
    eval: EvalTable = EvalTable()


class FrameRecipe(Recipe):
    """A recipe over frames of videos: pictures are augmented otherwise than joints."""

    input: FramesTable
    augment: FrameAugmentTable = FrameAugmentTable()

    @field_validator("augment")
    @classmethod
    def _in_range(cls, table: Table) -> Table:
        FrameAugment(**table.model_dump())  # it checks itself
        return table


class TwoPathRecipe(FrameRecipe):
    """A recipe over frames of videos and the poses in them."""

    input: FramesAndHeatmapTable  # type: ignore[assignment]


_NOT_HASHED = (
    ("train", "seed"),
    ("train", "threads"),
    ("train", "prefetch"),
    ("train", "tensorboard"),
    ("input", "threads"),
    ("input", "render"),
    ("eval", "splits"),
)
_LATER_KEYS = {
    "train": ("nesterov", "no_decay", "classifier_rate", "bias_rate", "rates", "layer_decay"),
    "loss": ("label_embedding_head", "label_embedding_distance"),
}  # hashed where they differ from their defaults only, so that hashes from before stay what they were


def recipe_hash(recipe: Recipe) -> str:
    """16 hexadecimal digits; the seed, what changes speed only and the splits scored are left out."""
    content = recipe.model_dump(mode="json")
    for table, key in _NOT_HASHED:
        content[table].pop(key, None)
    for table, keys in _LATER_KEYS.items():
        untouched = type(getattr(recipe, table)).model_fields
        for key in keys:
            if content[table][key] == untouched[key].default:
                del content[table][key]
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
    return parse_as(_kind_of, text, where, overrides, default_name)


def _kind_of(form: str) -> type[Recipe]:
    return {"frames": FrameRecipe, "frames_and_heatmap": TwoPathRecipe}.get(form, Recipe)


def parse_as(
    kind_of: Callable[[str], type[Kind]],
    text: str,
    where: str,
    overrides: Sequence[str] = (),
    default_name: str = "",
) -> Kind:
    """A recipe of some kind from TOML.

    Args:
        kind_of: the kind of recipe for what `input.form` says, empty where it says nothing.
        text: the TOML.
        where: begins every message.
        overrides: `table.key=value` each.
        default_name: of a recipe that says none.

    Raises:
        ValueError: not TOML, an unknown key (the nearest is named) or a wrong value.
    """
    try:
        content = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise ValueError(f"{where}: not TOML: {error}") from error
    for override in overrides:
        _override(content, override)
    content.setdefault("name", default_name)
    given = content.get("input")
    kind = kind_of(str(given.get("form", "")) if isinstance(given, dict) else "")
    try:
        return kind.model_validate(content)
    except ValidationError as error:
        raise ValueError(f"{where}: " + "; ".join(_told(error, kind))) from error


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


def _told(error: ValidationError, kind: type[BaseModel]) -> list[str]:
    """Every problem in one line: the key, what was expected, what came."""
    lines = []
    for problem in error.errors():
        location = [str(part) for part in problem["loc"]]
        form = ""
        if len(location) > 1 and location[0] == "input" and _is_union(kind.model_fields["input"].annotation):
            form = location.pop(1)  # pydantic names the member of the union
        key = ".".join(location)
        if problem["type"] == "extra_forbidden":
            lines.append(
                f"unknown key {key!r}; {_nearest(location[-1], _keys_at(kind, location[:-1], form))}"
            )
        elif problem["type"] == "missing":
            lines.append(f"key {key!r} is missing")
        else:
            message = problem["msg"].removeprefix("Value error, ")
            shown = repr(problem["input"])
            begin = f"{key}: " if key else ""  # of the whole recipe
            lines.append(f"{begin}{message}" + (f", got {shown}" if len(shown) < 60 else ""))
    return lines


def _is_union(kind: Any) -> bool:
    return isinstance(kind, types.UnionType) or typing.get_origin(kind) is typing.Union


def _keys_at(table: type[BaseModel], location: Sequence[str], form: str) -> list[str]:
    """The keys of the table at a location; of a union, those of the member whose form it is."""
    for name in location:
        kind: Any = table.model_fields[name].annotation
        if _is_union(kind):
            members = {m.model_fields["form"].annotation.__args__[0]: m for m in typing.get_args(kind)}
            kind = members.get(form, next(iter(members.values())))
        table = kind
    return list(table.model_fields)


def _nearest(name: str, known: Mapping[str, object] | Sequence[str]) -> str:
    close = difflib.get_close_matches(name, list(known), n=3, cutoff=0.5)
    return f"nearest: {', '.join(close)}" if close else f"known: {', '.join(known)}"


def to_toml(recipe: BaseModel) -> str:
    """The resolved recipe as TOML, every key written out; `parse_recipe` reads it back the same."""
    lines: list[str] = []
    _write_table(recipe.model_dump(mode="json"), (), lines)
    return "\n".join(lines) + "\n"


def _write_table(table: Mapping[str, Any], path: tuple[str, ...], lines: list[str]) -> None:
    if path:
        lines += ["", f"[{'.'.join(path)}]"]
    plain = {key: value for key, value in table.items() if value is not None and not isinstance(value, dict)}
    lines += [f"{_toml_key(key)} = {_toml(value)}" for key, value in plain.items()]
    for key, value in table.items():
        if isinstance(value, dict) and value:
            _write_table(value, (*path, key), lines)


def _toml_key(key: str) -> str:
    return key if re.fullmatch(r"[\w-]+", key, re.ASCII) else json.dumps(key, ensure_ascii=False)


def _toml(value: object) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, float):
        return repr(value) if math.isfinite(value) else str(value)
    if isinstance(value, list):
        return f"[{', '.join(_toml(entry) for entry in value)}]"
    return json.dumps(value, ensure_ascii=False)
