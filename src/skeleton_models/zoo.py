"""Every network by its name: `create_model("stgcnpp", num_classes=52, layout="coco17")`."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from poses.layout import Layout, get_layout
from skeleton_models import (
    aagcn,
    ctrgcn,
    ddnet,
    dgstgcn,
    mmn,
    msg3d,
    posec3d,
    posec3d_c3d,
    posec3d_x3d,
    rgbpose_conv3d,
    sgn,
    skateformer,
    stgcn,
    stgcnpp,
)
from skeleton_models.model import SkeletonModel
from weights.architectures import Architectures, Entry, NameRules, check_count

MODELS: Architectures[SkeletonModel] = Architectures(
    {
        "aagcn": Entry(aagcn.aagcn, aagcn.PUBLISHED_NAMES),
        "agcn": Entry(aagcn.agcn, aagcn.PUBLISHED_NAMES),
        "ctrgcn": Entry(ctrgcn.ctrgcn, ctrgcn.PUBLISHED_NAMES),
        "ddnet": Entry(ddnet.ddnet, ddnet.PUBLISHED_NAMES),
        "dgstgcn": Entry(dgstgcn.dgstgcn, dgstgcn.PUBLISHED_NAMES),
        "mmn": Entry(mmn.mmn, mmn.PUBLISHED_NAMES),
        "msg3d": Entry(msg3d.msg3d, msg3d.PUBLISHED_NAMES),
        "posec3d_c3d_light": Entry(posec3d_c3d.posec3d_c3d_light, posec3d_c3d.PUBLISHED_NAMES),
        "posec3d_c3d_small": Entry(posec3d_c3d.posec3d_c3d_small, posec3d_c3d.PUBLISHED_NAMES),
        "posec3d_slowonly_r50": Entry(posec3d.posec3d_slowonly_r50, posec3d.PUBLISHED_NAMES),
        "posec3d_x3d_shallow": Entry(posec3d_x3d.posec3d_x3d_shallow, posec3d_x3d.PUBLISHED_NAMES),
        "rgbpose_conv3d_pose": Entry(rgbpose_conv3d.rgbpose_conv3d_pose, rgbpose_conv3d.PUBLISHED_NAMES),
        "sgn": Entry(sgn.sgn, sgn.PUBLISHED_NAMES),
        "skateformer": Entry(skateformer.skateformer, skateformer.PUBLISHED_NAMES),
        "skateformer_small": Entry(skateformer.skateformer_small, skateformer.PUBLISHED_NAMES),
        "stgcn": Entry(stgcn.stgcn, stgcn.PUBLISHED_NAMES),
        "stgcnpp": Entry(stgcnpp.stgcnpp, stgcnpp.PUBLISHED_NAMES),
    },
    common=("num_classes", "layout", "in_channels"),
)


def list_models(pattern: str = "*") -> list[str]:
    """Names that match a shell pattern such as `stgcn*`, sorted."""
    return MODELS.matching(pattern)


def create_model(
    name: str, *, num_classes: int, layout: Layout | str, in_channels: int | None = None, **options: Any
) -> SkeletonModel:
    """A network with fresh weights, drawn from torch's generator.

    Args:
        name: one of `list_models()`.
        num_classes: width of the logits, at least 1.
        layout: the joint set, or its name.
        in_channels: channels of a joint for graph networks; joints or limbs for heatmap networks, whose
            default is the layout's joints.
        options: the network's own, `model_options` names them and its file describes them.

    Raises:
        ValueError: no such network, layout or option (the message names those there are), or a number of
            classes or channels or an option out of its range.
    """
    make = MODELS[name].make
    joints = get_layout(layout) if isinstance(layout, str) else layout
    if not isinstance(joints, Layout):
        raise ValueError(f"layout: expected a Layout or a layout's name, got {type(layout).__name__}")
    given = {"num_classes": num_classes} | ({} if in_channels is None else {"in_channels": in_channels})
    for what, number in given.items():
        check_count(name, what, number)
    MODELS.check_options(name, options)
    return make(layout=joints, **given, **options)


def model_options(name: str) -> list[str]:
    """What `create_model` takes for a network beside classes, layout and channels, in the file's order.

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
