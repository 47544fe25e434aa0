"""The result of one cell of a benchmark: one JSON file, from which all tables are made."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass, field, fields
from pathlib import Path
from typing import Any

from poses.whole_file import replacing


@dataclass(frozen=True)
class Cell:
    """What was run, and what came of it.

    Attributes:
        benchmark: such as `mma82/cross-domain`.
        task: name of the row, such as `laboratory to street`.
        source_domain: as in `Task`.
        target_domain: as in `Task`.
        method: the recipe.
        seed: of the training.
        shots: K, 0 without any.
        draw: number of the support list, 0 without shots.
        adaptation: `none`, or how the shots were used.
        setting: `inductive`, or `transductive` where unlabelled target clips were looked at together.
        status: `done` or `failed`.
        error: of a failed cell, one line.
        measures: name (`action/top1`, `action/top5`, `action/mean_class`, `action/macro_f1`,
            `action/micro_f1`, the same of `body/`, `f1_mean`) -> value in 0..1.
        scores: path of the score file, below the benchmark's directory.
        run: path of the training run, likewise.
        simulated: whether the clips come from a simulator.
        facts: further numbers and names: seconds, bytes of poses, classes short of clips, hashes, versions.
    """

    benchmark: str
    task: str
    source_domain: str
    target_domain: str
    method: str
    seed: int
    shots: int = 0
    draw: int = 0
    adaptation: str = "none"
    setting: str = "inductive"
    status: str = "done"
    error: str = ""
    measures: dict[str, float] = field(default_factory=dict)
    scores: str = ""
    run: str = ""
    simulated: bool = False
    facts: dict[str, Any] = field(default_factory=dict)


def write_cell(path: Path, cell: Cell) -> None:
    """Write a cell as JSON; it is there whole or not at all.

    Raises:
        OSError: no room, or no permission.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    with replacing(path) as temporary:
        temporary.write_text(json.dumps(asdict(cell), indent=1, ensure_ascii=False), encoding="utf-8")


def read_cell(path: Path) -> Cell:
    """Read a cell.

    Raises:
        ValueError: it is none; names the file.
        OSError: it cannot be opened.
    """
    try:
        found = json.loads(path.read_text(encoding="utf-8"))
        names = {entry.name for entry in fields(Cell)}
        if not isinstance(found, dict) or set(found) - names:
            raise ValueError(f"expected the keys {', '.join(sorted(names))}")
        return Cell(**found)
    except (ValueError, TypeError) as error:
        raise ValueError(f"{path}: no result of a benchmark cell: {error}") from error
