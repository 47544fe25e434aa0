"""Every network by its name: `create_model("stgcnpp", num_classes=52, layout="coco17")`."""

from __future__ import annotations

import difflib
from collections.abc import Callable, Mapping
from fnmatch import fnmatchcase
from typing import Any, NamedTuple

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
from skeleton_models.checkpoint import NameRules
from skeleton_models.model import SkeletonModel


class Entry(NamedTuple):
    """One named architecture.

    Attributes:
        make: builds it from num_classes, layout, in_channels and its own options.
        published: toolbox -> rules that turn its checkpoints' names into ours.
    """

    make: Callable[..., SkeletonModel]
    published: Mapping[str, NameRules]


MODELS: Mapping[str, Entry] = {
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
}


def list_models(pattern: str = "*") -> list[str]:
    """Names that match a shell pattern such as `stgcn*`, sorted."""
    return sorted(name for name in MODELS if fnmatchcase(name, pattern))


def create_model(
    name: str, *, num_classes: int, layout: Layout | str, in_channels: int | None = None, **options: Any
) -> SkeletonModel:
    """A network with fresh weights, drawn from torch's generator.

    Args:
        name: one of `list_models()`.
        num_classes: width of the logits.
        layout: the joint set, or its name.
        in_channels: channels of a joint for graph networks; joints or limbs for heatmap networks, whose
            default is the layout's joints.
        options: the network's own, as its file describes them.

    Raises:
        ValueError: no such network (the nearest is named) or an option out of its range.
        TypeError: the network has no such option.
    """
    joints = get_layout(layout) if isinstance(layout, str) else layout
    given = {} if in_channels is None else {"in_channels": in_channels}
    return _entry(name).make(num_classes=num_classes, layout=joints, **given, **options)


def published_names(name: str) -> Mapping[str, NameRules]:
    """Toolbox -> rules for `checkpoint.rename`, so that its checkpoints load into the network of this name.

    Raises:
        ValueError: no such network.
    """
    return _entry(name).published


def _entry(name: str) -> Entry:
    if name not in MODELS:
        close = difflib.get_close_matches(name, MODELS, n=3, cutoff=0.5)
        hint = f"nearest: {', '.join(close)}" if close else f"known: {', '.join(list_models())}"
        raise ValueError(f"unknown model {name!r}; {hint}")
    return MODELS[name]
