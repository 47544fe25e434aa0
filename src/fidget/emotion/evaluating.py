"""Score files over emotions side by side: measures with intervals, and what each gains over each other."""

from __future__ import annotations

import json
from dataclasses import dataclass
from itertools import combinations
from pathlib import Path

import numpy as np

from protocols.emotion_measures import EmotionGain, Emotions, emotion_gain, measure_emotions
from protocols.scores import ScoreFile, read_scores

_ORDER = ("both", "actions", "face")


@dataclass(frozen=True, eq=False)
class Evaluation:
    """What was measured.

    Attributes:
        names: of the files, in the order of the rows.
        files: they themselves.
        measured: of each file.
        gains: (first, second, gain) for every pair; the first is the one named earlier.
        micro_action_map: name -> mean average precision of micro-actions, where a run has one.
        notes: of the runs.
        simulated: whether any of it is.
    """

    names: tuple[str, ...]
    files: tuple[ScoreFile, ...]
    measured: tuple[Emotions, ...]
    gains: tuple[tuple[str, str, EmotionGain], ...]
    micro_action_map: dict[str, float]
    notes: tuple[str, ...]
    simulated: bool


def evaluate_emotions(paths: list[Path], seed: int, draws: int) -> Evaluation:
    """Measure score files, or those of runs.

    Args:
        paths: score files, or directories of `fidget emotion train`.
        seed: of the draws.
        draws: of every bootstrap.

    Raises:
        ValueError: a file that is none, other clips or emotions in one than in another.
        OSError: it cannot be read.
    """
    names, files, maps, notes, simulated = [], [], {}, [], False
    for path in paths:
        found = _score_files(path)
        run = _run_json(path)
        simulated |= bool(run.get("simulated"))
        notes += [line for line in run.get("notes", []) if line not in notes]
        for file in found:
            several = path.is_dir() and len(paths) > 1
            name = (path.name if len(found) == 1 else f"{path.name}/{file.stem}") if several else file.stem
            name = name if name not in names else str(file)
            names.append(name)
            files.append(read_scores(file))
            if file.stem in run.get("micro_action_map", {}):
                maps[name] = float(run["micro_action_map"][file.stem])
    simulated |= any("simulated" in one.method for one in files)
    measured = tuple(measure_emotions(one, np.random.default_rng(seed), draws) for one in files)
    gains = tuple(
        (names[a], names[b], emotion_gain(files[a], files[b], np.random.default_rng(seed), draws))
        for a, b in combinations(range(len(files)), 2)
    )
    return Evaluation(tuple(names), tuple(files), measured, gains, maps, tuple(notes), simulated)


def _score_files(path: Path) -> list[Path]:
    if not path.exists():
        raise ValueError(f"{path}: expected a score file or a run of fidget emotion train, there is nothing")
    if not path.is_dir():
        return [path]
    found = sorted((path / "scores").glob("*.parquet"), key=lambda file: (_place(file.stem), file.stem))
    if not found:
        raise ValueError(
            f"{path}: expected score files in {path / 'scores'}, as fidget emotion train writes them"
        )
    return found


def _place(name: str) -> int:
    return _ORDER.index(name) if name in _ORDER else len(_ORDER)


def _run_json(path: Path) -> dict:  # type: ignore[type-arg]
    files = [path / name for name in ("run.json", "summary.json")]  # the second of training from videos
    file = next((one for one in files if one.is_file()), None)
    if not path.is_dir() or file is None:
        return {}
    try:
        found = json.loads(file.read_text(encoding="utf-8"))
    except ValueError as error:
        raise ValueError(f"{file}: no JSON: {error}") from error
    return found if isinstance(found, dict) else {}
