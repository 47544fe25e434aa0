"""Every network over frames and heatmaps by its name; those of `zoo` see joints alone."""

from __future__ import annotations

from skeleton_models import rgbpose_two_path
from skeleton_models.rgbpose_two_path import RgbPoseConv3d
from weights.architectures import Architectures, Entry

MODELS: Architectures[RgbPoseConv3d] = Architectures(
    {"rgbpose_conv3d": Entry(rgbpose_two_path.rgbpose_conv3d, rgbpose_two_path.PUBLISHED_NAMES)},
    common=("num_classes", "layout", "in_channels", "with_limbs"),
)
