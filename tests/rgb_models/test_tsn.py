"""TSN against MMAction2: `ResNet` with `TSNHead` (golden file: its commit 4d6c934, width 16 for 64)."""

from __future__ import annotations

import torch
from tests.rgb_models import clip_checks
from tests.skeleton_models.named_weights import named_input

from rgb_models.tsn import PUBLISHED_NAMES, Tsn, tsn_r50

RULES = PUBLISHED_NAMES["mmaction2"]


def small(**options) -> Tsn:
    return Tsn(**{"num_classes": 5, "frames": 4, "width": 16, "depths": (2, 1, 1, 1)} | options)


def test_equals_mmaction2() -> None:
    x = named_input("tsn_mmaction2", (2, 3, 4, 37, 45))
    clip_checks.check_golden(small(), RULES, "tsn_mmaction2", x)


def test_published_size() -> None:
    """24.33 M parameters and 102.7 G for 25 frames of 224 pixels: configs/recognition/tsn/metafile.yml."""
    model = clip_checks.check_published(
        lambda: tsn_r50(num_classes=400, frames=25), RULES, "tsn_mmaction2", 24.3
    )
    assert round(sum(p.numel() for p in model.parameters()) / 1e6, 2) == 24.33
    assert round(clip_checks.giga_operations(model, 25, 224), 1) == 102.7


def test_as_any_clip_network() -> None:
    clip_checks.check_clip_network(small(dropout=0.0), 33, 46)


def test_published_number_of_frames() -> None:
    with torch.device("meta"):
        assert tsn_r50(num_classes=2).frames == Tsn.preprocessing.frames == 3


def test_frames_are_averaged_in_any_order_and_then_dropped_out() -> None:
    model = small(dropout=0.9).eval()
    x = torch.rand(2, 3, 4, 32, 32)
    with torch.no_grad():
        torch.testing.assert_close(model(x[:, :, [2, 0, 3, 1]]), model(x))
        features = model.forward_features(x)
        model.fc.weight.fill_(1.0)
        whole = model.forward_head(features)
        model.dropout.train()
        model.frame_dropout.train()
        assert torch.equal(model.forward_features(x), features)
        assert not torch.allclose(model.forward_head(features), whole)
