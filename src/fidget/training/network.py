"""A network as training sees it: outputs become log-probabilities, features label embeddings."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

import torch
from torch import Tensor, nn

from fidget.training.losses import action_log_probs, mean_of_heads
from fidget.training.recipe import Recipe
from fidget.training.run_directory import whole_checkpoint
from poses.layout import Layout
from protocols.label_tree import LabelTree
from protocols.label_vectors import read_label_vectors
from protocols.name_vectors import vectors_of_names
from rgb_models import zoo as rgb_zoo
from rgb_models.model import RgbModel
from rgb_models.resnet2d import FrameResNet
from skeleton_models import two_path_zoo
from skeleton_models.model import SkeletonModel
from skeleton_models.rgbpose_two_path import RgbPoseConv3d
from skeleton_models.zoo import MODELS as SKELETON_MODELS
from skeleton_models.zoo import create_model, published_names
from temporal_detection.skeleton_detector import SkeletonRecogniser
from temporal_detection.zoo import RECOGNISERS
from weights.checkpoint import load_exactly, read_checkpoint, rename


class ActionNetwork(nn.Module):
    """A model, the soft hierarchy over its outputs, and a projection onto label embeddings.

    Args:
        model: with as many outputs as the actions, and the groups before them for the soft hierarchy.
        group_of: (A,) group of each action for the soft hierarchy, or None.
        embedding_width: E of the label embeddings, 0 for none.
        embedding_head: `linear`, as MANet's paper has it (Guo et al. 2024), or `tanh`, as its released code
            has it: two layers with tanh between, on each frame's features where a network computes frames one
            by one, and the mean over the frames behind them.
    """

    group_of: Tensor | None

    def __init__(
        self,
        model: SkeletonModel | RgbModel | RgbPoseConv3d | SkeletonRecogniser,
        group_of: Tensor | None = None,
        embedding_width: int = 0,
        embedding_head: Literal["linear", "tanh"] = "linear",
    ) -> None:
        super().__init__()
        self.model = model
        self.embed = _embedding(model.num_features, embedding_width, embedding_head)
        self.register_buffer("group_of", group_of, persistent=False)

    def forward(self, *inputs: Tensor | None) -> tuple[Tensor, Tensor | None]:
        """Log-probabilities (N, A), and features as label embeddings (N, E) or None.

        Of a model with several heads they are the logarithm of the mean probability; in training all heads',
        (heads, N, A), for each has its loss.

        The inputs are those of a batch: what the model's `forward_features` takes.
        Volumes may be uint8, 255 for 1, or half precision: heatmap models scale them on their own device.
        """
        if isinstance(self.embed, nn.Sequential) and isinstance(self.model, FrameResNet):
            of_frames = self.model.frame_features(*inputs)  # (N, T, D)
            log_probs = action_log_probs(self.model.forward_head(of_frames.mean(1)), self.group_of)
            return log_probs, self.embed(of_frames).mean(1)
        features = self.model.forward_features(*inputs)
        if isinstance(self.model, RgbPoseConv3d):
            heads = self.model.forward_heads(features)
            log_probs = torch.stack([action_log_probs(outputs, self.group_of) for outputs in heads])
            log_probs = log_probs if self.training else mean_of_heads(log_probs)
        else:
            log_probs = action_log_probs(self.model.forward_head(features), self.group_of)
        return log_probs, self.embed(features) if self.embed is not None else None


def _embedding(features: int, width: int, head: str) -> nn.Module | None:
    if not width:
        return None
    if head == "linear":
        return nn.Linear(features, width)
    layers = nn.Sequential(nn.Linear(features, width), nn.Tanh(), nn.Linear(width, width))
    for layer in (layers[0], layers[2]):
        nn.init.normal_(layer.weight, std=0.001)
        nn.init.zeros_(layer.bias)
    return layers


def make_network(
    recipe: Recipe, layout: Layout | None, in_channels: int, tree: LabelTree, embeddings: Tensor | None
) -> ActionNetwork:
    """The network of a recipe, with fresh weights from torch's generator.

    Args:
        recipe: names the model and its options.
        layout: of the joints; None for frames.
        in_channels: of a skeleton network; a network over frames has three.
        tree: labels of the outputs.
        embeddings: (A, E) vectors of the labels, or None.

    Raises:
        ValueError: the model or one of its options does not exist, or does not fit.
    """
    outputs = len(tree.actions) + (len(tree.groups) if recipe.loss.soft_hierarchy else 0)
    name, options = recipe.model.name, dict(recipe.model.options)
    model: SkeletonModel | RgbModel | RgbPoseConv3d | SkeletonRecogniser
    check_input(recipe)
    if layout is None:
        frames = recipe.input.frames or rgb_zoo.preprocessing(name).frames
        if recipe.input.size and "size" in rgb_zoo.model_options(name):
            options.setdefault("size", recipe.input.size)
        model = rgb_zoo.create_model(name, num_classes=outputs, frames=frames, **options)
    elif recipe.input.form == "frames_and_heatmap":
        make = two_path_zoo.MODELS[name].make
        two_path_zoo.MODELS.check_options(name, options)
        model = make(num_classes=outputs, layout=layout, in_channels=in_channels, **options)
    elif name in RECOGNISERS:
        RECOGNISERS.check_options(name, options)
        model = RECOGNISERS[name].make(num_classes=outputs, layout=layout, in_channels=in_channels, **options)
    else:
        model = create_model(name, num_classes=outputs, layout=layout, in_channels=in_channels, **options)
    group_of = torch.tensor(tree.group_of) if recipe.loss.soft_hierarchy else None
    width = 0 if embeddings is None else embeddings.shape[1]
    return ActionNetwork(model, group_of, width, recipe.loss.label_embedding_head)


def check_input(recipe: Recipe) -> None:
    """See that the recipe's model takes the recipe's kind of input.

    Raises:
        ValueError: joints for a network over frames, or frames for one over joints.
    """
    name, form = recipe.model.name, recipe.input.form
    both = form == "frames_and_heatmap"
    if both != (name in two_path_zoo.MODELS):
        takes = "frames or joints alone" if both else "frames and heatmaps"
        raise ValueError(f"model {name!r} takes {takes}, but input.form is {form!r}; see fidget train --list")
    if form == "frames" and name in SKELETON_MODELS:
        raise ValueError(f"model {name!r} takes joints, but input.form is 'frames'; see fidget train --list")
    if form != "frames" and name in rgb_zoo.MODELS:
        raise ValueError(f"model {name!r} takes frames, but input.form is {form!r}; see fidget train --list")


def to_channels_last(network: nn.Module) -> None:
    """Put the weights of 2D and of 3D convolutions into the order of memory that has the channels last."""
    orders = {4: torch.channels_last, 5: torch.channels_last_3d}
    with torch.no_grad():
        for parameter in network.parameters():
            if parameter.ndim in orders:
                parameter.data = parameter.data.contiguous(memory_format=orders[parameter.ndim])


def load_pretrained(
    model: SkeletonModel | RgbPoseConv3d | SkeletonRecogniser, name: str, file: Path | str
) -> str:
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
    others = two_path_zoo.MODELS if isinstance(model, RgbPoseConv3d) else RECOGNISERS
    published = others[name].published if name in others else published_names(name)
    for toolbox, rules in published.items():
        candidates[toolbox] = rename(stored, rules)
    toolbox = max(candidates, key=lambda key: len(candidates[key].keys() & own.keys()))
    state = candidates[toolbox]
    last = set(model.get_classifier().modules())
    heads = [key for key, module in model.named_modules() if module in last]
    for key in (f"{head}.{part}" for head in heads for part in ("weight", "bias")):
        if key in state and key in own and state[key].shape != own[key].shape:
            state[key] = own[key]
    load_exactly(model, state)
    return toolbox


def read_label_embeddings(file: Path | str, tree: LabelTree) -> Tensor:
    """(A, E) vectors of a tree's actions, in their order.

    Args:
        file: an .npz with `actions` and `vectors`; an .npy with a row for each action in the tree's order, as
            MANet's authors give theirs; or `names` for vectors of the words in the actions' names.
        tree: the actions.

    Raises:
        ValueError: no such file, an array is missing or of another shape, or an action has no vector.
    """
    if str(file) == "names":
        return torch.from_numpy(vectors_of_names(tree).vectors)
    if not Path(file).is_file():
        raise ValueError(
            f"loss.label_embedding: no file {str(file)!r}; give the labels' vectors with --set "
            "loss.label_embedding=FILE (.npz or .npy), or names for vectors of the words in their names"
        )
    read = read_label_vectors(file, tree.actions)
    row = {name: number for number, name in enumerate(read.actions)}
    lacking = [action for action in tree.actions if action not in row]
    if lacking:
        raise ValueError(f"{file}: no vector for {len(lacking)} actions: {', '.join(lacking[:5])}")
    return torch.from_numpy(read.vectors[[row[action] for action in tree.actions]])
