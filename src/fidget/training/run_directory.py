"""What a training run leaves behind, written so that a crash at any moment loses one epoch at most."""

from __future__ import annotations

import csv
import io
import json
import os
import pickle
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from pydantic import BaseModel

from fidget.training.recipe import parse_recipe, to_toml
from poses.cache_lock import LOCK_NAME, CacheLockedError, DirectoryLock
from poses.whole_file import replacing

Row = dict[str, Any]
_MAY_CHANGE = (
    "eval.splits",
    "train.prefetch",
    "train.tensorboard",
    "input.threads",
)  # no weight depends on them


@dataclass(frozen=True)
class RunDirectory:
    """The files of one run.

    `recipe.toml` (every key written out), `environment.json`, `checkpoints/last.pt` and `selected.pt`,
    `metrics.csv` (the same after a crash and a resume as without), `timing.csv` (wall clock, never the same),
    `scores/*.parquet`, `summary.json`, `report.html`.

    Attributes:
        path: of the directory.
        parse: reads the stored recipe from its text, for a message beginning with the second argument.
    """

    path: Path
    parse: Callable[[str, str], BaseModel] = parse_recipe

    @property
    def last(self) -> Path:
        """The checkpoint of the last whole epoch."""
        return self.path / "checkpoints" / "last.pt"

    @property
    def selected(self) -> Path:
        """The weights that are measured: of the last epoch, or of the one that validation chose."""
        return self.path / "checkpoints" / "selected.pt"

    def scores(self, split: str) -> Path:
        """The score file of a split."""
        return self.path / "scores" / f"{split}.parquet"

    def prepare(self, recipe: BaseModel, inputs: Mapping[str, str]) -> DirectoryLock:
        """Make the directory, or see that the run in it is this one, and take it until the lock is released.

        Args:
            recipe: of the run.
            inputs: what else decides the result: protocol, cache hash, checkpoint.

        Raises:
            ValueError: another run lies here (the message names what differs), or another process trains it.
        """
        stored = self.path / "recipe.toml"
        if stored.exists():
            self._expect_same(recipe, inputs)
        elif self.path.exists() and {file.name for file in self.path.iterdir()} - {"inputs.json", LOCK_NAME}:
            raise ValueError(f"{self.path} holds other files and no run; choose another directory with -o")
        self.path.mkdir(parents=True, exist_ok=True)
        try:
            lock = DirectoryLock(self.path)
        except CacheLockedError as error:
            raise ValueError(
                f"{self.path}: another process trains this run; wait for it, or choose another with -o"
            ) from error
        write_json(self.path / "inputs.json", dict(inputs))
        with replacing(stored) as part:
            part.write_text(to_toml(recipe), encoding="utf-8")
        return lock

    def _expect_same(self, recipe: BaseModel, inputs: Mapping[str, str]) -> None:
        stored = self.path / "recipe.toml"
        old = _flat(self.parse(stored.read_text(encoding="utf-8"), str(stored)).model_dump(mode="json"))
        old |= json.loads((self.path / "inputs.json").read_text(encoding="utf-8"))
        new = _flat(recipe.model_dump(mode="json")) | dict(inputs)
        differing = [
            f"{key} is {old.get(key)!r} there, {new.get(key)!r} now"
            for key in dict.fromkeys((*old, *new))
            if old.get(key) != new.get(key) and key not in _MAY_CHANGE
        ]
        if differing:
            more = f" and {len(differing) - 4} more" if len(differing) > 4 else ""
            raise ValueError(
                f"{self.path} holds another run: {'; '.join(differing[:4])}{more}; "
                "choose another directory with -o"
            )


def _flat(table: Mapping[str, Any], prefix: str = "") -> dict[str, Any]:
    flat: dict[str, Any] = {}
    for key, value in table.items():
        if isinstance(value, Mapping):
            flat |= _flat(value, f"{prefix}{key}.")
        else:
            flat[prefix + key] = value
    return flat


def save_tensors(path: Path, content: Mapping[str, Any]) -> None:
    """A checkpoint of tensors and plain values, whole or not at all, on the disk when this returns."""
    with replacing(path) as part:
        torch.save(dict(content), part)
        with open(part, "rb") as file:
            os.fsync(file.fileno())


def load_tensors(path: Path) -> dict[str, Any]:
    """What `save_tensors` wrote; opened as data only.

    Raises:
        ValueError: the file is no checkpoint, or damaged.
    """
    with whole_checkpoint(path):
        content: dict[str, Any] = torch.load(path, map_location="cpu", weights_only=True)
    return content


@contextmanager
def whole_checkpoint(path: Path | str) -> Iterator[None]:
    """Inside, what torch raises of a file that is no checkpoint becomes one line that names the file."""
    try:
        yield
    except (pickle.UnpicklingError, EOFError, RuntimeError, LookupError, TypeError, AttributeError) as error:
        raise ValueError(
            f"{path}: not a checkpoint of tensors, or damaged; name another file, or delete this one"
        ) from error


def write_rows(path: Path, rows: Sequence[Row]) -> None:
    """A CSV file of rows with the same keys; floats keep every digit."""
    text = io.StringIO()
    writer = csv.DictWriter(text, list(rows[0]) if rows else [], lineterminator="\n")
    writer.writeheader()
    writer.writerows({key: _cell(value) for key, value in row.items()} for row in rows)
    with replacing(path) as part:
        part.write_text(text.getvalue(), encoding="utf-8")


def _cell(value: object) -> object:
    return "" if value is None else repr(value) if isinstance(value, float) else value


def read_rows(path: Path) -> list[dict[str, str]]:
    """The rows of a CSV file as text; none where it does not exist."""
    if not path.exists():
        return []
    with open(path, encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


def write_json(path: Path, content: object) -> None:
    """A JSON file, whole or not at all."""
    with replacing(path) as part:
        part.write_text(json.dumps(content, indent=2, ensure_ascii=False) + "\n", encoding="utf-8")
