"""MMN against the published code, and where the paper's network differs from it."""

from __future__ import annotations

from functools import partial

import numpy as np
import pytest
import torch
from tests.skeleton_models import graph_checks

from poses.layout import Layout, get_layout
from skeleton_models.mmn import MMN, PUBLISHED_NAMES, mmn


def _chain(joints: int) -> Layout:
    """The published code names no joints; MMN needs only their number."""
    return Layout(
        name=f"chain{joints}",
        joints=tuple(f"joint_{i}" for i in range(joints)),
        parents=(0, *range(joints - 1)),
        limbs=(),
        mirror=tuple(range(joints)),
    )


def _tiny(layout: Layout, **options: object) -> MMN:
    torch.manual_seed(0)
    options = {"channels": 16, "depths": (1, 1), "heads": 2} | options
    return MMN(num_classes=5, layout=layout, **options)


@pytest.mark.parametrize(("name", "joints", "classes"), [("ma52", 44, 52), ("imigue", 22, 32)])
def test_the_original_with_the_same_weights_gives_the_same_logits(
    name: str, joints: int, classes: int
) -> None:
    model = mmn(num_classes=classes, layout=_chain(joints), in_channels=2, as_released=True)
    rng = np.random.default_rng(0)
    x = torch.as_tensor(rng.uniform(-1, 1, (2, 1, 64, joints, 2)), dtype=torch.float32)
    position = torch.as_tensor(np.sort(rng.uniform(-1, 1, (2, 64)), axis=1), dtype=torch.float32)
    graph_checks.check_golden(model, PUBLISHED_NAMES["mmn"], f"mmn_{name}", x, position=position)


def test_a_published_checkpoint_is_refused_by_the_network_of_the_paper() -> None:
    make = partial(mmn, num_classes=32, layout=_chain(22), in_channels=2)
    with pytest.raises(ValueError, match=r"missing \(24\): scales.0.0.merge_norm"):
        graph_checks.check_fits(make, PUBLISHED_NAMES["mmn"], "mmn_imigue")


def test_modulation_reaches_the_output_other_than_through_the_gate_only_in_the_paper() -> None:
    """With the gate held at 1/2, the released network's output cannot depend on MSM and MTM."""
    for as_released in (True, False):
        model = _tiny(get_layout("coco17"), as_released=as_released).eval()
        for block in (block for scale in model.scales for block in scale):
            torch.nn.init.zeros_(block.gate[3].weight)
        x = torch.randn(1, 1, 8, 17, 3)
        before = model(x)
        for block in (block for scale in model.scales for block in scale):
            torch.nn.init.normal_(block.temporal_modulation.bn.bias)
            torch.nn.init.normal_(block.skeletal_modulation.bn.bias)
        assert torch.equal(model(x), before) == as_released


@pytest.mark.parametrize("as_released", [True, False])
def test_every_parameter_gets_a_gradient(as_released: bool) -> None:
    model = _tiny(get_layout("coco17"), as_released=as_released, drop_path=0.0)
    model.reset_classifier(7)
    model(torch.randn(4, 1, 16, 17, 3)).square().sum().backward()
    without = [name for name, p in model.named_parameters() if p.grad is None or not p.grad.any()]
    assert not without
    assert model.get_classifier().out_features == model.num_classes == 7


def test_wrong_sizes_are_refused() -> None:
    with pytest.raises(ValueError, match="multiple of 8 frames, at least 16, got 8"):
        _tiny(get_layout("coco17"), depths=(1, 1, 1, 1))(torch.randn(1, 1, 8, 17, 3))
    with pytest.raises(ValueError, match="channels 12, heads 2"):
        _tiny(get_layout("coco17"), channels=12)
