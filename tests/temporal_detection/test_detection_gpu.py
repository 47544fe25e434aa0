"""Detectors on a GPU equal those on the processor, and train there in half precision."""

from __future__ import annotations

import pytest
import torch
from tests.skeleton_models.named_weights import named_input, named_weights
from torch import Tensor

from temporal_detection.adatad import AdaTAD
from temporal_detection.detection_loss import DetectionLoss
from temporal_detection.detector import Detector
from temporal_detection.pointtad import PointTAD
from temporal_detection.set_loss import SetLoss
from temporal_detection.skeleton_detector import skeleton_detector

pytestmark = [
    pytest.mark.gpu,
    pytest.mark.skipif(not torch.cuda.is_available(), reason="torch finds no CUDA device here"),
]
DEVICE = "cuda"
SEGMENTS = [torch.tensor([[2.0, 9.0], [4.0, 6.5]]), torch.tensor([[1.0, 15.0]])]
LABELS = [torch.tensor([0, 2]), torch.tensor([1])]


@pytest.fixture(autouse=True)
def exact_products():
    """Without the shortened products of TensorFloat-32, which differ in the third digit."""
    before = torch.backends.cuda.matmul.allow_tf32, torch.backends.cudnn.allow_tf32
    torch.backends.cuda.matmul.allow_tf32 = torch.backends.cudnn.allow_tf32 = False
    yield
    torch.backends.cuda.matmul.allow_tf32, torch.backends.cudnn.allow_tf32 = before


def adatad() -> Detector:
    pytest.importorskip("transformers")
    from rgb_models.videomae import VideoMAE

    encoder = VideoMAE(num_classes=1, frames=4, width=48, depth=3, heads=3)
    return AdaTAD(encoder=encoder, num_classes=3, width=16, arch=(1, 0, 2), chunk_frames=4)


def skeletons() -> Detector:
    sizes = {"token_width": 16, "width": 24, "arch": (1, 0, 2), "window": 5}
    return skeleton_detector(num_classes=3, channels=9, layout="coco17", group_of=(0, 0, 1), **sizes)


def queries() -> Detector:
    return PointTAD(3, 10, width=16, queries=5, points=7, feed_forward=32, heads=2)


CASES = {
    "adatad": (adatad, (2, 3, 16, 32, 32)),
    "skeleton_detector": (skeletons, (2, 2, 16, 17, 9)),
    "pointtad": (queries, (2, 10, 16)),
}


def fill(model: Detector) -> Detector:
    model.load_state_dict(named_weights(model.state_dict()))
    return model


def inputs(name: str) -> tuple[Tensor, Tensor]:
    return named_input(name, CASES[name][1]), torch.arange(16)[None] < torch.tensor([[16], [13]])


@pytest.mark.parametrize("name", CASES)
def test_outputs_and_gradients_equal_those_of_the_processor(name: str) -> None:
    results = []
    for device in ("cpu", DEVICE):
        model = fill(CASES[name][0]()).eval().to(device)
        output = model(*(tensor.to(device) for tensor in inputs(name)))
        (output.logits.square().sum() + output.offsets.square().sum()).backward()
        gradients = [p.grad for p in model.parameters() if p.grad is not None]
        results.append([output.logits, output.offsets, output.position, *gradients])
    for ours, expected in zip(results[1], results[0], strict=True):
        scale = expected.abs().max().item()
        torch.testing.assert_close(ours.cpu(), expected, rtol=0, atol=2e-3 * scale + 1e-6)


@pytest.mark.parametrize("name", CASES)
def test_trains_in_half_precision(name: str) -> None:
    torch.manual_seed(0)
    model = CASES[name][0]().train().to(DEVICE)
    points = DetectionLoss(3, model.strides, group_of=(0, 0, 1), normaliser=4, momentum=1.0)
    loss_of = (SetLoss(3) if name == "pointtad" else points).to(DEVICE)
    optimizer = torch.optim.AdamW([p for p in model.parameters() if p.requires_grad], lr=3e-3)
    x, valid = (tensor.to(DEVICE) for tensor in inputs(name))
    totals = []
    for _ in range(20):
        with torch.autocast(DEVICE, torch.bfloat16):
            output = model(x, valid)
        losses = loss_of(output, [s.to(DEVICE) for s in SEGMENTS], [one.to(DEVICE) for one in LABELS])
        optimizer.zero_grad()
        losses.total.backward()
        optimizer.step()
        totals.append(losses.total.item())
    assert all(p.grad is None or p.grad.isfinite().all() for p in model.parameters())
    assert min(totals[10:]) < totals[0]
