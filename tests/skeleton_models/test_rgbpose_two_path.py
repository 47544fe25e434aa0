"""RGBPose-Conv3D with both paths, against MMAction2.

`golden/rgbpose_two_path.npz` was made by `RGBPoseConv3D` and the linear layers of `RGBPoseHead` of mmaction2,
commit 4d6c93474730cad2f25e51109adcf96824efc7a3, base channels 8 and 4, stages (1, 1, 1, 1) and (2, 2, 1).
"""

from __future__ import annotations

import numpy as np
import pytest
import torch
from tests.skeleton_models import graph_checks
from tests.skeleton_models.named_weights import named_input
from torch.utils.flop_counter import FlopCounterMode

from poses.layout import get_layout
from skeleton_models.rgbpose_merge import merge_paths
from skeleton_models.rgbpose_two_path import PUBLISHED_NAMES, RgbPoseConv3d, rgbpose_conv3d
from weights.checkpoint import load_exactly, rename

COCO = get_layout("coco17")
BACKBONE_PARAMETERS, BACKBONE_GMACS = 35_994_208, 58.005061632
NARROW = {"base_channels": (8, 4), "rgb_blocks": (1, 1, 1, 1), "pose_blocks": (2, 2, 1)}
FRAMES, VOLUMES = (2, 3, 2, 64, 64), (2, 17, 8, 16, 16)


@pytest.fixture
def narrow() -> RgbPoseConv3d:
    model = rgbpose_conv3d(num_classes=5, layout=COCO, **NARROW)
    state = graph_checks.published_state("rgbpose_pose_path")  # the same narrow network's names and shapes
    load_exactly(model, rename(state, PUBLISHED_NAMES["mmaction2"]))
    return model


def batch() -> tuple[torch.Tensor, torch.Tensor]:
    return named_input("two_path_rgb", FRAMES), named_input("two_path_pose", VOLUMES)


def test_equals_mmaction2(narrow: RgbPoseConv3d) -> None:
    with np.load(graph_checks.GOLDEN / "rgbpose_two_path.npz") as file:
        logits, features = (torch.from_numpy(file[name]) for name in ("logits", "features"))
    model = narrow.double().eval()
    state = graph_checks.published_state("rgbpose_pose_path", torch.float64)
    load_exactly(model, rename(state, PUBLISHED_NAMES["pyskl"]))
    with torch.no_grad():
        got = model.forward_features(*(x.double() for x in batch()))
        heads = torch.stack(model.forward_heads(got))
        torch.testing.assert_close(got, features, rtol=0, atol=1e-5)
        torch.testing.assert_close(heads, logits, rtol=0, atol=1e-5)
        mean = heads.softmax(-1).mean(0)  # average_clips="prob", both paths 1:1
        torch.testing.assert_close(
            model(*(x.double() for x in batch())).softmax(-1), mean.float(), rtol=0, atol=1e-5
        )


@pytest.mark.parametrize("toolbox", sorted(PUBLISHED_NAMES))
def test_published_checkpoint_fits_as_a_whole(toolbox: str) -> None:
    with torch.device("meta"):
        model = rgbpose_conv3d(num_classes=60, layout=COCO)
    state = graph_checks.published_state("rgbpose_full", device="meta")
    assert len(state) == 594
    load_exactly(model, rename(state, PUBLISHED_NAMES[toolbox]))


def test_size_of_the_published_network() -> None:
    """Multiply-adds as counted on the original in the same way."""
    with torch.device("meta"):
        model = rgbpose_conv3d(num_classes=60, layout=COCO).eval()
        frames, volumes = torch.zeros(1, 3, 8, 224, 224), torch.zeros(1, 17, 32, 56, 56)
    parameters = sum(p.numel() for p in model.parameters())
    heads = 60 * (2048 + 512 + 2)
    assert parameters - heads == BACKBONE_PARAMETERS
    with FlopCounterMode(display=False) as counter, torch.no_grad():
        features = model.forward_features(frames, volumes)
    assert features.shape == (1, 2560)
    assert counter.get_total_flops() / 2e9 == pytest.approx(BACKBONE_GMACS, rel=1e-6)


