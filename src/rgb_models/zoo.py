"""Every network over frames by its name: `create_model("manet", num_classes=52, frames=8)`."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from rgb_models import (
    c3d,
    gc_tsm,
    i3d,
    manet,
    slowfast,
    swin3d,
    timesformer,
    tin,
    tsm,
    tsn,
    uniformer,
    videomae,
)
from rgb_models.model import RgbModel
from rgb_models.preprocessing import Preprocessing
from weights.architectures import Architectures, Conversion, Entry, NameRules, check_count

MODELS: Architectures[RgbModel] = Architectures(
    {
        "c3d": Entry(c3d.c3d, c3d.PUBLISHED_NAMES),
        "gc_tsm_r50": Entry(gc_tsm.gc_tsm_r50, gc_tsm.PUBLISHED_NAMES),
        "i3d_r50": Entry(i3d.i3d_r50, i3d.PUBLISHED_NAMES),
        "manet_r50": Entry(manet.manet_r50, manet.PUBLISHED_NAMES),
        "slowfast_r50": Entry(slowfast.slowfast_r50, slowfast.PUBLISHED_NAMES),
        "swin3d_small": Entry(swin3d.swin3d_small, swin3d.PUBLISHED_NAMES),
        "swin3d_tiny": Entry(swin3d.swin3d_tiny, swin3d.PUBLISHED_NAMES),
        "timesformer_base": Entry(
            timesformer.timesformer_base, timesformer.PUBLISHED_NAMES, timesformer.fit_embeddings
        ),
        "tin_r50": Entry(tin.tin_r50, tin.PUBLISHED_NAMES),
        "tsm_r50": Entry(tsm.tsm_r50, tsm.PUBLISHED_NAMES),
        "tsn_r50": Entry(tsn.tsn_r50, tsn.PUBLISHED_NAMES),
        "uniformer_small": Entry(uniformer.uniformer_small, uniformer.PUBLISHED_NAMES),
        "videomae_base": Entry(videomae.videomae_base, videomae.PUBLISHED_NAMES, videomae.fit_encoder),
        "videomae_huge": Entry(videomae.videomae_huge, videomae.PUBLISHED_NAMES, videomae.fit_encoder),
        "videomae_large": Entry(videomae.videomae_large, videomae.PUBLISHED_NAMES, videomae.fit_encoder),
        "videomae_small": Entry(videomae.videomae_small, videomae.PUBLISHED_NAMES, videomae.fit_encoder),
    },
    common=("num_classes", "frames"),
)


def list_models(pattern: str = "*") -> list[str]:
    """Names that match a shell pattern such as `tsm*`, sorted."""
    return MODELS.matching(pattern)


def create_model(name: str, *, num_classes: int, frames: int | None = None, **options: Any) -> RgbModel:
    """A network with fresh weights, drawn from torch's generator.

    Args:
        name: one of `list_models()`.
        num_classes: width of the logits, at least 1.
        frames: T of its input, at least 1; None for the published number.
        options: the network's own, `model_options` names them and its file describes them.

    Raises:
        ValueError: no such network or option (the message names those there are), or a number or an option
            out of its range.
    """
    make = MODELS[name].make
    given = {"num_classes": num_classes} | ({} if frames is None else {"frames": frames})
    for what, number in given.items():
        check_count(name, what, number)
    MODELS.check_options(name, options)
    return make(**given, **options)


def model_options(name: str) -> list[str]:
    """What `create_model` takes for a network beside classes and frames, in the file's order.

    Raises:
        ValueError: no such network.
    """
    return MODELS.options(name)


def published_names(name: str) -> Mapping[str, NameRules]:
    """Toolbox -> rules for `checkpoint.rename`, so that its checkpoints load into the network of this name.

    Raises:
        ValueError: no such network.
    """
    return MODELS[name].published


def conversion(name: str) -> Conversion | None:
    """What remains to be done to a checkpoint's tensors under our names; None for nothing.

    Raises:
        ValueError: no such network.
    """
    return MODELS[name].convert


def preprocessing(name: str) -> Preprocessing:
    """How a network's frames are made where a recipe says nothing else.

    Raises:
        ValueError: no such network.
    """
    return MODELS.model_class(name).preprocessing
