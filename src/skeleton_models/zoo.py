"""Every network by its name: `create_model("stgcnpp", num_classes=52, layout="coco17")`."""

from __future__ import annotations

import difflib
import inspect
from collections.abc import Callable, Mapping
from fnmatch import fnmatchcase
from types import NoneType, UnionType
from typing import Any, Literal, NamedTuple, Union, get_args, get_origin, get_type_hints

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


_COMMON = ("num_classes", "layout", "in_channels")


def list_models(pattern: str = "*") -> list[str]:
    """Names that match a shell pattern such as `stgcn*`, sorted."""
    return sorted(name for name in MODELS if fnmatchcase(name, pattern))


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
    make = _entry(name).make
    joints = get_layout(layout) if isinstance(layout, str) else layout
    if not isinstance(joints, Layout):
        raise ValueError(f"layout: expected a Layout or a layout's name, got {type(layout).__name__}")
    given = {"num_classes": num_classes} | ({} if in_channels is None else {"in_channels": in_channels})
    for what, number in given.items():
        if not isinstance(number, int) or isinstance(number, bool) or number < 1:
            raise ValueError(f"{name}: {what} must be a whole number of at least 1, got {number!r}")
    hints = _option_hints(make)
    for option, value in options.items():
        if option not in hints:
            near = difflib.get_close_matches(option, hints, n=1)
            hint = f"did you mean {near[0]!r}? " if near else ""
            raise ValueError(f"{name} has no option {option!r}; {hint}it takes {', '.join(hints) or 'none'}")
        choices = _choices(hints[option])
        if choices and value not in choices:
            allowed = ", ".join(map(repr, choices))
            raise ValueError(f"{name}: {option} must be one of {allowed}, got {value!r}")
    return make(layout=joints, **given, **options)


def model_options(name: str) -> list[str]:
    """What `create_model` takes for a network beside classes, layout and channels, in the file's order.

    Raises:
        ValueError: no such network.
    """
    return list(_option_hints(_entry(name).make))


def published_names(name: str) -> Mapping[str, NameRules]:
    """Toolbox -> rules for `checkpoint.rename`, so that its checkpoints load into the network of this name.

    Raises:
        ValueError: no such network.
    """
    return _entry(name).published


def _option_hints(make: Callable[..., SkeletonModel]) -> dict[str, Any]:
    """Option -> its type: those of the function, and those of the class to which it passes the others on."""
    own = get_type_hints(make)
    model = own["return"]
    inherited = get_type_hints(model.__init__)
    hints: dict[str, Any] = {}
    for function, types in ((make, own), (model.__init__, inherited)):
        for parameter in inspect.signature(function).parameters.values():
            if parameter.kind is parameter.KEYWORD_ONLY:
                hints.setdefault(parameter.name, types[parameter.name])
    return {name: hint for name, hint in hints.items() if name not in _COMMON}


def _choices(hint: Any) -> list[Any]:
    """The values of a Literal, with None where it may be None; empty for any other type."""
    values: list[Any] = []
    for part in get_args(hint) if get_origin(hint) in (Union, UnionType) else (hint,):
        if get_origin(part) is Literal:
            values.extend(get_args(part))
        elif part is NoneType:
            values.append(None)
        else:
            return []
    return values


def _entry(name: str) -> Entry:
    if name not in MODELS:
        close = difflib.get_close_matches(name, MODELS, n=3, cutoff=0.5)
        hint = f"nearest: {', '.join(close)}" if close else f"known: {', '.join(list_models())}"
        raise ValueError(f"unknown model {name!r}; {hint}")
    return MODELS[name]
