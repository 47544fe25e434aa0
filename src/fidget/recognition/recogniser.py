"""A trained recogniser out of its run directory: windows of poses in, calibrated probabilities out."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from fidget.benchmark.finished_run import FinishedRun, open_finished_run
from fidget.training.data import ClipSet
from fidget.training.prediction import predict
from fidget.training.recipe import FrameRecipe, parse_recipe
from fidget.training.run_directory import RunDirectory
from poses.layout import Layout, get_layout
from protocols.label_tree import LabelTree
from protocols.prior_shift import fitted_temperature, tempered
from protocols.scores import read_scores
from skeleton_models.clip_arrays import ClipArrays

Floats = NDArray[np.float64]
_FEWEST_CLIPS = 20  # on which a temperature is fitted


class GivenWindows:
    """Windows at hand as a `ClipSource`; `read` is told the number of a window as its id.

    Args:
        layout: of the poses.
        read: window number -> poses.
        where: for messages.
    """

    def __init__(self, layout: Layout, read: Callable[[int], ClipArrays] | None, where: str) -> None:
        self.layout = layout
        self.where = where
        self.cache_hash = ""
        self.status: Mapping[str, str] = {}
        self.problems: Mapping[str, str] = {}
        self.remarks: Mapping[str, str] = {}
        self.without_person: Sequence[str] = ()
        self.checksums: Mapping[str, object] = {}
        self._read = read

    def read(self, clip_id: str) -> ClipArrays:
        """One window."""
        assert self._read is not None
        return self._read(int(clip_id))


@dataclass(frozen=True, eq=False)
class Recogniser:
    """What names actions; made by `load_recogniser`.

    Attributes:
        run: the network and its builders.
        layout: of the joints that it takes.
        temperature: by which logits are divided; 1 where it was not fitted.
        calibration: in words, for people: on what the temperature was fitted, or why not.
        calibrated: whether it was.
        simulated: whether its training data was simulated, as far as the run says.
    """

    run: FinishedRun
    layout: Layout
    temperature: float
    calibration: str
    calibrated: bool
    simulated: bool

    @property
    def tree(self) -> LabelTree:
        """Its actions."""
        return self.run.tree

    @property
    def method(self) -> str:
        """For people."""
        words = " (trained on simulated data)" if self.simulated else ""
        return f"{self.run.recipe.name}: {self.run.recipe.model.name}, {self.run.weights_hash}{words}"

    def probabilities(self, count: int, read: Callable[[int], ClipArrays], all_views: bool = True) -> Floats:
        """Calibrated probabilities (count, A) of windows, in the memory of some batches.

        Args:
            count: of windows.
            read: window number -> its poses, of one person; called from another thread, in order.
            all_views: average over the recipe's test views, as the calibration did; else one view.
        """
        if not count:
            return np.zeros((0, len(self.tree.actions)))
        windows = GivenWindows(self.layout, read, "windows")
        numbers = ClipSet("windows", tuple(map(str, range(count))), np.zeros(count, np.int64))
        run = self.run
        found = predict(
            run.fabric, run.network, run.test_input if all_views else run.val_input, windows, numbers,
            run.views_at_once, len(self.tree.actions),
        )  # fmt: skip
        return tempered(found, self.temperature)


def load_recogniser(run: Path, device: str = "auto") -> Recogniser:
    """The selected weights of a run of `fidget train` over poses.

    Args:
        run: its directory.
        device: `auto`, `cpu` or `cuda`.

    Raises:
        ValueError: no finished run of one network over two-dimensional poses lies there.
    """
    stored = run / "recipe.toml"
    streams = sorted(one.parent.name for one in run.glob("*/recipe.toml"))
    if not stored.is_file() and streams:
        raise ValueError(
            f"{run} holds the runs of several streams ({', '.join(streams)}): name one, such as "
            f"{run / streams[0]}"
        )
    directory = RunDirectory(run)
    if not stored.is_file() or not directory.selected.is_file():
        raise ValueError(
            f"{run}: expected a finished run of fidget train or of fidget detect train, with recipe.toml and "
            "checkpoints/selected.pt"
        )
    recipe = parse_recipe(stored.read_text(encoding="utf-8"), str(stored))
    if isinstance(recipe, FrameRecipe):
        raise ValueError(
            f"{run} recognises from frames ({recipe.name}): fidget recognize takes a recogniser over poses"
        )
    layout = get_layout(recipe.input.layout or _layout_of(run))
    opened = open_finished_run(run, GivenWindows(layout, None, f"poses of {layout.name}"), None, device)
    temperature, words, calibrated = _calibration(directory, opened.tree)
    return Recogniser(opened, layout, temperature, words, calibrated, _is_simulated(run, opened.tree))


def _layout_of(run: Path) -> str:
    found = stored_json(run / "environment.json").get("layout")
    if not isinstance(found, str) or not found:
        raise ValueError(
            f"{run / 'environment.json'} does not say which joints the network takes, and the recipe neither"
        )
    return found


def _calibration(directory: RunDirectory, tree: LabelTree) -> tuple[float, str, bool]:
    """Temperature, where it comes from, and whether it was fitted."""
    path = directory.scores("val")
    if not path.is_file():
        return 1.0, f"not calibrated: {directory.path} has no scores of validation clips", False
    scores = read_scores(path)
    known = scores.labels >= 0
    if int(known.sum()) < _FEWEST_CLIPS or scores.tree.actions != tree.actions:
        return 1.0, f"not calibrated: {path} has {int(known.sum())} labelled clips of these actions", False
    temperature = fitted_temperature(scores.scores[known], scores.labels[known])
    return temperature, f"temperature {temperature:.3g} of {int(known.sum())} validation clips", True


def _is_simulated(run: Path, tree: LabelTree) -> bool:
    """What the run's own records say: a flag, or the word in the names of its labels, data or command."""
    if stored_json(run / "summary.json").get("simulated") is True:
        return True
    told = [tree.name, *(str(value) for value in stored_json(run / "inputs.json").values())]
    told += [str(line) for line in stored_json(run / "summary.json").get("data", [])]
    told.append(str(stored_json(run / "environment.json").get("command", "")))
    return any("simul" in one.lower() for one in told)


def stored_json(path: Path) -> dict[str, Any]:
    """What a JSON file of a run holds; nothing where it is absent.

    Raises:
        ValueError: it is no JSON.
    """
    if not path.is_file():
        return {}
    try:
        found = json.loads(path.read_text(encoding="utf-8"))
    except ValueError as error:
        raise ValueError(f"{path}: not JSON: {error}") from error
    return found if isinstance(found, dict) else {}
