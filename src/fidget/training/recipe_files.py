"""The recipes that come with Fidget, as text; needs nothing but the standard library."""

from __future__ import annotations

from importlib import resources


def shipped_recipes(package: str = "fidget.training") -> dict[str, str]:
    """Names of the recipes that come with one of Fidget's packages, and their text."""
    folder = resources.files(package) / "recipes"
    files = sorted(entry.name for entry in folder.iterdir() if entry.name.endswith(".toml"))
    return {name.removesuffix(".toml"): (folder / name).read_text(encoding="utf-8") for name in files}
