"""A source's network trained on with a few target clips, and with as many source clips so as not to forget.

`light` trains the last layer and the scales and offsets of the normalisation layers, whose running statistics
stay; `full` trains everything. Both use the recipe's own input, augmentation and loss and the epoch of
`fidget.training`; only length, rate and optimiser are theirs, the same for every network. Logit adjustment is
left out, since the clips are balanced, and so is the loss of label embeddings.
"""

from __future__ import annotations

import copy
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Literal

import numpy as np
import torch
from numpy.typing import NDArray

from fidget.benchmark.finished_run import FinishedRun
from fidget.benchmark.normalisation import batch_norms, normalisation_layers
from fidget.training.data import ClipSet
from fidget.training.loop import train_epoch
from fidget.training.losses import ActionLoss
from fidget.training.network import ActionNetwork
from fidget.training.optimizer import make_optimizer
from fidget.training.progress import Progress
from fidget.training.recipe import Recipe
from fidget.training.run import Machines, Run, launch
from protocols.k_shot import draw_support
from protocols.protocol import Protocol, Split

Which = Literal["light", "full"]


@dataclass(frozen=True)
class TuningSettings:
    """How long and how fast.

    Attributes:
        which: `light` or `full`.
        learning_rate: of AdamW, at the begin; a cosine brings it to 0.
        batch_size: clips a step, at most.
        passes: clips that are shown at least, over all epochs; all are shown once in any case.
    """

    which: Which
    learning_rate: float
    batch_size: int = 32
    passes: int = 1280


LIGHT = TuningSettings("light", 1e-2)
FULL = TuningSettings("full", 1e-3)


class FixedStatistics(ActionNetwork):
    """Its batch normalisation keeps the running statistics, in training too."""

    def train(self, mode: bool = True) -> FixedStatistics:
        """As torch does, but for batch normalisation."""
        super().train(mode)
        for layer in batch_norms(self).values():
            layer.eval()
        return self


def replayed(source: Split, shots: Sequence[int], k: int, seed: int) -> Split:
    """Source clips to show beside shots: K of every class, of those with fewer all.

    Args:
        source: the source's training clips.
        shots: labels of the shots; no more clips are taken than there are shots.
        k: K.
        seed: of the draw.
    """
    drawn = draw_support(source, k, np.random.default_rng((seed, 1))).split
    rows = np.random.default_rng((seed, 2)).permutation(len(drawn.labels))[: len(shots)]
    chosen = np.sort(rows)
    return Split(tuple(drawn.clip_ids[row] for row in chosen), tuple(drawn.labels[row] for row in chosen))


def fine_tuned(
    run: FinishedRun, shots: Split, replay: Split, settings: TuningSettings, seed: int
) -> FinishedRun:
    """The run with a trained copy of its network; the run itself stays as it is.

    Args:
        run: whose network begins.
        shots: labelled target clips.
        replay: labelled source clips, shown as often as the shots all together.
        settings: such as `LIGHT`.
        seed: decides order, augmentation and dropout.

    Raises:
        ValueError: the loss is not finite.
    """
    clips = ClipSet(
        "train", shots.clip_ids + replay.clip_ids, np.array(shots.labels + replay.labels, np.int64)
    )
    recipe = _recipe(run.recipe, len(clips), settings, seed)
    network = _trainable(run, settings.which)
    counts = np.bincount(clips.labels, minlength=len(run.tree.actions))
    opened = _opened(run, recipe, clips, network, counts)
    with torch.random.fork_rng(devices=[]):
        train_epoch(opened, 0, {})
    plain = ActionNetwork(network.model, network.group_of)
    plain.to(run.process.device).eval().requires_grad_(True)
    return replace(run, network=plain)


def _trainable(run: FinishedRun, which: Which) -> ActionNetwork:
    """A copy of the network, in which what is to be trained asks for gradients."""
    model, group_of = copy.deepcopy(run.network.model), run.network.group_of
    if which == "full":
        return ActionNetwork(model, group_of).requires_grad_(True)
    network = FixedStatistics(model, group_of).requires_grad_(False)
    for layer in (*normalisation_layers(model), model.get_classifier()):
        layer.requires_grad_(True)
    return network


def _recipe(recipe: Recipe, clips: int, settings: TuningSettings, seed: int) -> Recipe:
    """The run's recipe for one epoch of fine-tuning; every clip comes equally often."""
    size = min(settings.batch_size, clips)
    train = recipe.train.model_copy(
        update={
            "epochs": 1,
            "batch_size": size,
            "reference_batch": size,
            "optimizer": "adamw",
            "learning_rate": settings.learning_rate,
            "weight_decay": 0.0,
            "schedule": "cosine",
            "warmup_epochs": 0.0,
            "step_epochs": [],
            "final_factor": 0.0,
            "clip_gradient_norm": 5.0,
            "ema_decay": 0.0,
            "compile": False,
            "seed": seed,
        }
    )
    repeat = max(1, -(-settings.passes // clips))
    sampling = recipe.sampling.model_copy(update={"balance": "none", "repeat": repeat})
    loss = recipe.loss.model_copy(update={"logit_adjustment": 0.0, "label_embedding": ""})
    return recipe.model_copy(update={"train": train, "sampling": sampling, "loss": loss})


def _opened(
    run: FinishedRun, recipe: Recipe, clips: ClipSet, network: ActionNetwork, counts: NDArray[np.int64]
) -> Run:
    """What the epoch of `fidget.training` takes."""
    tree = run.tree
    group_of = torch.tensor(tree.group_of) if tree.groups else None
    loss = ActionLoss(recipe.loss, torch.from_numpy(counts), group_of).to(run.process.device)
    fabric = launch(recipe, Machines(run.process.device.type))
    wrapped, optimizer = fabric.setup(network, make_optimizer(network, recipe.train))
    protocol = Protocol("fine-tuning", tree, {"train": Split(clips.clip_ids, tuple(clips.labels.tolist()))})
    return Run(
        recipe, protocol, run.directory, fabric, run.clips, {"train": clips}, run.train_input,
        run.val_input, run.test_input, network, wrapped, optimizer, loss, None, Progress(_silent), {}, None,
    )  # fmt: skip


def _silent(_: str) -> None:
    pass
