"""One trained network out of its run directory: windows of poses or frames in, probabilities out.

Letters: W windows, A actions, V joints.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from fidget.benchmark.finished_run import FinishedRun, open_finished_run
from fidget.frames.frame_clip import FrameClip
from fidget.training.builders import InputBuilder
from fidget.training.data import ClipSet
from fidget.training.posed_videos import PosedClip
from fidget.training.prediction import predict
from fidget.training.recipe import FrameRecipe, parse_recipe
from fidget.training.run_directory import RunDirectory
from poses.layout import Layout, get_layout
from protocols.label_tree import LabelTree
from skeleton_models.clip_arrays import ClipArrays

Floats = NDArray[np.float64]
SeenClip = ClipArrays | FrameClip | PosedClip


class GivenWindows:
    """Windows at hand as a `ClipSource`; `read` is told the number of a window as its id.

    Args:
        layout: of the poses; None for frames alone.
        read: window number -> what the network takes.
        where: for messages.
    """

    def __init__(self, layout: Layout | None, read: Callable[[int], SeenClip] | None, where: str) -> None:
        self.layout = layout
        self.where = where
        self.cache_hash = ""
        self.simulated = False
        self.status: Mapping[str, str] = {}
        self.problems: Mapping[str, str] = {}
        self.remarks: Mapping[str, str] = {}
        self.without_person: Sequence[str] = ()
        self.checksums: Mapping[str, object] = {}
        self._read = read

    def read(self, clip_id: str) -> Any:
        """One window."""
        assert self._read is not None
        return self._read(int(clip_id))


class Origin(NamedTuple):
    """Where a network's training data came from.

    Attributes:
        simulated: whether a simulator made it.
        recorded: whether the run says so itself; else names were looked at for the word.
    """

    simulated: bool
    recorded: bool


@dataclass(frozen=True, eq=False)
class TrainedNetwork:
    """What a run of `fidget train` left; made by `load_network`.

    Attributes:
        run: the network and its builders.
        layout: of the joints that it takes; None where it takes none.
        origin: of its training data.
    """

    run: FinishedRun
    layout: Layout | None
    origin: Origin

    @property
    def tree(self) -> LabelTree:
        """Its actions."""
        return self.run.tree

    @property
    def name(self) -> str:
        """As its score files call it."""
        return f"{self.run.recipe.name} {'+'.join(self.run.recipe.input.streams)}"

    @property
    def takes_frames(self) -> bool:
        """Whether it needs the video."""
        return isinstance(self.run.recipe, FrameRecipe)

    @property
    def sees_whole_picture(self) -> bool:
        """Whether it was trained on whole pictures, so that it cannot tell who of several people it sees."""
        return self.takes_frames and self.layout is None and not self.run.recipe.input.person_crop

    def builder(self, all_views: bool) -> InputBuilder:
        """What makes its input: in all of the recipe's test views, or in one."""
        return self.run.test_input if all_views else self.run.val_input

    def probabilities(self, count: int, read: Callable[[int], SeenClip], all_views: bool = True) -> Floats:
        """Probabilities (W, A) of windows as the run itself would score them, in the memory of some batches.

        Args:
            count: W.
            read: window number -> what the network takes; called from another thread, in order.
            all_views: average over the recipe's test views; else one view.
        """
        if not count:
            return np.zeros((0, len(self.tree.actions)))
        windows = GivenWindows(self.layout, read, "windows")
        numbers = ClipSet("windows", tuple(map(str, range(count))), np.zeros(count, np.int64))
        run = self.run
        found = predict(
            run.process, run.network, self.builder(all_views), windows, numbers, run.views_at_once,
            len(self.tree.actions),
        )  # fmt: skip
        return found.astype(np.float64)


def load_network(run: Path, device: str = "auto") -> TrainedNetwork:
    """The selected weights of a run of `fidget train`.

    Args:
        run: its directory.
        device: `auto`, `cpu` or `cuda`.

    Raises:
        ValueError: no finished run of one network lies there, or it takes poses in space.
    """
    stored, directory = run / "recipe.toml", RunDirectory(run)
    if not stored.is_file() or not directory.selected.is_file():
        raise ValueError(
            f"{run}: expected a finished run of fidget train or of fidget detect train, with recipe.toml and "
            "checkpoints/selected.pt"
        )
    recipe = parse_recipe(stored.read_text(encoding="utf-8"), str(stored))
    layout = None
    if recipe.input.form != "frames":
        layout = get_layout(recipe.input.layout or _layout_of(run))
    where = "frames" if layout is None else f"poses of {layout.name} in pixels"
    opened = open_finished_run(run, GivenWindows(layout, None, where), None, device)
    return TrainedNetwork(opened, layout, origin_of(run, opened.tree))


def _layout_of(run: Path) -> str:
    found = stored_json(run / "environment.json").get("layout")
    if not isinstance(found, str) or not found:
        raise ValueError(
            f"{run / 'environment.json'} does not say which joints the network takes, and the recipe neither"
        )
    return found


def origin_of(run: Path, tree: LabelTree) -> Origin:
    """What a run's summary records, or else the word in the names of its labels, data or command."""
    summary = stored_json(run / "summary.json")
    if isinstance(summary.get("simulated"), bool):
        return Origin(summary["simulated"], True)
    told = [tree.name, *(str(value) for value in stored_json(run / "inputs.json").values())]
    told += [str(line) for line in summary.get("data", [])]
    told.append(str(stored_json(run / "environment.json").get("command", "")))
    return Origin(any("simul" in one.lower() for one in told), False)


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
