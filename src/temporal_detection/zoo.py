"""Every detector by its name: `create_model("actionformer", num_classes=52, channels=768)`.

AdaTAD takes an encoder of frames (`encoder`), and the skeleton detector the joints' layout (`layout`).
"""

from __future__ import annotations

import inspect
from collections.abc import Mapping
from typing import Any

from temporal_detection import actionformer, adatad, pointtad, skeleton_detector, tridet
from temporal_detection.detector import Detector
from weights.architectures import Architectures, Conversion, Entry, NameRules, check_count

MODELS: Architectures[Detector] = Architectures(
    {
        "actionformer": Entry(
            actionformer.actionformer, actionformer.PUBLISHED_NAMES, actionformer.fit_shapes
        ),
        "adatad_base": Entry(adatad.adatad_base, {}),  # `adatad.load_opentad` reads OpenTAD's
        "adatad_huge": Entry(adatad.adatad_huge, {}),
        "adatad_large": Entry(adatad.adatad_large, {}),
        "adatad_small": Entry(adatad.adatad_small, {}),
        "pointtad": Entry(pointtad.pointtad, pointtad.PUBLISHED_NAMES),
        "skeleton_detector": Entry(skeleton_detector.skeleton_detector, {}),
        "tridet": Entry(tridet.tridet, tridet.PUBLISHED_NAMES, actionformer.fit_shapes),
    },
    common=("num_classes", "channels"),
)

RECOGNISERS: Architectures[skeleton_detector.SkeletonRecogniser] = Architectures(
    {"pose_tokens": Entry(skeleton_detector.pose_token_recogniser, {})},
    common=("num_classes", "layout", "in_channels"),
)
"""Recognisers of trimmed clips from whose weights a detector's encoder begins."""


def list_models(pattern: str = "*") -> list[str]:
    """Names that match a shell pattern such as `tri*`, sorted."""
    return MODELS.matching(pattern)


def create_model(name: str, *, num_classes: int, channels: int | None = None, **options: Any) -> Detector:
    """A detector with fresh weights, drawn from torch's generator.

    Args:
        name: one of `list_models()`.
        num_classes: actions, at least 1.
        channels: of the features, or of a joint, at least 1; None for the published number.
        options: the detector's own, `model_options` names them and its file describes them.

    Raises:
        ValueError: no such detector or option (the message names those there are), one that it needs is not
            given, or a number or an option out of its range.
    """
    make = MODELS[name].make
    given = {"num_classes": num_classes} | ({} if channels is None else {"channels": channels})
    for what, number in given.items():
        check_count(name, what, number)
    MODELS.check_options(name, options)
    parameters = inspect.signature(make).parameters.values()
    needed = [p.name for p in parameters if p.kind is p.KEYWORD_ONLY and p.default is p.empty]
    lacking = [what for what in needed if what not in given | options]
    if lacking:
        raise ValueError(f"{name} needs {', '.join(lacking)}; its file describes what")
    if channels is not None and "channels" not in {p.name for p in parameters}:
        raise ValueError(f"{name} takes no channels: its encoder says how many there are")
    return make(**given, **options)


def model_options(name: str) -> list[str]:
    """What `create_model` takes for a detector beside actions and channels, in the file's order.

    Raises:
        ValueError: no such detector.
    """
    return MODELS.options(name)


def published_names(name: str) -> Mapping[str, NameRules]:
    """Toolbox -> rules for `checkpoint.rename`, so that its checkpoints load into the detector of this name.

    Raises:
        ValueError: no such detector.
    """
    return MODELS[name].published


def conversion(name: str) -> Conversion | None:
    """What remains to be done to a checkpoint's tensors under our names; None for nothing.

    Raises:
        ValueError: no such detector.
    """
    return MODELS[name].convert
