"""A recipe's detector: built by its name, and filled with the weights it begins from."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from torch import Tensor, nn

from fidget.detection.recipe import DetectionRecipe
from fidget.detection.shapes import Shapes
from fidget.training.initial_weights import PUBLISHED_WEIGHTS, initial_file, load_initial
from fidget.training.run_directory import whole_checkpoint
from poses.layout import get_layout
from protocols.label_tree import LabelTree
from rgb_models import zoo as rgb_zoo
from rgb_models.preprocessing import Preprocessing
from temporal_detection import adatad, pointtad, zoo
from temporal_detection.detection_loss import DetectionLoss
from temporal_detection.detector import Detector
from temporal_detection.set_loss import SetLoss
from temporal_detection.skeleton_detector import load_recogniser
from weights.checkpoint import load_exactly, read_checkpoint, rename

FORMS: Mapping[str, str] = {name: "features" for name in zoo.list_models()} | {
    **dict.fromkeys(adatad.ENCODERS, "frames"),
    "skeleton_detector": "poses",
}
"""Name of a detector -> what it takes."""


def check_model(recipe: DetectionRecipe) -> None:
    """See that there is such a detector, and that it takes what the recipe's input gives.

    Raises:
        ValueError: there is none, or it takes something else.
    """
    name, form = recipe.model.name, recipe.input.form
    if name not in FORMS:
        raise ValueError(f"no detector {name!r}; there are {', '.join(sorted(FORMS))}")
    if FORMS[name] != form:
        raise ValueError(f"model {name!r} takes {FORMS[name]}, but input.form is {form!r}")


def preprocessing_of(recipe: DetectionRecipe) -> Preprocessing | None:
    """How a network's pictures are normalised; None where it takes none."""
    encoder = adatad.ENCODERS.get(recipe.model.name)
    return None if encoder is None else rgb_zoo.preprocessing(encoder)


def make_detector(
    recipe: DetectionRecipe, shapes: Shapes, tree: LabelTree, checkpoint: Path | str | None = None
) -> tuple[Detector, str]:
    """The detector of a recipe, and whose weights it begins with.

    Args:
        recipe: names it, with its options.
        shapes: of its input.
        tree: the actions, and their groups for the soft hierarchy.
        checkpoint: a file, or for the encoder of frames the name of a weight; None for fresh weights.

    Raises:
        ValueError: an option that it does not take, or a checkpoint none of whose entries fit.
    """
    name, options = recipe.model.name, dict(recipe.model.options)
    if recipe.loss.hierarchy:
        if not tree.groups:
            raise ValueError(f"loss.hierarchy needs body groups, and {tree.name} has none")
        options["group_of"] = tree.group_of
    if FORMS[name] == "frames":
        return _over_frames(name, options, tree, checkpoint)
    if FORMS[name] == "poses":
        options["layout"] = get_layout(shapes.layout)
    model = zoo.create_model(name, num_classes=len(tree.actions), channels=shapes.channels, **options)
    if checkpoint is None:
        return model, ""
    state = _read(checkpoint)
    if FORMS[name] == "poses":
        return model, _load_skeleton(model, state)
    return model, _load_heads(name, model, state)


def _read(checkpoint: Path | str) -> dict[str, Tensor]:
    if not Path(checkpoint).is_file():
        raise ValueError(f"--checkpoint {checkpoint}: there is no such file")
    with whole_checkpoint(checkpoint):
        return read_checkpoint(checkpoint)


def check_encoder(recipe: DetectionRecipe, checkpoint: Path | str | None) -> None:
    """See that a frozen encoder of frames has weights that somebody trained.

    Raises:
        ValueError: it would be random; the message says which weights there are.
    """
    name = recipe.model.name
    if FORMS[name] != "frames" or checkpoint is not None or recipe.model.options.get("encoder_trained"):
        return
    weights = ", ".join(PUBLISHED_WEIGHTS[adatad.ENCODERS[name]])
    raise ValueError(
        f"{name} trains adapters beside a frozen encoder, which would be random: give --checkpoint FILE, or "
        f"one of {weights}; or train it as well with --set model.options.encoder_trained=true"
    )


