"""Recipes as a benchmark uses them: one name, every key written out, any seed."""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from fidget.benchmark.ablations import VARIANTS, method_name
from fidget.training.recipe import (
    FrameRecipe,
    Recipe,
    load_recipe,
    parse_recipe,
    recipe_hash,
    stream_recipes,
    to_toml,
)


@dataclass(frozen=True)
class Method:
    """A recipe as all networks of a benchmark use it; text, so that any process can take it.

    Attributes:
        name: of the recipe.
        toml: the recipe with every key written out.
        streams: one run each; a single one of the name "" where the recipe is not trained stream by stream.
        recipe_hash: see `fidget.training.recipe.recipe_hash`.
        over_frames: whether it is over frames of videos; else it is over poses.
    """

    name: str
    toml: str
    streams: tuple[str, ...]
    recipe_hash: str
    over_frames: bool = False

    def recipe(self, stream: str, seed: int) -> Recipe:
        """The recipe of one run."""
        recipe = parse_recipe(self.toml, f"recipe {self.name}")
        chosen = stream_recipes(recipe)[stream] if stream else recipe
        return chosen.model_copy(update={"train": chosen.train.model_copy(update={"seed": seed})})


def make_methods(names: Sequence[str], overrides: Sequence[str] = ()) -> tuple[Method, ...]:
    """The methods of recipes, shipped or files.

    Classes without a training clip are kept unless an override says otherwise: a benchmark's tree is given,
    and its smaller domains lack some of it.

    Args:
        names: of recipes, or files.
        overrides: `table.key=value` for all, `METHOD:table.key=value` for one of the names.

    Raises:
        ValueError: no such recipe, a key that is none, two methods of one name, an override of a method that
            is not there or of the seed.
    """
    return _each_once(load_recipe(name, own) for name, own in _own_overrides(names, overrides))


def make_ablations(names: Sequence[str], overrides: Sequence[str] = ()) -> tuple[Method, ...]:
    """The networks of MA-52's ablations, for each of some recipes of MANet; see `fidget.benchmark.ablations`.

    Args:
        names: of recipes, or files.
        overrides: as of `make_methods`; what an ablation changes is changed after them.

    Raises:
        ValueError: as `make_methods`; a recipe of another network, or without vectors of the labels.
    """
    recipes = []
    for name, own in _own_overrides(names, overrides):
        base = load_recipe(name, own)
        _expect_manet(base)
        for variant in VARIANTS:
            called = f"name={json.dumps(method_name(base.name, variant), ensure_ascii=False)}"
            recipe = load_recipe(name, [*own, *variant.overrides, called])
            if not recipe.loss.label_embedding:  # rates of the embedding's layers would name nothing
                rates = {part: rate for part, rate in recipe.train.rates.items() if "embed" not in part}
                train = recipe.train.model_copy(update={"rates": rates})
                recipe = recipe.model_copy(update={"train": train})
            recipes.append(recipe)
    return _each_once(recipes)


def _expect_manet(recipe: Recipe) -> None:
    if recipe.model.name != "manet_r50":
        raise ValueError(
            f"the ablations are of MANet: expected a recipe of model 'manet_r50', {recipe.name} has "
            f"{recipe.model.name!r}"
        )
    vectors = recipe.loss.label_embedding
    if vectors != "names" and not Path(vectors).is_file():
        raise ValueError(
            f"recipe {recipe.name} needs vectors of the labels, and {vectors!r} is no file; give "
            "--set loss.label_embedding=FILE (.npz or .npy), or names for the words in their names"
        )


def _own_overrides(names: Sequence[str], overrides: Sequence[str]) -> list[tuple[str, list[str]]]:
    """Each name, and the overrides of its recipe."""
    prefixed = [(*override.partition("=")[0].rpartition(":"), override) for override in overrides]
    strange = sorted({method for method, colon, _, _ in prefixed if colon and method not in names})
    if strange:
        raise ValueError(f"--set {strange[0]}:...: no such --method; expected one of {', '.join(names)}")
    if any(key.strip() == "train.seed" for _, _, key, _ in prefixed):
        raise ValueError("--set train.seed: a benchmark's seeds are given by --seeds")
    return [
        (
            name,
            [
                "data.empty_classes=keep",
                *(
                    override[len(method) + 1 :] if colon else override
                    for method, colon, _, override in prefixed
                    if not colon or method == name
                ),
            ],
        )
        for name in names
    ]


def _each_once(recipes: Iterable[Recipe]) -> tuple[Method, ...]:
    made: dict[str, Method] = {}
    for recipe in recipes:
        if recipe.name in made:
            raise ValueError(f"two methods have the name {recipe.name!r}; give a copied recipe another name")
        streams = stream_recipes(recipe)
        made[recipe.name] = Method(
            recipe.name,
            to_toml(recipe),
            tuple(streams) if len(streams) > 1 else ("",),
            recipe_hash(recipe),
            isinstance(recipe, FrameRecipe),
        )
    return tuple(made.values())
