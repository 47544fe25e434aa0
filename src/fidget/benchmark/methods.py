"""Recipes as a benchmark uses them: one name, every key written out, any seed."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from fidget.training.recipe import Recipe, load_recipe, parse_recipe, recipe_hash, stream_recipes, to_toml


@dataclass(frozen=True)
class Method:
    """A recipe as all networks of a benchmark use it; text, so that any process can take it.

    Attributes:
        name: of the recipe.
        toml: the recipe with every key written out.
        streams: one run each; a single one of the name "" where the recipe is not trained stream by stream.
        recipe_hash: see `fidget.training.recipe.recipe_hash`.
    """

    name: str
    toml: str
    streams: tuple[str, ...]
    recipe_hash: str

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
    prefixed = [(*override.partition("=")[0].rpartition(":"), override) for override in overrides]
    strange = sorted({method for method, colon, _, _ in prefixed if colon and method not in names})
    if strange:
        raise ValueError(f"--set {strange[0]}:...: no such --method; expected one of {', '.join(names)}")
    if any(key.strip() == "train.seed" for _, _, key, _ in prefixed):
        raise ValueError("--set train.seed: a benchmark's seeds are given by --seeds")
    made: dict[str, Method] = {}
    for name in names:
        own = [
            override[len(method) + 1 :] if colon else override
            for method, colon, _, override in prefixed
            if not colon or method == name
        ]
        recipe = load_recipe(name, ["data.empty_classes=keep", *own])
        if recipe.name in made:
            raise ValueError(f"two methods have the name {recipe.name!r}; give a copied recipe another name")
        streams = stream_recipes(recipe)
        made[recipe.name] = Method(
            recipe.name, to_toml(recipe), tuple(streams) if len(streams) > 1 else ("",), recipe_hash(recipe)
        )
    return tuple(made.values())
