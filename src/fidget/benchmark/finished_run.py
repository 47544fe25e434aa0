"""A finished training run, opened to compute with its network: on its own clips, or on others."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from pathlib import Path

import torch
from torch import Tensor

from fidget.training.builders import InputBuilder, build_input
from fidget.training.data import ClipSource, PoseClips
from fidget.training.network import ActionNetwork, make_network, to_channels_last
from fidget.training.one_process import OneProcess, one_process
from fidget.training.recipe import FrameRecipe, Recipe, parse_recipe
from fidget.training.run_directory import RunDirectory, load_tensors
from protocols.label_tree import LabelTree
from protocols.scores import read_scores
from weights.checkpoint import load_exactly


@dataclass
class FinishedRun:
    """What a run left, and where it computes now.

    Attributes:
        recipe: as it was trained.
        directory: where it lies.
        tree: labels of the network's outputs.
        clips: of a pose cache, or of videos.
        train_input: makes batches with augmentation.
        val_input: makes one view of a clip.
        test_input: makes all views of a clip.
        network: with the selected weights, in evaluation.
        weights_hash: 16 hexadecimal digits of the file of weights.
        process: where it computes.
    """

    recipe: Recipe
    directory: RunDirectory
    tree: LabelTree
    clips: ClipSource
    train_input: InputBuilder
    val_input: InputBuilder
    test_input: InputBuilder
    network: ActionNetwork
    weights_hash: str
    process: OneProcess

    @property
    def views_at_once(self) -> int:
        """Rows of a batch in evaluation."""
        size: int = self.recipe.eval.batch_size or self.recipe.train.batch_size
        return size

    def state(self) -> dict[str, Tensor]:
        """A copy of the network's weights and buffers."""
        return {name: tensor.detach().clone() for name, tensor in self.network.state_dict().items()}


def open_finished_run(
    run_directory: Path, clips: Path | ClipSource, tree: LabelTree | None = None, device: str = "auto"
) -> FinishedRun:
    """Open the run of a directory that `fidget train` made.

    Args:
        run_directory: of the run.
        clips: directory of a pose cache, the run's own or another with its joints; or the clips themselves,
            as a run over frames needs them.
        tree: labels of the network's outputs; from the run's score files if None.
        device: `auto`, `cpu` or `cuda`.

    Raises:
        ValueError: no finished run lies there, or the clips, the labels and the weights do not fit.
    """
    directory = RunDirectory(run_directory)
    stored = directory.path / "recipe.toml"
    if not stored.is_file() or not directory.selected.is_file():
        raise ValueError(
            f"{run_directory}: expected a finished run with recipe.toml and checkpoints/selected.pt; "
            "train it with fidget train first"
        )
    recipe = parse_recipe(stored.read_text(encoding="utf-8"), str(stored))
    process = one_process(recipe, device)
    if isinstance(clips, Path):
        if isinstance(recipe, FrameRecipe):
            raise ValueError(f"{stored} is over frames: expected videos, got the pose cache {clips}")
        clips = PoseClips(clips, recipe.input.layout)
    layout = getattr(clips, "layout", None)  # videos alone have none
    state: dict[str, Tensor] = load_tensors(directory.selected)["model"]
    if tree is None:
        tree = _tree_of(directory)
    builders = build_input(recipe, layout, process.device.type, tree)
    width = len(state["embed.weight"]) if "embed.weight" in state else 0
    embeddings = torch.zeros(len(tree.actions), width) if width else None
    with torch.random.fork_rng(devices=[]):  # fresh weights are drawn, then replaced
        channels = builders[0].channels(_dimensions(clips))
        network = make_network(recipe, layout, channels, tree, embeddings)
    try:
        load_exactly(network, state)
    except ValueError as error:
        raise ValueError(
            f"{directory.selected} does not fit {clips.where} and {tree.name!r}: {error}"
        ) from error
    if recipe.train.channels_last:
        to_channels_last(network)
    network.to(process.device).eval()
    digest = hashlib.sha256(directory.selected.read_bytes()).hexdigest()[:16]
    return FinishedRun(recipe, directory, tree, clips, *builders, network, digest, process)


def _tree_of(directory: RunDirectory) -> LabelTree:
    for split in ("test", "val"):
        if directory.scores(split).is_file():
            return read_scores(directory.scores(split)).tree
    raise ValueError(
        f"{directory.path}: expected a score file in scores/ that tells the labels; give the label tree"
    )


def _dimensions(clips: ClipSource) -> int:
    """2 or 3, of the first clip with poses; 2 of frames."""
    if not isinstance(clips, PoseClips):
        return 2
    for clip_id, status in clips.status.items():
        if status == "ok":
            return int(clips.read(clip_id).xyz.shape[-1])
    raise ValueError(f"{clips.cache.directory}: expected a clip with poses, got none")
