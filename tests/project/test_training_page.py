"""docs/training.md: every key of a recipe with its default, and commands that exist."""

from __future__ import annotations

import json
import re
import shlex
import typing
from pathlib import Path

import pytest
from pydantic import BaseModel
from pydantic.fields import FieldInfo

from fidget.cli.main import build_parser
from fidget.training.recipe import (
    FrameAugmentTable,
    FramesAndHeatmapTable,
    FramesTable,
    GraphTable,
    HeatmapTable,
    Recipe,
    parse_recipe,
)
from fidget.training.recipe_files import shipped_recipes

PAGE = (Path(__file__).parents[2] / "docs" / "training.md").read_text(encoding="utf-8")
KEYS = PAGE.split("## Every key of a recipe\n")[1]


def tables() -> dict[str, type[BaseModel]]:
    """Heading -> the table of a recipe below it."""
    found = {
        f"`[{name}]`": field.annotation
        for name, field in Recipe.model_fields.items()
        if isinstance(field.annotation, type) and issubclass(field.annotation, BaseModel)
    }
    found['`[input]` with `form = "graph"`'] = GraphTable
    found['`[input]` with `form = "heatmap"`'] = HeatmapTable
    found['`[input]` with `form = "frames"`'] = FramesTable
    found['`[input]` with `form = "frames_and_heatmap"`'] = FramesAndHeatmapTable
    found["`[augment]` of frames"] = FrameAugmentTable
    crop: typing.Any = HeatmapTable.model_fields["crop"].annotation
    return found | {"`[input.crop]`": crop}


def default(field: FieldInfo) -> str:
    """As the page writes it."""
    if field.is_required():
        return "required"
    value = field.get_default(call_default_factory=True)
    if value is None:
        return "none"
    if isinstance(value, BaseModel):
        return "table"
    return f"`{json.dumps(rounded(value))}`"


def rounded(value: object) -> object:
    if isinstance(value, list | tuple):
        return [rounded(one) for one in value]
    return round(value, 4) if isinstance(value, float) else value


def rows_below(heading: str) -> dict[str, str]:
    """Key -> default of the table below a heading."""
    section = KEYS.split(f"### {heading}\n")[1].split("\n### ")[0]
    return dict(re.findall(r"^\| `(\w+)` \| (.+?) \|", section, re.MULTILINE))


@pytest.mark.parametrize("name", tables())
def test_every_key_is_there_with_its_default(name: str) -> None:
    fields = tables()[name].model_fields
    assert rows_below(name) == {key: default(field) for key, field in fields.items()}


def test_every_table_is_there() -> None:
    top = rows_below("The recipe itself")
    others = {match for match in re.findall(r"^### `\[(\w+)", KEYS, re.MULTILINE)}
    assert set(top) | others == set(Recipe.model_fields)


def commands() -> list[str]:
    blocks = re.findall(r"^```sh\n(.*?)^```", PAGE, re.MULTILINE | re.DOTALL)
    lines = [line for block in blocks for line in block.splitlines()]
    return [line[line.index("fidget ") :] for line in lines if "fidget " in line]


@pytest.mark.parametrize("line", commands())
def test_commands_exist_and_their_recipes_take_the_overrides(line: str) -> None:
    words = shlex.split(line)[1:]
    args = build_parser(*words[:2]).parse_args(words)
    if words[0] == "train" and args.recipe in shipped_recipes():
        parse_recipe(shipped_recipes()[args.recipe], args.recipe, args.overrides)


def test_overrides_of_published_checkpoints_are_keys() -> None:
    rows = re.findall(r"^\| .+? \| .*?`((?:model|input)\..+?)`", PAGE, re.MULTILINE)
    overrides = [word for row in rows for word in row.split()]
    assert len(overrides) > 10
    for override in overrides:
        form = "posec3d_slowonly_r50" if override == "input.convention=pyskl" else "ctrgcn"
        parse_recipe(shipped_recipes()[form], override, [override])


def test_links_are_there() -> None:
    for target in re.findall(r"\]\((?!https?:)([^)#]+)\)", PAGE):
        assert (Path(__file__).parents[2] / "docs" / target).exists(), target
