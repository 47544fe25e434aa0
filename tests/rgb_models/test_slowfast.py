"""SlowFast-R50 against MMAction2: `ResNet3dSlowFast` with `SlowFastHead`, in its settings 4x16 and 8x8."""

from __future__ import annotations

import pytest
import torch
from tests.rgb_models import clip_checks
from tests.skeleton_models.named_weights import named_input

from rgb_models.slowfast import PUBLISHED_NAMES, Sampling, SlowFast, slowfast_r50

RULES = PUBLISHED_NAMES["mmaction2"]


def small(sampling: Sampling = "4x16", num_classes: int = 5, frames: int = 24) -> SlowFast:
    return SlowFast(
        num_classes=num_classes, frames=frames, sampling=sampling, depths=(1, 2, 1, 1), base_channels=16
    )


@pytest.mark.parametrize("sampling", ["4x16", "8x8"])
def test_equals_mmaction2(sampling: Sampling) -> None:
    x = named_input("slowfast", (2, 3, 24, 33, 47))
    clip_checks.check_golden(small(sampling), RULES, f"slowfast_{sampling}", x)


@pytest.mark.parametrize(("sampling", "millions", "giga"), [("4x16", 34.5, 36.3), ("8x8", 34.6, 66.1)])
def test_published_size(sampling: Sampling, millions: float, giga: float) -> None:
    """Of 32 frames of 256 pixels: configs/recognition/slowfast/metafile.yml."""
    model = clip_checks.check_published(
        lambda: slowfast_r50(num_classes=400, sampling=sampling), RULES, f"slowfast_{sampling}", millions
    )
    assert round(clip_checks.giga_operations(model, 32, 256), 1) == giga


def test_as_any_clip_network() -> None:
    clip_checks.check_clip_network(small(frames=8), 33, 46)


def test_slow_pathway_sees_every_eighth_frame() -> None:
    """Without what the fast pathway sends over, the slow half of the features knows no other frame."""
    model = small().eval()
    for lateral in model.laterals:
        torch.nn.init.zeros_(lateral.get_parameter("conv.weight"))
    x = torch.rand(1, 3, 24, 32, 32)
    other = torch.rand_like(x)
    other[:, :, ::8] = x[:, :, ::8]
    fast = model.fast.num_features
    with torch.no_grad():
        ours, theirs = model.forward_features(x), model.forward_features(other)
    torch.testing.assert_close(ours[:, fast:], theirs[:, fast:])
    assert not torch.allclose(ours[:, :fast], theirs[:, :fast])


def test_bad_arguments() -> None:
    with pytest.raises(ValueError, match="4x16: frames must be a multiple of 8, got 12"):
        slowfast_r50(num_classes=2, frames=12)
    for width in (0, 12):
        with pytest.raises(ValueError, match=f"base_channels must be a multiple of 8, got {width}"):
            SlowFast(num_classes=2, base_channels=width)
    for depths in ((), (1, 0), (1, 1, 1, 1, 1)):
        with pytest.raises(ValueError, match="one to four stages of at least one block, got blocks"):
            SlowFast(num_classes=2, depths=depths)


def test_fewer_stages() -> None:
    model = SlowFast(num_classes=2, frames=8, depths=(1, 1), base_channels=8).eval()
    assert model(torch.rand(1, 3, 8, 32, 32)).shape == (1, 2)