def test_each_path_hears_the_other(narrow: RgbPoseConv3d) -> None:
    model = narrow.eval()
    frames, volumes = batch()
    with torch.no_grad():
        both = model.forward_features(frames, volumes)
        blind = model.forward_features(torch.zeros_like(frames), volumes)
        still = model.forward_features(frames, torch.zeros_like(volumes))
    pose = slice(model.rgb_features, None)
    assert (both[:, pose] - blind[:, pose]).abs().max() > 1e-3
    assert (both[:, : model.rgb_features] - still[:, : model.rgb_features]).abs().max() > 1e-3


def test_bytes_of_heatmaps_are_the_same_as_floats(narrow: RgbPoseConv3d) -> None:
    model = narrow.eval()
    frames, _ = batch()
    volumes = (torch.arange(np.prod(VOLUMES)).reshape(VOLUMES) % 256).to(torch.uint8)
    with torch.no_grad():
        a, b = model(frames, volumes), model(frames, volumes.float() / 255)
    torch.testing.assert_close(a, b, rtol=0, atol=1e-5)


def test_both_heads_and_both_ways_learn(narrow: RgbPoseConv3d) -> None:
    narrow.reset_classifier(3)
    features = narrow.forward_features(*batch())
    loss = narrow.loss(features, torch.tensor([0, 2]))
    assert loss.item() == pytest.approx(2 * np.log(3), abs=0.3)  # two heads that know nothing
    loss.backward()
    assert all(p.grad is not None and p.grad.isfinite().all() for p in narrow.parameters())
    assert narrow.to_pose[0].conv.weight.grad.abs().max() > 0
    assert narrow.to_rgb[1].conv.weight.grad.abs().max() > 0
    soft = torch.tensor([[1.0, 0, 0], [0, 0, 1.0]])
    narrow.eval()
    torch.testing.assert_close(
        narrow.loss(features.detach(), soft), narrow.loss(features.detach(), torch.tensor([0, 2]))
    )


def test_paths_trained_alone_begin_the_common_one() -> None:
    """Lateral inputs count for nothing at first, so each path gives what it gave alone."""
    torch.manual_seed(0)
    model = rgbpose_conv3d(num_classes=5, layout=COCO, **NARROW).eval()
    published = graph_checks.published_state("rgbpose_pose_path")
    pose = dict(published)
    rgb = {
        name.replace("rgb_path.", "").replace("fc_rgb", "fc_cls"): tensor
        for name, tensor in published.items()
        if ("rgb_path." in name and "lateral" not in name) or "fc_rgb" in name
    }
    for name in [name for name in rgb if name.startswith(("backbone.layer3.0.", "backbone.layer4.0."))]:
        if name.endswith((".conv1.conv.weight", ".downsample.conv.weight")):
            rgb[name] = rgb[name][:, : rgb[name].shape[1] * 4 // 5]
    model.load_state_dict(merge_paths(model, rgb, pose))
    frames, volumes = batch()
    with torch.no_grad():
        both = model.forward_features(frames, volumes)
        still = model.forward_features(frames, torch.zeros_like(volumes))
    torch.testing.assert_close(both[:, : model.rgb_features], still[:, : model.rgb_features])
    with pytest.raises(ValueError, match=r"expected the rgb path's entries, got 'backbone\.layer9\.x'"):
        merge_paths(model, {"backbone.layer9.x": torch.zeros(1)}, pose)
    with pytest.raises(ValueError, match=r"expected shape \(8, 3, 1, 7, 7\), got \(8, 4, 1, 7, 7\)"):
        merge_paths(model, {"backbone.conv1.conv.weight": torch.zeros(8, 4, 1, 7, 7)}, pose)


def test_inputs_that_do_not_belong_together_are_refused(narrow: RgbPoseConv3d) -> None:
    frames, volumes = batch()
    for a, b in ((frames, volumes[:, :, :4]), (frames, volumes[..., :8]), (frames, volumes[:, :3])):
        with pytest.raises(ValueError, match=r"volumes \(N, 17, 4 T, H / 4, W / 4\), got"):
            narrow(a, b)
