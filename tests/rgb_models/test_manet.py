"""MANet against its released code.

Golden file: VUT-HFUT/Micro-Action e38d241, `ResNetTSM` (with its three layers that are never called) and
`MANetHead`, width 16 for 64; what it computes for the classes.
"""

from __future__ import annotations

import pytest
import torch
from tests.rgb_models import clip_checks
from tests.skeleton_models import graph_checks
from tests.skeleton_models.named_weights import named_input, named_weights

from rgb_models.manet import PUBLISHED_NAMES, Manet, SqueezeExcitation, manet_r50
from rgb_models.tsm import Tsm
from weights.checkpoint import load_exactly, rename

RULES = PUBLISHED_NAMES["micro-action"]
DEPTHS = (2, 1, 1, 1)


def small(**options) -> Manet:
    return Manet(**{"num_classes": 5, "frames": 4, "width": 16, "depths": DEPTHS} | options)


def test_equals_the_released_code() -> None:
    x = named_input("manet_released", (2, 3, 4, 37, 45))
    clip_checks.check_golden(small(), RULES, "manet_released", x)


def test_full_size_checkpoint_fits() -> None:
    """No publication counts MANet's parameters: these are TSM's, and C^2 / 2 for every block that sees C."""
    model = clip_checks.check_published(lambda: manet_r50(num_classes=52), RULES, "manet_released", 31.6)
    tsm = 24_327_632 - 348 * 2049
    seen = [64, *[256] * 3, *[512] * 4, *[1024] * 6, *[2048] * 2]
    parameters = sum(p.numel() for p in model.parameters())
    assert parameters == tsm + sum(channels**2 // 2 for channels in seen) == 31_579_252
    assert round(clip_checks.giga_operations(model, 8, 224), 2) == 32.94


def test_what_the_released_checkpoint_holds_beside() -> None:
    """Three idle layers a block, and the second head; anything else unknown is still refused."""
    path = str(clip_checks._GOLDEN / "manet_released")
    state = graph_checks.published_state(path, size="full_", device="meta")
    dropped = [name for name in state if not rename({name: state[name]}, RULES)]
    assert len(dropped) == 16 * 3 + 4
    assert {name for name in dropped if "action_p2_" not in name} == {
        f"cls_head.fc_emb{layer}.{what}" for layer in ("", "_t") for what in ("weight", "bias")
    }
    with torch.device("meta"):
        model = manet_r50(num_classes=52)
    with pytest.raises(ValueError, match=r"left over \(1\): cls_head\.fc_other\.weight"):
        load_exactly(model, rename(state | {"cls_head.fc_other.weight": torch.zeros(1)}, RULES))


def test_as_any_clip_network() -> None:
    clip_checks.check_clip_network(small(dropout=0.0), 33, 46)


def test_without_excitation_it_is_tsm() -> None:
    model, tsm = small(excitation=False).eval(), Tsm(num_classes=5, frames=4, width=16, depths=DEPTHS).eval()
    weights = named_weights(tsm.state_dict())
    for network in (model, tsm):
        network.load_state_dict(weights)
    x = torch.rand(2, 3, 4, 32, 32)
    with torch.no_grad():
        assert torch.equal(model(x), tsm(x))


def test_excitation_by_the_formula() -> None:
    module = SqueezeExcitation(8)
    x = torch.rand(3, 8, 4, 5).to(memory_format=torch.channels_last)
    down, up = module.reduce.weight, module.expand.weight
    assert down.shape == (2, 8) and up.shape == (8, 2)
    gate = torch.sigmoid((x.mean((2, 3)) @ down.T).clamp(min=0) @ up.T)
    out = module(x)
    torch.testing.assert_close(out, x * gate[:, :, None, None])
    assert out.is_contiguous(memory_format=torch.channels_last)


def test_starts_from_pictures_with_its_own_gates() -> None:
    model = small()
    plain = Tsm(num_classes=3, frames=4, width=16, depths=DEPTHS)
    gate = model.stages[0].get_parameter("0.before.0.reduce.weight").clone()
    names = {}  # torchvision's, out of ours
    for name, tensor in named_weights(plain.state_dict()).items():
        parts = name.split(".")
        if parts[0] == "stages":
            parts[:2] = [f"layer{int(parts[1]) + 1}"]
        if "downsample" in parts:
            parts[3] = {"conv": "0", "bn": "1"}[parts[3]]
        elif parts[-2] == "bn":
            parts[-3:-1] = [parts[-3].replace("conv", "bn")]
        elif parts[-2] == "conv":
            del parts[-2]
        names[".".join(parts)] = tensor
    model.load_pictures(names)
    assert torch.equal(model.stages[0].get_parameter("0.before.0.reduce.weight"), gate)
    assert torch.equal(model.stages[2].get_parameter("0.conv2.conv.weight"), names["layer3.0.conv2.weight"])
