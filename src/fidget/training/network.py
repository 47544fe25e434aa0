"""A skeleton network as training sees it: outputs become log-probabilities, features label embeddings."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch
from torch import Tensor, nn

from fidget.training.losses import action_log_probs
from fidget.training.recipe import Recipe
from fidget.training.run_directory import whole_checkpoint
from poses.layout import Layout
from protocols.label_tree import LabelTree
from skeleton_models.model import SkeletonModel
from skeleton_models.zoo import create_model, published_names
from weights.checkpoint import load_exactly, read_checkpoint, rename


class ActionNetwork(nn.Module):
    """A skeleton model, the soft hierarchy over its outputs, and a projection onto label embeddings.

    Args:
        model: with as many outputs as the actions, and the groups before them for the soft hierarchy.
        group_of: (A,) group of each action for the soft hierarchy, or None.
        embedding_width: E of the label embeddings, 0 for none.
    """

    group_of: Tensor | None

    def __init__(
        self, model: SkeletonModel, group_of: Tensor | None = None, embedding_width: int = 0
    ) -> None:
        super().__init__()
        self.model = model
        self.embed = nn.Linear(model.num_features, embedding_width) if embedding_width else None
        self.register_buffer("group_of", group_of, persistent=False)

    def forward(self, *inputs: Tensor | None) -> tuple[Tensor, Tensor | None]:
        """Log-probabilities (N, A), and features as label embeddings (N, E) or None.

        The inputs are those of a batch: what the model's `forward_features` takes.
        Volumes may be uint8, 255 for 1, or half precision: heatmap models scale them on their own device.
        """
        features = self.model.forward_features(*inputs)
        log_probs = action_log_probs(self.model.forward_head(features), self.group_of)
        return log_probs, self.embed(features) if self.embed is not None else None


def make_network(
    recipe: Recipe, layout: Layout, in_channels: int, tree: LabelTree, embeddings: Tensor | None
) -> ActionNetwork:
    """The network of a recipe, with fresh weights from torch's generator.

    Raises:
        ValueError: the model or one of its options does not exist, or does not fit.
    """
    outputs = len(tree.actions) + (len(tree.groups) if recipe.loss.soft_hierarchy else 0)
    model = create_model(
        recipe.model.name,
        num_classes=outputs,
        layout=layout,
        in_channels=in_channels,
        **dict(recipe.model.options),
    )
    group_of = torch.tensor(tree.group_of) if recipe.loss.soft_hierarchy else None
    return ActionNetwork(model, group_of, 0 if embeddings is None else embeddings.shape[1])


def load_pretrained(model: SkeletonModel, name: str, file: Path | str) -> str:
    """Weights of a checkpoint into a model, ours or a public toolbox's; returns whose names it had.

    A classifier of another number of classes is left out, and the model keeps its fresh one; everything else
    must fit entry by entry.

    Raises:
        ValueError: the names are nobody's, or a shape differs; the message names the entries.
    """
    with whole_checkpoint(file):
        stored = read_checkpoint(file)
    if any(key.startswith("model.") for key in stored):  # ours: what else training added stays behind
        stored = {key[6:]: tensor for key, tensor in stored.items() if key.startswith("model.")}
    own = model.state_dict()
    candidates = {"fidget": stored}
    for toolbox, rules in published_names(name).items():
        candidates[toolbox] = rename(stored, rules)
    toolbox = max(candidates, key=lambda key: len(candidates[key].keys() & own.keys()))
    state = candidates[toolbox]
    head = next(key for key, module in model.named_modules() if module is model.get_classifier())
    for key in (f"{head}.weight", f"{head}.bias"):
        if key in state and key in own and state[key].shape != own[key].shape:
            state[key] = own[key]
    load_exactly(model, state)
    return toolbox


def read_label_embeddings(file: Path | str, actions: Sequence[str]) -> Tensor:
    """(A, E) vectors of the actions, in their order, from an .npz with `actions` and `vectors`.

    Raises:
        ValueError: an array is missing or of another shape, or an action has no vector; names the actions.
    """
    with np.load(file, allow_pickle=False) as stored:
        if not {"actions", "vectors"} <= set(stored.files):
            raise ValueError(f"{file}: expected arrays 'actions' and 'vectors', got {sorted(stored.files)}")
        names, vectors = [str(name) for name in stored["actions"]], stored["vectors"]
    if vectors.ndim != 2 or len(vectors) != len(names):
        raise ValueError(f"{file}: expected vectors ({len(names)}, width), got {vectors.shape}")
    row = {name: number for number, name in enumerate(names)}
    lacking = [action for action in actions if action not in row]
    if lacking:
        raise ValueError(f"{file}: no vector for {len(lacking)} actions: {', '.join(lacking[:5])}")
    return torch.from_numpy(vectors[[row[action] for action in actions]].astype(np.float32))
