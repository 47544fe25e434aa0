"""UniFormer against the authors' `Uniformer`, and MMAction2's `UniFormer` with `I3DHead`.

Sense-X/UniFormer's video_classification at commit 52a0415, open-mmlab/mmaction2 at 4d6c934.
"""

from __future__ import annotations

from functools import partial

import pytest
import torch
from tests.rgb_models import clip_checks, transformer_checks
from tests.skeleton_models.named_weights import named_input, named_weights

from rgb_models.uniformer import PUBLISHED_NAMES, UniFormer, depthwise, uniformer_small
from weights.checkpoint import load_exactly, rename

GOLDEN = {"uniformer": "uniformer_original", "mmaction2": "uniformer_mmaction2"}
OPTIONS: dict[str, dict[str, float]] = {"uniformer": {}, "mmaction2": {"norm_eps": 1e-5}}
small = partial(UniFormer, num_classes=5, channels=(8, 8, 16, 32), depths=(1, 2, 2, 1), head_channels=8)


@pytest.mark.parametrize("toolbox", GOLDEN)
def test_equals_the_originals(toolbox: str) -> None:
    """Seven frames become four; rows and columns that fill no patch are cut off."""
    model = small(frames=7, **OPTIONS[toolbox])
    x = named_input("uniformer", (2, 3, 7, 75, 70))
    clip_checks.check_golden(model, PUBLISHED_NAMES[toolbox], GOLDEN[toolbox], x)
    transformer_checks.check_output(model, x, transformer_checks.stored(GOLDEN[toolbox], "output"))


@pytest.mark.parametrize("toolbox", GOLDEN)
def test_published_size(toolbox: str) -> None:
    """21.4 M parameters and 41.8 G: the paper, and configs/recognition/uniformer/metafile.yml."""
    model = clip_checks.check_published(
        lambda: uniformer_small(num_classes=400), PUBLISHED_NAMES[toolbox], GOLDEN[toolbox], 21.4
    )
    assert round(transformer_checks.giga_operations(model), 1) == 41.8


@pytest.mark.parametrize(("toolbox", "classifier"), [("uniformer", "head"), ("mmaction2", "cls_head.fc_cls")])
def test_inflation_equals_the_originals(toolbox: str, classifier: str) -> None:
    """The authors spread a kernel over the frames, MMAction2 puts it on the middle one."""
    model = small(frames=7, **OPTIONS[toolbox]).double()
    named = named_weights({f"{classifier}.{name}": tensor for name, tensor in model.fc.state_dict().items()})
    load_exactly(model, model.state_dict() | rename(named, PUBLISHED_NAMES[toolbox]))
    model.load_pictures(transformer_checks.pictures(GOLDEN[toolbox]), centre=toolbox == "mmaction2")
    expected = transformer_checks.stored(GOLDEN[toolbox], "inflated")
    transformer_checks.check_output(model, named_input("uniformer", (2, 3, 7, 75, 70)), expected)


def test_pictures_must_fit() -> None:
    pictures = transformer_checks.pictures("uniformer_original")
    del pictures["blocks2.1.conv1.weight"]
    with pytest.raises(ValueError, match=r"missing \(1\): stages\.1\.blocks\.1\.conv1\.weight"):
        small().load_pictures(pictures)


def test_as_any_clip_network() -> None:
    clip_checks.check_clip_network(small(frames=5), 37, 32)


@pytest.mark.parametrize("frames", [1, 2, 9])
def test_any_number_of_frames(frames: int) -> None:
    model = small(frames=frames).eval()
    with torch.no_grad():
        assert model(torch.rand(1, 3, frames, 32, 65)).isfinite().all()


def test_paths_are_dropped_in_training() -> None:
    model = small(frames=2, drop_path=0.5)
    for module in model.modules():
        if isinstance(module, torch.nn.BatchNorm3d):
            module.momentum = 0.0
    transformer_checks.check_paths_dropped(model)


@pytest.mark.parametrize(
    ("option", "value", "message"),
    [
        ("depths", (2, 2), "channels and depths must be of four stages, got 4 and 2"),
        ("head_channels", 6, r"head_channels must divide the channels \[16, 32\], got 6"),
        ("drop_path", -0.1, "drop_path must be at least 0 and below 1, got -0.1"),
    ],
)
def test_options_out_of_range(option: str, value: object, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        small(**{option: value})


def test_frames_too_small() -> None:
    with pytest.raises(ValueError, match=r"UniFormer: frames need 32 pixels a side or more, got \(31, 40\)"):
        small(frames=2)(torch.rand(1, 3, 2, 31, 40))


@pytest.mark.parametrize(("kernel", "frames"), [(5, 2), (5, 4), (3, 2)])
def test_gradient_of_depthwise_kernels_in_bfloat16(kernel: int, frames: int) -> None:
    """Fewer frames than the kernel spans, where PyTorch 2.13's own conv3d returns unwritten memory."""
    torch.manual_seed(0)
    layer, x = depthwise(16, kernel), torch.randn(2, frames, 8, 8, 16)
    layer(x).square().sum().backward()
    exact = layer.weight.grad
    layer.weight.grad = None
    with torch.autocast("cpu", torch.bfloat16):
        out = layer(x)
    out.float().square().sum().backward()
    assert exact is not None and layer.weight.grad is not None
    assert (layer.weight.grad - exact).norm() / exact.norm() < 0.02
