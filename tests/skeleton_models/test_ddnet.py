"""DD-Net against the public PyTorch port, and its features against plain numpy."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from tests.skeleton_models.named_weights import named_input, named_weights
from torch import Tensor

from poses.layout import get_layout
from skeleton_models.checkpoint import load_exactly, rename
from skeleton_models.ddnet import PUBLISHED_NAMES, DDNet, Norm, _motion, ddnet

GOLDEN = Path(__file__).parent / "golden"


def published_state(size: str = "") -> tuple[dict[str, Tensor], Tensor]:
    """A state dict with the port's names and shapes (`size` is "" or "full_"), and the stored output."""
    with np.load(GOLDEN / "ddnet_original.npz") as golden:
        state = {
            str(entry): torch.zeros(
                [int(n) for n in str(shape).split(",") if n],
                dtype=torch.long if str(entry).endswith("tracked") else torch.float32,
            )
            for entry, shape in zip(golden[f"{size}names"], golden[f"{size}shapes"], strict=True)
        }
        return named_weights(state), torch.from_numpy(golden["output"])


def small(layout: str = "coco17", in_channels: int = 3, norm: Norm = "channels") -> DDNet:
    torch.manual_seed(0)
    layout_ = get_layout(layout)
    return DDNet(num_classes=5, layout=layout_, in_channels=in_channels, filters=8, frames=16, norm=norm)


def test_equals_the_port() -> None:
    state, expected = published_state()
    jhmdb = get_layout("jhmdb15")
    model = DDNet(num_classes=7, layout=jhmdb, in_channels=2, filters=8, norm="frames").eval()
    load_exactly(model, rename(state, PUBLISHED_NAMES["original"]))
    with torch.no_grad():
        output = model(named_input("ddnet", (3, 1, 32, 15, 2)))
    torch.testing.assert_close(output, expected, rtol=0, atol=1e-5 * float(expected.abs().max()))


def test_published_names_load_at_full_size() -> None:
    state, _ = published_state("full_")
    model = DDNet(num_classes=21, layout=get_layout("jhmdb15"), in_channels=2, filters=64, norm="frames")
    load_exactly(model, rename(state, PUBLISHED_NAMES["original"]))


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
@pytest.mark.parametrize("layout", ["nwucla20", "coco17", "coco_wholebody133/micro44"])
@pytest.mark.parametrize("persons", [1, 2, 3])
def test_every_layout_and_number_of_persons_trains(layout: str, persons: int, norm: Norm) -> None:
    model = small(layout, in_channels=4, norm=norm)
    x = named_input("train", (4, persons, 16, model.joints, 4))
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


def test_absent_persons_are_not_computed() -> None:
    model = small().eval()
    x = named_input("present", (2, 3, 16, 17, 3))
    present = torch.tensor([[True, False, True], [False, True, False]])
    with torch.no_grad():
        output = model(x, present)
        alone = [model(x[:1, [0, 2]]), model(x[1:, [1]])]
        x[~present] = torch.nan
        untouched = model(x, present)
    torch.testing.assert_close(output, torch.cat(alone))
    assert torch.equal(output, untouched)


def test_running_statistics_count_steps() -> None:
    model = small()
    model(named_input("steps", (4, 1, 16, 17, 3)))
    assert {int(b) for name, b in model.named_buffers() if name.endswith("num_batches_tracked")} == {1}


def test_reset_classifier() -> None:
    model = small()
    model.reset_classifier(9)
    assert model(named_input("reset", (2, 1, 16, 17, 3))).shape == (2, 9) and model.num_classes == 9


@pytest.mark.parametrize("norm", ["channels", "frames"])
def test_exports(norm: Norm, tmp_path: Path) -> None:
    onnxruntime = pytest.importorskip("onnxruntime")
    model = small(norm=norm).eval()
    x = named_input("export", (2, 2, 16, 17, 3))
    with torch.no_grad():
        expected = model(x)
        exported = torch.export.export(model, (x,)).module()(x)
        torch.onnx.export(model, (x,), str(tmp_path / "ddnet.onnx"), dynamo=False, opset_version=17)
    session = onnxruntime.InferenceSession(tmp_path / "ddnet.onnx", providers=["CPUExecutionProvider"])
    onnx = torch.from_numpy(session.run(None, {session.get_inputs()[0].name: x.numpy()})[0])
    for output in (exported, onnx):
        torch.testing.assert_close(output, expected, rtol=0, atol=1e-4)