def _over_frames(
    name: str,
    options: dict[str, Any],
    tree: LabelTree,
    checkpoint: Path | str | None,
) -> tuple[Detector, str]:
    """AdaTAD, whose encoder's weights come before it is frozen."""
    of_encoder = {
        key.removeprefix("encoder_"): options.pop(key) for key in [*options] if key.startswith("encoder_")
    }
    trained = bool(of_encoder.pop("trained", False))
    encoder_name = adatad.ENCODERS[name]
    encoder = rgb_zoo.create_model(encoder_name, num_classes=1, **of_encoder)
    whose, state = "", None
    if checkpoint is not None:
        file = initial_file(encoder_name, checkpoint)
        with whole_checkpoint(file):
            state = read_checkpoint(file)
        if not _is_a_detector(state):
            whose, state = load_initial(encoder, encoder_name, file), None
    zoo.MODELS.check_options(name, options)
    make = adatad.AdaTAD if of_encoder else zoo.MODELS[name].make  # those there are see to the width
    model: Any = make(num_classes=len(tree.actions), encoder=encoder, **options)
    if trained:
        model.encoder.requires_grad_(True)
    if state is not None:
        if any(key.startswith("adapters.") for key in state):
            _keep_own_classes(model, state)
            load_exactly(model, state)
            return model, "fidget"
        names = rgb_zoo.published_names(encoder_name)["mmaction2"]
        adatad.load_opentad(model, state, names, rgb_zoo.conversion(encoder_name))
        whose = "opentad"
    return model, whose


def _is_a_detector(state: Mapping[str, Tensor]) -> bool:
    return any(key.startswith(("adapters.", "rpn_head.", "backbone.model.backbone.")) for key in state)


def _load_skeleton(model: Any, state: dict[str, Tensor]) -> str:
    """A whole detector of ours, else the encoder of a recogniser."""
    if any(key.startswith("detector.") for key in state):
        _keep_own_classes(model, state)
        load_exactly(model, state)
        return "fidget"
    load_recogniser(model, state)
    return "the encoder of a recogniser; the detector is fresh"


def _load_heads(name: str, model: Detector, state: dict[str, Tensor]) -> str:
    """A whole detector over features, ours or a toolbox's."""
    own, convert = model.state_dict(), zoo.conversion(name)
    candidates = {"fidget": dict(state)}
    for toolbox, rules in zoo.published_names(name).items():
        candidates[toolbox] = rename(state, rules)
    whose = max(candidates, key=lambda who: len(candidates[who].keys() & own.keys()))
    found = candidates[whose] if convert is None else convert(candidates[whose], own)
    if not found.keys() & own.keys():
        raise ValueError(
            f"none of {len(state)} entries such as {', '.join(list(state)[:3])} is of this detector; "
            f"expected names of one of {', '.join(candidates)}"
        )
    _keep_own_classes(model, found)
    load_exactly(model, found)
    return whose


def _keep_own_classes(model: nn.Module, state: dict[str, Tensor]) -> None:
    """Where a checkpoint is of other classes, the layers that name them stay fresh."""
    own = model.state_dict()
    for key in state.keys() & own.keys():
        named = any(f"{part}." in key for part in ("scores", "start_scores", "end_scores", "groups"))
        if named and state[key].shape != own[key].shape:
            state[key] = own[key]


def make_loss(recipe: DetectionRecipe, model: Detector, tree: LabelTree) -> DetectionLoss | SetLoss:
    """The loss of a recipe; PointTAD has its own, of which `[loss]` says nothing."""
    if isinstance(model, pointtad.PointTAD):
        return SetLoss(len(tree.actions))
    settings = recipe.loss.model_dump(exclude={"hierarchy"})
    group_of: Sequence[int] = tree.group_of if recipe.loss.hierarchy else ()
    return DetectionLoss(len(tree.actions), model.strides, group_of=group_of, **settings)
