"""TSM against both originals.

Golden files: MMAction2 4d6c934, `ResNetTSM` with `TSMHead`, width 16 for 64; mit-han-lab's
temporal-shift-module 1f6a834, `TSN` with `is_shift`, around a ResNet of torchvision's names and width 16.
"""

from __future__ import annotations

import pytest
import torch
from tests.rgb_models import clip_checks
from tests.rgb_models.test_resnet2d import published
from tests.skeleton_models.named_weights import named_input
from torch import Tensor

from rgb_models.temporal_shift import TemporalShift
from rgb_models.tsm import PUBLISHED_NAMES, Tsm, tsm_r50
from weights.checkpoint import load_exactly, rename

GOLDEN = {"mmaction2": "tsm_mmaction2", "tsm": "tsm_original"}


def small(**options) -> Tsm:
    return Tsm(**{"num_classes": 5, "frames": 4, "width": 16, "depths": (2, 1, 1, 1)} | options)


@pytest.mark.parametrize("toolbox", GOLDEN)
def test_equals_the_original(toolbox: str) -> None:
    x = named_input(GOLDEN[toolbox], (2, 3, 4, 37, 45))
    clip_checks.check_golden(small(), PUBLISHED_NAMES[toolbox], GOLDEN[toolbox], x)


@pytest.mark.parametrize("toolbox", GOLDEN)
def test_full_size_checkpoint_fits(toolbox: str) -> None:
    clip_checks.check_published(
        lambda: tsm_r50(num_classes=400), PUBLISHED_NAMES[toolbox], GOLDEN[toolbox], 24.3
    )


def test_published_size() -> None:
    """32.88 G and, for 174 classes, 23.87 M parameters: configs/recognition/tsm/metafile.yml.

    It gives both to networks of 400 classes too, which have 24.33 M; 23.8646 M was rounded twice.
    """
    with torch.device("meta"):
        model = tsm_r50(num_classes=400).eval()
        assert sum(p.numel() for p in tsm_r50(num_classes=174).parameters()) == 23_864_558
    assert round(clip_checks.giga_operations(model, 8, 224), 2) == 32.88


def test_starts_from_pictures_wholly() -> None:
    """An image network's checkpoint is one of ours but for the classes."""
    with torch.device("meta"):
        model = tsm_r50(num_classes=1000, frames=16)
    load_exactly(model, rename(published(), PUBLISHED_NAMES["torchvision"]))


def test_as_any_clip_network() -> None:
    clip_checks.check_clip_network(small(dropout=0.0), 33, 46)


def test_shift_by_hand() -> None:
    """Eight channels, three frames, two clips: channel 0 from the next frame, 1 from the last, six stay."""
    x = torch.arange(1.0, 49.0).reshape(6, 8, 1, 1)  # frame n has 8 n + 1 .. 8 n + 8
    shifted = TemporalShift(3)(x)[:, :, 0, 0]
    assert shifted[:, 0].tolist() == [9, 17, 0, 33, 41, 0]
    assert shifted[:, 1].tolist() == [0, 2, 10, 0, 26, 34]
    assert torch.equal(shifted[:, 2:], x[:, 2:, 0, 0])
    quarter = TemporalShift(3, shift_div=4)(x)[:, :, 0, 0]
    assert quarter[:, :4].tolist()[1] == [17, 18, 3, 4]
    one = TemporalShift(1)(x)[:, :, 0, 0]
    assert one[:, :2].count_nonzero() == 0 and torch.equal(one[:, 2:], x[:, 2:, 0, 0])
    few = x[:, :7]  # 7 // 8 channels: none
    assert torch.equal(TemporalShift(3)(few), few)


def test_shift_goes_both_ways() -> None:
    assert TemporalShift(2, 2)(torch.ones(2, 4, 1, 1)).flatten(1).tolist() == [[1, 1, 0, 0], [0, 0, 1, 1]]
    with pytest.raises(ValueError, match="shift_div must be at least 2, for channels shift both ways, got 1"):
        small(shift_div=1)


@pytest.mark.parametrize("order", [torch.contiguous_format, torch.channels_last])
def test_shift_keeps_memory_order_and_has_its_gradients(order: torch.memory_format) -> None:
    shift = TemporalShift(3)
    x = torch.rand(6, 8, 2, 2, dtype=torch.float64).to(memory_format=order).requires_grad_()
    out = shift(x)
    assert out.is_contiguous(memory_format=order)
    (gradient,) = torch.autograd.grad(out.sum(), x)
    assert gradient[3:, :3, 0, 0].tolist() == [[0, 1, 1], [1, 1, 1], [1, 0, 1]]
    assert torch.autograd.gradcheck(shift, (x,))
    assert torch.autograd.gradgradcheck(shift, (x,))


def test_every_block_shifts_its_branch() -> None:
    seen: list[Tensor] = []
    model = small().eval()
    shifts = [module for module in model.modules() if isinstance(module, TemporalShift)]
    assert len(shifts) == 5
    for shift in shifts:
        shift.register_forward_hook(lambda _, inputs, output: seen.append(inputs[0] - output))
    with torch.no_grad():
        x = torch.rand(2, 3, 4, 32, 32)
        forward, backward = model(x), model(x.flip(2))
    assert all(difference.any() for difference in seen)
    assert not torch.allclose(forward, backward)  # frames are no longer a set


def test_every_frame_has_its_own_dropout() -> None:
    model = small(dropout=0.5)
    with torch.no_grad():
        zeros = model.frame_features(torch.rand(1, 3, 4, 32, 32)) == 0
    assert not torch.equal(zeros[:, 0], zeros[:, 1])
