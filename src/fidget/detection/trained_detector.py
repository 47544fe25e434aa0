"""A trained detector out of its run directory, and recordings through it."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import torch

from fidget.detection.inference import Found, detect
from fidget.detection.inputs import build_inputs
from fidget.detection.network import make_detector, preprocessing_of
from fidget.detection.recipe import DetectionRecipe, parse_recipe
from fidget.detection.recordings import Recordings
from fidget.detection.shapes import Shapes, shapes_of, tree_of_json
from fidget.training.run_directory import RunDirectory, load_tensors
from protocols.label_tree import LabelTree
from temporal_detection.detector import Detector


@dataclass(frozen=True, eq=False)
class TrainedDetector:
    """What finds actions; made by `load_detector`.

    Attributes:
        recipe: that it was trained by.
        tree: its actions.
        network: with the selected weights, in evaluation.
        shapes: of its input.
        device: of the network.
        simulated: whether the recordings that it was trained on were, as the run says.
    """

    recipe: DetectionRecipe
    tree: LabelTree
    network: Detector
    shapes: Shapes
    device: torch.device
    simulated: bool = False

    def find(
        self,
        recordings: Recordings,
        names: Sequence[str],
        windows_at_once: int = 0,
        step: Callable[[float], None] = lambda seconds: None,
    ) -> Iterator[Found]:
        """The segments of each recording, one after the other; no annotation is needed.

        Args:
            recordings: of the form that the recipe takes.
            names: which.
            windows_at_once: of a batch; 0 as the recipe says.
            step: called with the seconds of recording that each batch went on.

        Raises:
            ValueError: the recordings are of another form, or their joints are others.
        """
        _, builder = build_inputs(
            self.recipe, recordings, self.tree, preprocessing_of(self.recipe), self.device.type
        )
        found = shapes_of(self.recipe, recordings)
        if found != self.shapes:
            raise ValueError(f"{recordings.where}: expected input of {self.shapes}, got {found}")
        size = windows_at_once or self.recipe.eval.batch_size or self.recipe.train.batch_size
        return detect(
            self.network, builder, recordings, names, self.recipe, self.device, self._autocast, size,
            self.recipe.train.prefetch, step,
        )  # fmt: skip

    @property
    def _autocast(self) -> Callable[[], AbstractContextManager[None]]:
        kind = {"bf16": torch.bfloat16, "16": torch.float16}.get(self.recipe.train.precision)
        enabled = kind is not None and not (kind == torch.float16 and self.device.type == "cpu")
        return partial(
            torch.autocast, self.device.type, dtype=kind if enabled else torch.bfloat16, enabled=enabled
        )


def load_detector(run: Path, device: str = "auto") -> TrainedDetector:
    """The selected weights of a run.

    Args:
        run: directory that `fidget detect train` made.
        device: `auto`, `cpu` or `cuda`.

    Raises:
        ValueError: there is no finished run of a detector, or no such device.
    """
    place = RunDirectory(run, parse_recipe)
    lacking = [
        file.name for file in (run / "recipe.toml", run / "tree.json", place.selected) if not file.is_file()
    ]
    if lacking:
        raise ValueError(
            f"{run}: expected a run of fidget detect train, there is no {' and no '.join(lacking)}; "
            "is it of another command, or not trained to its end?"
        )
    if device == "cuda" and not torch.cuda.is_available():
        raise ValueError("--device cuda: torch finds no CUDA device here; use --device cpu")
    chosen = "cuda" if device == "auto" and torch.cuda.is_available() else device
    where = torch.device("cpu" if chosen == "auto" else chosen)
    stored = run / "recipe.toml"
    recipe = parse_recipe(stored.read_text(encoding="utf-8"), str(stored))
    tree = tree_of_json(json.loads((run / "tree.json").read_text(encoding="utf-8")))
    selected = load_tensors(place.selected)
    shapes = Shapes(selected["channels"], selected["layout"])
    network, _ = make_detector(recipe, shapes, tree)
    network.load_state_dict(selected["model"])
    network.eval().requires_grad_(False)
    return TrainedDetector(recipe, tree, network.to(where), shapes, where, _simulated(run))


def _simulated(run: Path) -> bool:
    told = run / "summary.json"
    return told.is_file() and json.loads(told.read_text(encoding="utf-8")).get("simulated") is True
