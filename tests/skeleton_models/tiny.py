"""Every network of the zoo at a size that tests can afford, and inputs that fit it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import torch
from tests.skeleton_models.named_weights import named_input
from torch import Tensor

from poses.layout import get_layout
from skeleton_models.model import SkeletonModel
from skeleton_models.zoo import create_model, list_models

HEATMAP = list_models("posec3d*") + list_models("rgbpose*")
GRAPH = [name for name in list_models() if name not in HEATMAP]

_BLOCKS = {"num_stages": 2, "inflate_stages": (2,), "down_stages": (2,)}
_SKATE = {"channels": (16, 24), "depths": (1, 1), "heads": 8, "frames": 4, "attention_dropout": 0.0}
_SLOW = {
    "base_channels": 4,
    "stage_blocks": (1,),
    "temporal": (True,),
    "spatial_strides": (2,),
    "temporal_strides": (1,),
}
_TINY: Mapping[str, Mapping[str, Any]] = {
    "aagcn": {"base_channels": 8, **_BLOCKS},
    "agcn": {"base_channels": 8, **_BLOCKS},
    "ctrgcn": {"base_channels": 8, **_BLOCKS},
    "ddnet": {"filters": 4, "frames": 8},
    "dgstgcn": {"base_channels": 8, **_BLOCKS},
    "mmn": {"channels": 16, "depths": (1, 1), "heads": 2, "drop_path": 0.0},
    "msg3d": {"base_channels": 6, "spatial_scales": 3, "window_scales": 2},
    "posec3d_c3d_light": {"base_channels": 4, "num_stages": 2},
    "posec3d_c3d_small": {"base_channels": 2, "num_stages": 2},
    "posec3d_slowonly_r50": _SLOW,
    "posec3d_x3d_shallow": {"base_channels": 4, "stage_blocks": (1,), "spatial_strides": (2,)},
    "rgbpose_conv3d_pose": _SLOW,
    "sgn": {"frames": 8, "width": 4},
    "skateformer": {**_SKATE, "drop_path": 0.0},
    "skateformer_small": _SKATE,
    "stgcn": {"base_channels": 8, **_BLOCKS},
    "stgcnpp": {"base_channels": 12, **_BLOCKS},
}


def tiny(name: str, layout: str = "coco17", in_channels: int | None = None, **options: Any) -> SkeletonModel:
    """The network of this name with seven classes and seeded weights."""
    torch.manual_seed(0)
    return create_model(
        name, num_classes=7, layout=layout, in_channels=in_channels, **{**_TINY[name], **options}
    )


def fitting(
    name: str, layout: str = "coco17", *, clips: int = 2, persons: int = 1, channels: int = 3
) -> Tensor:
    """An input of eight frames: (N, M, 8, V, C) joints, or (N, V, 8, 16, 16) volumes."""
    joints = len(get_layout(layout).joints)
    if name in HEATMAP:
        return named_input("volumes", (clips, joints, 8, 16, 16)).abs()
    return named_input("joints", (clips, persons, 8, joints, channels))
