"""What a network over frames begins from: a weight of the manifest, or a checkpoint file of whoever's names.

Nothing is downloaded here: a weight that is not on this machine is an error that says how to bring it.
"""

from __future__ import annotations

import difflib
from collections.abc import Mapping
from pathlib import Path

from torch import Tensor

from fidget.training.run_directory import whole_checkpoint
from rgb_models.model import RgbModel
from rgb_models.zoo import conversion, published_names
from weights.checkpoint import load_exactly, read_checkpoint, rename
from weights.fetch import find_weight
from weights.manifest import load_manifest

OF_PICTURES = "pictures"

# Model -> weights of the manifest that its published recipes begin from, those of clips first.
PUBLISHED_WEIGHTS: Mapping[str, tuple[str, ...]] = {
    "c3d": ("c3d_sports1m",),
    "gc_tsm_r50": ("resnet50_imagenet",),
    "i3d_r50": ("i3d_kinetics400", "resnet50_imagenet"),
    "manet_r50": ("resnet50_imagenet",),
    "slowfast_r50": ("slowfast_4x16_kinetics400", "slowfast_8x8_kinetics400"),
    "swin3d_small": ("swin3d_small_kinetics400",),
    "swin3d_tiny": ("swin3d_tiny_kinetics400", "swin_tiny_imagenet"),
    "timesformer_base": ("timesformer_kinetics400", "vit_base_imagenet"),
    "tin_r50": ("tin_kinetics400", "resnet50_imagenet"),
    "tsm_r50": ("tsm_kinetics400", "resnet50_imagenet"),
    "tsn_r50": ("tsn_kinetics400", "resnet50_imagenet"),
    "uniformer_small": ("uniformer_small_kinetics400", "uniformer_small_imagenet"),
    "videomae_base": ("videomae_base_kinetics400",),
    "videomae_huge": ("videomae_huge_kinetics400",),
    "videomae_large": ("videomae_large_kinetics400",),
    "videomae_small": ("videomae_small_kinetics400",),
}

# The first kernels of networks over pictures, by which their checkpoints are known.
_PICTURE_STEMS = ("conv1.weight", "patch_embed.proj.weight", "patch_embed1.proj.weight")


def load_initial(model: RgbModel, name: str, weights: Path | str) -> str:
    """Published weights, or those of one of our runs, into a network.

    A checkpoint over pictures goes in as the network's `load_pictures` says: inflated where kernels span
    frames, what a paper adds stays fresh. Of a checkpoint over clips everything must fit entry by entry but
    the classifier: where it is missing, or of other classes, the network keeps its fresh one.

    Args:
        model: to be filled.
        name: its name in the zoo.
        weights: a name of the weights manifest, or a file.

    Returns:
        Whose names the checkpoint had, and whether the classifier stayed fresh.

    Raises:
        MissingWeightError: the weight is not on this machine; the message says how to bring it.
        HashMismatchError: the file that lies here is another one.
        ValueError: no such file and no such weight, no checkpoint, names that are nobody's, or tensors that
            do not fit; the message says which.
    """
    file = initial_file(name, weights)
    with whole_checkpoint(file):
        stored = read_checkpoint(file)
    try:
        if _is_of_pictures(stored):
            return _load_pictures(model, name, stored)
        own = model.state_dict()
        toolbox, state = _recognised(name, stored, own)
        fresh = _keep_classifier(model, state, own)
        load_exactly(model, state)
    except ValueError as error:
        raise ValueError(f"{weights}: {error}") from error
    return f"{toolbox}; the classifier is fresh" if fresh else toolbox


def initial_file(name: str, weights: Path | str) -> Path:
    """Where the weights lie: a file as it is, else what the manifest calls so.

    Raises:
        MissingWeightError, HashMismatchError: as `weights.fetch.find_weight`.
        ValueError: neither a file nor a weight.
    """
    file = Path(weights)
    if file.is_file():
        return file
    rows = load_manifest()
    if str(weights) in rows:
        return find_weight(str(weights))
    for_frames = [row for row, weight in rows.items() if {"rgb", "videomae"} & set(weight.groups)]
    close = difflib.get_close_matches(str(weights), for_frames, n=1, cutoff=0.7)
    hint = f"did you mean {close[0]!r}? " if close else ""
    raise ValueError(
        f"expected a checkpoint file or the name of a weight, got {weights}, which is neither; {hint}"
        f"published for {name}: {_published(name)}"
    )


def _published(name: str) -> str:
    return ", ".join(PUBLISHED_WEIGHTS.get(name, ())) or "none"


def _is_of_pictures(stored: Mapping[str, Tensor]) -> bool:
    """Whether these are a network's over pictures: a flat kernel first, and nothing about time."""
    if any(tensor.ndim > 4 or "temporal" in name or name == "time_embed" for name, tensor in stored.items()):
        return False
    return any(name in stored and stored[name].ndim == 4 for name in _PICTURE_STEMS)


def _load_pictures(model: RgbModel, name: str, stored: Mapping[str, Tensor]) -> str:
    load = getattr(model, "load_pictures", None)
    if load is None:
        raise ValueError(
            f"these are weights of a network over pictures, and {name} begins from none; "
            f"published for it: {_published(name)}"
        )
    load(stored)
    return f"{OF_PICTURES}; the classifier is fresh"


def _recognised(
    name: str, stored: Mapping[str, Tensor], own: Mapping[str, Tensor]
) -> tuple[str, dict[str, Tensor]]:
    """Whose names a checkpoint has, and its tensors as the network's."""
    convert = conversion(name)
    ours = {key.removeprefix("model."): tensor for key, tensor in stored.items() if key.startswith("model.")}
    candidates = {"fidget": ours or dict(stored)}  # of our runs: what else training added stays behind
    for toolbox, rules in published_names(name).items():
        for whose, names in ((toolbox, stored), (f"{toolbox}, backbone", _as_backbone(stored))):
            try:
                renamed = rename(names, rules)
            except ValueError:
                continue  # two of its entries would become one, so these are not this toolbox's names
            candidates[whose] = renamed
    if convert is not None:
        candidates = {whose: convert(state, own) for whose, state in candidates.items()}
    toolbox = max(candidates, key=lambda whose: _fitting(candidates[whose], own))
    if 2 * _fitting(candidates[toolbox], own) < len(own):
        raise ValueError(
            f"expected names of one of {', '.join(('fidget', *published_names(name)))} for {name}, got "
            f"{len(stored)} entries such as {', '.join(list(stored)[:3])}; name another file or model"
        )
    return toolbox, candidates[toolbox]


def _as_backbone(stored: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """The entries of a backbone as MMAction2 names them in a whole network, without C3D's classifier."""
    return {f"backbone.{name}": tensor for name, tensor in stored.items() if not name.startswith("fc8.")}


def _fitting(state: Mapping[str, Tensor], own: Mapping[str, Tensor]) -> int:
    """How many of the network's entries a checkpoint has, in a shape that fits or not."""
    return len(state.keys() & own.keys())


def _keep_classifier(model: RgbModel, state: dict[str, Tensor], own: Mapping[str, Tensor]) -> bool:
    """Put the network's own classifier into a state dict without one, or with one of other classes.

    Returns whether the network's own is there.
    """
    head = next(key for key, module in model.named_modules() if module is model.get_classifier())
    entries = [key for key in own if key.startswith(f"{head}.")]
    given = [key for key in entries if key in state and state[key] is not own[key]]
    if given and all(state[key].shape == own[key].shape for key in given):
        return False
    state.update({key: own[key] for key in entries})
    return True
