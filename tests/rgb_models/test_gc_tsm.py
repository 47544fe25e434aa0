"""GC-TSM against the released code, haoyanbin918/Group-Contextualization: `VideoNet` with `nets/GC_TSM.py`.

For the paper's form ECal-S had the first of the two forward passes that its class defines.
"""

from __future__ import annotations

import pytest
import torch
from tests.rgb_models import clip_checks
from tests.skeleton_models.named_weights import named_input, named_weights

from rgb_models.gc_tsm import PUBLISHED_NAMES, GcTsm, gc_tsm_r50
from rgb_models.group_context import Form, GroupContext
from rgb_models.tsm import Tsm

RULES = PUBLISHED_NAMES["gc"]
DEPTHS = (1, 2, 1, 1)


@pytest.mark.parametrize(
    ("form", "parts", "golden"),
    [
        ("paper", 4, "gc_tsm_paper"),
        ("released", 4, "gc_tsm_released"),
        ("released", 5, "gc_tsm_released_five"),
    ],
)
def test_equals_the_released_code(form: Form, parts: int, golden: str) -> None:
    model = GcTsm(num_classes=5, frames=8, width=16, depths=DEPTHS, parts=parts, form=form)
    clip_checks.check_golden(model, RULES, golden, named_input("gc_tsm", (2, 3, 8, 41, 53)))


@pytest.mark.parametrize("form", ["paper", "released"])
def test_published_size(form: Form) -> None:
    """What the released code has and computes, for 174 classes; its checkpoints fit both forms."""
    model = clip_checks.check_published(
        lambda: gc_tsm_r50(num_classes=174, form=form), RULES, f"gc_tsm_{form}", 25.1
    )
    assert sum(parameter.numel() for parameter in model.parameters()) == 25_129_582
    further = 7 * 2048 * 174 / 1e9  # it classifies each of eight frames, we their mean
    assert clip_checks.giga_multiplications(model, 8, 224) + further == pytest.approx(33.125792512, rel=1e-12)


def test_as_any_clip_network() -> None:
    clip_checks.check_clip_network(GcTsm(num_classes=4, frames=3, width=8, depths=DEPTHS), 33, 46)


def test_released_form_never_trains_a_norm() -> None:
    model = GcTsm(num_classes=4, frames=2, width=8, depths=(1,), form="released")
    model(torch.rand(2, 3, 2, 32, 32)).square().sum().backward()
    frozen = {name for name, parameter in model.named_parameters() if parameter.grad is None}
    assert frozen == {f"stages.0.0.inside.spatial.norm.{what}" for what in ("weight", "bias")}
    norm = model.get_submodule("stages.0.0.inside.spatial.norm")
    assert norm.get_buffer("num_batches_tracked") == 0


def test_open_gates_leave_tsm() -> None:
    """With gates of one, by norms that give 30 for everything, the network is TSM."""
    model = GcTsm(num_classes=5, frames=4, width=8, depths=DEPTHS)
    model.load_state_dict(named_weights(model.state_dict()))
    for name, parameter in model.named_parameters():
        if ".inside." in name and ".norm." in name:
            torch.nn.init.constant_(parameter, 30.0 if name.endswith("bias") else 0.0)
    plain = Tsm(num_classes=5, frames=4, width=8, depths=DEPTHS)
    plain.load_state_dict({k: v for k, v in model.state_dict().items() if ".inside." not in k})
    x = torch.rand(1, 3, 4, 40, 32)
    with torch.no_grad():
        torch.testing.assert_close(model.eval()(x), plain.eval()(x))


def test_starts_from_a_network_over_pictures() -> None:
    model = GcTsm(num_classes=5, frames=2, width=8, depths=(1,))
    gate = model.get_submodule("stages.0.0.inside.local.mix").get_parameter("weight").clone()
    pictures = {"fc.weight": torch.rand(1000, 32), "fc.bias": torch.rand(1000)}
    for name, tensor in model.state_dict().items():
        if ".inside." not in name and not name.startswith("fc."):
            name = name.replace("stages.0.", "layer1.").replace("downsample.conv", "downsample.0")
            name = name.replace("downsample.bn", "downsample.1")
            for number in "123":
                name = name.replace(f"conv{number}.bn", f"bn{number}")
                name = name.replace(f"conv{number}.conv", f"conv{number}")
            pictures[name] = tensor
    pictures = named_weights(pictures)
    model.load_pictures(pictures)
    conv2 = model.get_submodule("stages.0.0.conv2.conv").get_parameter("weight")
    torch.testing.assert_close(conv2, pictures["layer1.0.conv2.weight"])
    kept = model.get_submodule("stages.0.0.inside.local.mix").get_parameter("weight")
    torch.testing.assert_close(kept, gate)


def test_each_gate_sees_its_context() -> None:
    """A change of one pixel of one frame changes other outputs of the same group only where it may."""
    context = GroupContext(8, 5).double().eval()
    context.load_state_dict(named_weights(context.state_dict()))
    x = torch.rand(5, 8, 9, 9, dtype=torch.float64)  # one clip of five frames
    changed = x.clone()
    changed[2, :, 4, 4] += 1.0
    with torch.no_grad():
        ratio = context(changed) / changed / (context(x) / x) - 1  # (T, C, H, W), 0 where gates stay
    moved = ratio.abs() > 1e-9
    local, temporal, spatial, whole = moved.unflatten(1, (4, 2)).any(2).unbind(1)  # each (T, H, W)
    assert whole.all()
    assert temporal.flatten(1).all(1).tolist() == temporal.flatten(1).any(1).tolist() == [0, 1, 1, 1, 0]
    assert local.flatten(1).any(1).tolist() == [0, 1, 1, 1, 0]
    assert local[1].sum() == 1
    assert local[1, 4, 4]
    assert spatial.flatten(1).any(1).all()
    taps = torch.zeros(9, 9)
    taps[2:7:2, 2:7:2] = 1  # dilation 2
    assert torch.equal(spatial[0], taps.bool())


def test_channels_that_lie_last_stay_last() -> None:
    x = torch.rand(6, 10, 5, 5).contiguous(memory_format=torch.channels_last)
    for parts in (4, 5):
        assert GroupContext(10, 3, parts)(x).is_contiguous(memory_format=torch.channels_last)


def test_bad_arguments() -> None:
    for parts in (3, 9):
        with pytest.raises(ValueError, match=rf"parts must be 4 .* to 8 \(channels\), got {parts}"):
            GcTsm(num_classes=2, frames=2, width=8, depths=(1,), parts=parts)
    model = GcTsm(num_classes=2, frames=2, width=8, depths=(1,)).train()
    with pytest.raises(ValueError, match="train on batches of two clips or more, got one"):
        model(torch.rand(1, 3, 2, 32, 32))
