"""Every detector over features is made by its name, learns, and takes its published checkpoints."""

from __future__ import annotations

from typing import Any

import pytest
import torch

from temporal_detection.detection_loss import DetectionLoss
from temporal_detection.detector import decode
from temporal_detection.nms import suppress
from temporal_detection.zoo import conversion, create_model, list_models, model_options, published_names

SMALL: dict[str, dict[str, Any]] = {
    "actionformer": {"width": 32, "arch": (1, 0, 2), "window": 5},
    "tridet": {"width": 32, "arch": (1, 0, 2), "hidden": 16, "bins": 8},
}


def test_what_there_is() -> None:
    sizes = [f"adatad_{size}" for size in ("base", "huge", "large", "small")]
    assert list_models() == sorted([*SMALL, *sizes, "pointtad", "skeleton_detector"])
    assert list_models("tri*") == ["tridet"] and list_models("adatad*") == sizes
    assert "window" in model_options("actionformer") and "channels" not in model_options("actionformer")
    assert {name: sorted(published_names(name)) for name in SMALL} == {
        "actionformer": ["actionformer", "opentad"], "tridet": ["opentad", "tridet"],
    }  # fmt: skip
    assert all(conversion(name) for name in SMALL)


@pytest.mark.parametrize("name", SMALL)
def test_learns_a_marked_segment(name: str) -> None:
    """Features that say what happens when are found again after a few steps."""
    torch.manual_seed(0)
    model = create_model(name, num_classes=2, channels=4, **SMALL[name])
    loss = DetectionLoss(2, model.strides, normaliser=8)
    optimiser = torch.optim.AdamW(model.parameters(), 6e-3)
    x, valid = torch.zeros(2, 4, 64), torch.ones(2, 64, dtype=torch.bool)
    segments = [torch.tensor([[8.0, 20.0], [30.0, 36.0]]), torch.tensor([[40.0, 60.0]])]
    labels = [torch.tensor([0, 1]), torch.tensor([1])]
    for n, (spans, named) in enumerate(zip(segments, labels, strict=True)):
        for (start, end), label in zip(spans.int().tolist(), named.tolist(), strict=True):
            x[n, label, start : end + 1] = 1
            x[n, 2 + label, start : end + 1] = torch.linspace(-1, 1, end - start + 1)
    first = None
    for _ in range(50):
        losses = loss(model(x, valid), segments, labels)
        optimiser.zero_grad()
        losses.total.backward()
        optimiser.step()
        first = float(losses.total.detach()) if first is None else first
    assert losses.positives > 0 and float(losses.total.detach()) < first / 3
    found = decode(model.eval()(x, valid))
    for n, (spans, named) in enumerate(zip(segments, labels, strict=True)):
        kept = suppress(*found[n])
        for (start, end), label in zip(spans.tolist(), named.tolist(), strict=True):
            best = kept.positions[kept.label == label][0]
            shared = min(best[1], end) - max(best[0], start)
            assert shared / (max(best[1], end) - min(best[0], start)) > 0.5, (best, start, end)


def test_detectors_with_an_encoder_are_made_by_name_too() -> None:
    sizes = {"width": 16, "arch": (1, 0, 1)}
    skeletons = create_model("skeleton_detector", num_classes=2, channels=4, layout="coco17", **sizes)
    assert skeletons.encoder.joints == 17 and skeletons.strides == (2, 4)
    encoder = torch.nn.Module()
    encoder.num_features, encoder.blocks = 384, torch.nn.ModuleList([torch.nn.Identity()])
    encoder.embed = lambda x: (x, (1, 1, 1))
    frames = create_model("adatad_small", num_classes=2, encoder=encoder, **sizes)
    assert frames.detector.in_channels == 384 and len(frames.adapters) == 1
    assert create_model("pointtad", num_classes=2, width=16, points=5).parts == [1024, 832]


@pytest.mark.parametrize(
    ("name", "options", "message"),
    [
        ("actionformr", {}, "unknown model 'actionformr'; nearest: actionformer"),
        ("actionformer", {"num_classes": 0}, "num_classes must be a whole number of at least 1, got 0"),
        ("tridet", {"channels": 1.5}, "channels must be a whole number of at least 1, got 1.5"),
        ("tridet", {"windw": 3}, "tridet has no option 'windw'; did you mean 'window'"),
        ("actionformer", {"form": "mmaction"}, "form must be one of 'original', 'opentad'"),
        ("skeleton_detector", {}, "skeleton_detector needs layout"),
        ("skeleton_detector", {"layout": "coco17", "tokens": "limbs"}, "tokens must be one of 'parts'"),
        ("adatad_small", {"channels": None}, "adatad_small needs encoder"),
        ("adatad_small", {"encoder": torch.nn.Linear(1, 1)}, "adatad_small takes no channels"),
    ],
)
def test_wrong_requests_are_said(name: str, options: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        create_model(name, **({"num_classes": 2, "channels": 4} | options))
