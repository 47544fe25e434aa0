"""The pose path out of PYSKL's two-stream RGBPose-Conv3D."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from tests.skeleton_models import graph_checks, volume_checks
from tests.skeleton_models.named_weights import named_input

from poses.layout import get_layout
from skeleton_models.rgbpose_conv3d import PUBLISHED_NAMES, rgbpose_conv3d_pose, select_pose_path
from weights.checkpoint import load_exactly, rename


def test_equals_pyskl_with_nothing_from_the_rgb_path() -> None:
    """The golden file: the two-stream network whose lateral connections into the pose path give zeros."""
    state = graph_checks.published_state("rgbpose_pose_path", torch.float64)
    model = rgbpose_conv3d_pose(
        num_classes=5, layout=get_layout("coco17"), base_channels=4, stage_blocks=(2, 2, 1)
    ).double()
    load_exactly(model, rename(select_pose_path(state).state, PUBLISHED_NAMES["pyskl"]))
    with np.load(graph_checks.GOLDEN / "rgbpose_pose_path.npz") as file:
        expected = torch.from_numpy(file["output"])
    with torch.no_grad():
        got = model.eval()(named_input("posec3d_pose", (2, 17, 8, 28, 28)).double())
    torch.testing.assert_close(got, expected, rtol=0, atol=1e-5 * expected.abs().max().item())


@pytest.mark.parametrize("toolbox", ["pyskl", "mmaction2"])
def test_full_size_checkpoint_is_split_by_name(toolbox: str) -> None:
    """MMAction2's own class has the same 594 entries as PYSKL's."""
    state = graph_checks.published_state("rgbpose_full", device="meta")
    path = select_pose_path(state)
    with torch.device("meta"):
        model = rgbpose_conv3d_pose(num_classes=60, layout=get_layout("coco17"))
    load_exactly(model, rename(path.state, PUBLISHED_NAMES[toolbox]))
    assert len(path.state) + len(path.left_aside) == len(state)
    assert path.narrowed == tuple(
        f"backbone.pose_path.layer{stage}.0.{part}.conv.weight"
        for stage in (2, 3)
        for part in ("conv1", "downsample")
    )
    aside = {name.rsplit(".", 2)[0] if "lateral" in name else name.split(".")[1] for name in path.left_aside}
    assert aside == {
        "rgb_path",
        "fc_rgb",
        "backbone.pose_path.layer1_lateral",
        "backbone.pose_path.layer2_lateral",
        "backbone.rgb_path.layer2_lateral",
        "backbone.rgb_path.layer3_lateral",
    }


def test_full_size_checkpoint_of_the_pose_path_alone_fits() -> None:
    graph_checks.check_fits(  # the same entries
        lambda: rgbpose_conv3d_pose(num_classes=60, layout=get_layout("coco17")),
        PUBLISHED_NAMES["pyskl"],
        "posec3d_slowonly_full",
    )


def test_foreign_checkpoints_are_refused() -> None:
    with pytest.raises(ValueError, match=r"got also backbone\.conv1\.conv\.weight"):
        select_pose_path({"backbone.conv1.conv.weight": torch.zeros(1)})
    with pytest.raises(ValueError, match="got no pose path"):
        select_pose_path({"backbone.rgb_path.conv1.conv.weight": torch.zeros(1)})


def test_any_layout_size_and_kind_of_volume() -> None:
    volume_checks.check_volume_network(rgbpose_conv3d_pose, {"base_channels": 4, "stage_blocks": (1, 1, 1)})
