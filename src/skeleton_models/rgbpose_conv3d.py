"""The pose path of RGBPose-Conv3D: SlowOnly over heatmaps whose time is never halved, without the RGB path.

Duan et al.: Revisiting Skeleton-based Action Recognition, CVPR 2022, section 3.4. The published two-stream
network exchanges features by lateral connections before the second and the third stage. Alone, the pose path
computes what the two-stream network computes where nothing comes from the RGB path (its `pose_drop_path`):
the weights that would read the RGB path's channels are left aside, the last input channels of two
convolutions. Equal to PYSKL's and MMAction2's `RGBPoseConv3D` so driven.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any, NamedTuple

from torch import Tensor

from poses.layout import Layout
from skeleton_models.posec3d import PUBLISHED_NAMES as SLOWONLY_NAMES
from skeleton_models.posec3d import SlowOnly
from skeleton_models.volume_network import volume_channels
from weights.architectures import NameRules

PUBLISHED_NAMES: dict[str, NameRules] = dict(SLOWONLY_NAMES)  # pose_only, or what `select_pose_path` gives

_PATH = "backbone.pose_path."
_HEAD = "cls_head.fc_pose."
_LATERAL = re.compile(r"^backbone\.pose_path\.[^.]*_lateral\.")
_AFTER_LATERAL = re.compile(r"^layer[23]\.0\.(conv1|downsample)\.conv\.weight$")
_ASIDE = ("backbone.rgb_path.", "cls_head.fc_rgb.")


class PosePath(NamedTuple):
    """The pose path's share of a two-stream checkpoint.

    Attributes:
        state: its entries, named as in a checkpoint of the pose path alone (`PUBLISHED_NAMES`).
        left_aside: names of entries that only the two-stream network uses.
        narrowed: names of entries in `state` whose input channels from the RGB path were cut off.
    """

    state: dict[str, Tensor]
    left_aside: tuple[str, ...]
    narrowed: tuple[str, ...]


def select_pose_path(state: Mapping[str, Tensor]) -> PosePath:
    """The pose path and its head out of a published checkpoint of both paths.

    Args:
        state: entries `backbone.rgb_path.*`, `backbone.pose_path.*`, `cls_head.fc_rgb.*` and
            `cls_head.fc_pose.*`.

    Raises:
        ValueError: no pose path in it, or an entry that belongs to neither path.
    """
    chosen: dict[str, Tensor] = {}
    aside: list[str] = []
    narrowed: list[str] = []
    unknown: list[str] = []
    for name, tensor in state.items():
        if name.startswith(_ASIDE) or _LATERAL.match(name):
            aside.append(name)
        elif name.startswith(_HEAD):
            chosen[f"cls_head.fc_cls.{name.removeprefix(_HEAD)}"] = tensor
        elif name.startswith(_PATH):
            own = name.removeprefix(_PATH)
            if _AFTER_LATERAL.match(own):
                width = _pose_channels(state, own)
                if tensor.shape[1] > width:
                    narrowed.append(name)
                    tensor = tensor[:, :width]
            chosen[f"backbone.{own}"] = tensor
        else:
            unknown.append(name)
    if unknown or not chosen:
        raise ValueError(
            f"expected a checkpoint of both paths ({', '.join(f'{a}*' for a in (_PATH, _HEAD, *_ASIDE))}), "
            + (f"got also {', '.join(sorted(unknown)[:6])}" if unknown else "got no pose path")
            + "; a checkpoint of the pose path alone needs no selection"
        )
    return PosePath(chosen, tuple(aside), tuple(narrowed))


def _pose_channels(state: Mapping[str, Tensor], name: str) -> int:
    """What the stage before puts out: the channels of its first block's widening convolution."""
    before = int(name[len("layer")]) - 1
    key = f"{_PATH}layer{before}.0.conv3.conv.weight"
    if key not in state:
        raise ValueError(
            f"expected {key!r} in the checkpoint, to know the width of stage {before}; it is missing"
        )
    return int(state[key].shape[0])


def rgbpose_conv3d_pose(
    *,
    num_classes: int,
    layout: Layout,
    in_channels: int | None = None,
    with_limbs: bool = False,
    **options: Any,
) -> SlowOnly:
    """The pose path as published: 17 x 32 x 56 x 56 volumes; `options` are those of `SlowOnly`."""
    channels = volume_channels(layout, in_channels, with_limbs)
    return SlowOnly(
        num_classes=num_classes, in_channels=channels, **{"temporal_strides": (1, 1, 1), **options}
    )
