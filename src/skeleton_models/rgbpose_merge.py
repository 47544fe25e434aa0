"""A two-path RGBPose-Conv3D out of paths that were trained alone, as it is published to begin.

Duan et al.: Revisiting Skeleton-based Action Recognition, CVPR 2022, section 3.4.
"""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import Tensor

from skeleton_models.rgbpose_conv3d import select_pose_path
from skeleton_models.rgbpose_two_path import RgbPoseConv3d


def merge_paths(
    model: RgbPoseConv3d, rgb: Mapping[str, Tensor], pose: Mapping[str, Tensor]
) -> dict[str, Tensor]:
    """Weights to begin with: each path as it was trained alone, nothing from the other yet.

    Input channels that the other path feeds begin at zero; the
    lateral connections keep the model's fresh weights.

    Args:
        model: whose state is completed.
        rgb: published entries of a SlowOnly over frames, `backbone.*` and `cls_head.fc_cls.*`.
        pose: of the pose path alone, likewise, or of both paths, from which the pose path is taken.

    Returns:
        A whole state dict of the model.

    Raises:
        ValueError: an entry that the model has not, or of another shape.
    """
    if any(name.startswith("backbone.pose_path.") for name in pose):
        pose = select_pose_path(pose).state
    state = dict(model.state_dict())
    for path, given in (("rgb", rgb), ("pose", pose)):
        for name, tensor in given.items():
            own = _name_in_path(name, path)
            if own not in state:
                raise ValueError(f"expected the {path} path's entries, got {name!r}, which it does not have")
            wanted = state[own]
            if tensor.shape != wanted.shape:
                tensor = _widened(name, tensor, wanted)
            state[own] = tensor.to(wanted.dtype)
    return state


def _name_in_path(name: str, path: str) -> str:
    """A single path's published name as ours."""
    if name.startswith("cls_head."):
        return f"fc_{path}.{name.rsplit('.', 1)[1]}"
    own = name.removeprefix("backbone.")
    for stage in range(4):
        own = own.replace(f"layer{stage + 1}.", f"stages.{stage}.")
    return f"{path}.{own}"


def _widened(name: str, tensor: Tensor, wanted: Tensor) -> Tensor:
    """A convolution's weight with zeros for the input channels that it had not."""
    same = tensor.dim() == 5 and tensor.shape[:1] + tensor.shape[2:] == wanted.shape[:1] + wanted.shape[2:]
    if not same or tensor.shape[1] > wanted.shape[1]:
        raise ValueError(f"{name}: expected shape {tuple(wanted.shape)}, got {tuple(tensor.shape)}")
    wider = torch.zeros_like(wanted)
    wider[:, : tensor.shape[1]] = tensor
    return wider
