"""Every detector over features by its name: `create_model("actionformer", num_classes=52, channels=768)`.

AdaTAD and the skeleton detector, which hold an encoder, are made where they are defined.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from temporal_detection import actionformer, tridet
from temporal_detection.detector import Detector
from weights.architectures import Architectures, Conversion, Entry, NameRules, check_count

MODELS: Architectures[Detector] = Architectures(
    {
        "actionformer": Entry(
            actionformer.actionformer, actionformer.PUBLISHED_NAMES, actionformer.fit_shapes
        ),
        "tridet": Entry(tridet.tridet, tridet.PUBLISHED_NAMES, actionformer.fit_shapes),
    },
    common=("num_classes", "channels"),
)


def list_models(pattern: str = "*") -> list[str]:
    """Names that match a shell pattern such as `tri*`, sorted."""
    return MODELS.matching(pattern)


def create_model(name: str, *, num_classes: int, channels: int, **options: Any) -> Detector:
    """A detector with fresh weights, drawn from torch's generator.

    Args:
        name: one of `list_models()`.
        num_classes: actions, at least 1.
        channels: of the features, at least 1.
        options: the detector's own, `model_options` names them and its file describes them.

    Raises:
        ValueError: no such detector or option (the message names those there are), or a number or an option
            out of its range.
    """
    make = MODELS[name].make
    for what, number in (("num_classes", num_classes), ("channels", channels)):
        check_count(name, what, number)
    MODELS.check_options(name, options)
    return make(num_classes=num_classes, channels=channels, **options)


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
