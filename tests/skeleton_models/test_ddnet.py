"""DD-Net against the public PyTorch port, and its features against plain numpy."""

from __future__ import annotations

from functools import partial

import numpy as np
import pytest
import torch
from tests.skeleton_models import graph_checks
from tests.skeleton_models.named_weights import named_input

from poses.layout import get_layout
from skeleton_models.ddnet import PUBLISHED_NAMES, DDNet, Norm, _motion, ddnet


def small(layout: str = "coco17", in_channels: int = 3, norm: Norm = "channels") -> DDNet:
    torch.manual_seed(0)
    layout_ = get_layout(layout)
    return DDNet(num_classes=5, layout=layout_, in_channels=in_channels, filters=8, frames=16, norm=norm)


def test_equals_the_port() -> None:
    jhmdb = get_layout("jhmdb15")
    model = DDNet(num_classes=7, layout=jhmdb, in_channels=2, filters=8, norm="frames")
    x = named_input("ddnet", (3, 1, 32, 15, 2))
    graph_checks.check_golden(model, PUBLISHED_NAMES["original"], "ddnet_original", x)


def test_published_names_load_at_full_size() -> None:
    layout = get_layout("jhmdb15")
    make = partial(DDNet, num_classes=21, layout=layout, in_channels=2, filters=64, norm="frames")
    graph_checks.check_fits(make, PUBLISHED_NAMES["original"], "ddnet_original", "full_")


def test_size_of_the_paper() -> None:
    model = ddnet(num_classes=21, layout=get_layout("jhmdb15"), in_channels=2)
    assert sum(p.numel() for p in model.parameters()) == pytest.approx(1.8e6, rel=0.05)


@pytest.mark.parametrize("channels", [2, 3])
def test_distances_by_hand(channels: int) -> None:
    points = np.zeros((1, 2, 17, channels), np.float32)
    points[..., 0] = np.arange(17)
    points[0, 1] *= 3  # in the second frame all distances are three times as long
    expected = np.array([j - i for i in range(17) for j in range(i + 1, 17)], np.float64)
    expected = np.stack([expected, 3 * expected])
    expected = (expected - expected.mean()) / expected.mean()
    distances = small(in_channels=channels)._distances(torch.from_numpy(points))
    np.testing.assert_allclose(distances[0].numpy(), expected, atol=1e-6)


def test_distances_leave_the_confidence_out() -> None:
    model = DDNet(num_classes=2, layout=get_layout("coco17"), in_channels=3, coordinates=2, filters=8)
    x = named_input("confidence", (1, 8, 17, 3))
    other = x.clone()
    other[..., 2] += 1
    assert torch.equal(model._distances(x), model._distances(other))
    assert not torch.equal(model(x.repeat(2, 1, 1, 1)[:, None]), model(other.repeat(2, 1, 1, 1)[:, None]))


def test_motion_by_hand() -> None:
    pose = torch.tensor([0.0, 1.0, 3.0, 7.0]).reshape(1, 4, 1)  # steps 1, 2, 4 at 1/6, 1/2, 5/6 of the clip
    np.testing.assert_allclose(_motion(pose).flatten().numpy(), [1.0, 1.625, 2.75, 4.0], atol=1e-6)


@pytest.mark.parametrize("norm", ["channels", "frames"])
def test_gradients(norm: Norm) -> None:
    model = small(in_channels=4, norm=norm)
    x = named_input("train", (4, 1, 16, model.joints, 4))
    model(x).logsumexp(1).sum().backward()
    silent = [name for name, p in model.named_parameters() if p.grad is None or not p.grad.abs().sum() > 0]
    assert silent == []


def test_coincident_joints_have_finite_gradients() -> None:
    x = torch.zeros(2, 1, 16, 17, 3, requires_grad=True)
    small()(x).sum().backward()
    assert x.grad is not None and torch.isfinite(x.grad).all()


@pytest.mark.parametrize("frames", [8, 9, 31, 64])
def test_any_number_of_frames(frames: int) -> None:
    assert small().eval()(named_input("frames", (1, 1, frames, 17, 3))).shape == (1, 5)


def test_input_of_another_size_is_refused() -> None:
    with pytest.raises(ValueError, match=r"T = 16, V = 17, C = 3, got \(1, 1, 15, 17, 3\)"):
        small(norm="frames")(torch.zeros(1, 1, 15, 17, 3))
    with pytest.raises(ValueError, match=r"T = 8 or more"):
        small()(torch.zeros(1, 1, 7, 17, 3))


def test_running_statistics_count_steps() -> None:
    model = small()
    model(named_input("steps", (4, 1, 16, 17, 3)))
    assert {int(b) for name, b in model.named_buffers() if name.endswith("num_batches_tracked")} == {1}
