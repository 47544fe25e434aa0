"""MMN against the published code, and where the paper's network differs from it."""

from __future__ import annotations

from functools import partial

import numpy as np
import pytest
import torch
from tests.skeleton_models import graph_checks

from poses.layout import Layout, get_layout
from skeleton_models.mmn import MMN, PUBLISHED_NAMES, MotionFeatures, SkeletalModulation, mmn, modulate


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


def test_the_papers_msm_mixes_joints_and_the_released_one_does_not() -> None:
    motion = torch.zeros(1, 4, 3, 6)
    motion[..., 2] = torch.randn(4, 3)
    for as_released, reached in ((True, {2}), (False, {0, 1, 2, 3, 4, 5})):
        torch.manual_seed(0)
        modulation = SkeletalModulation(4, 2, 6, as_released=as_released).eval()
        still = modulation(torch.zeros(1, 4, 3, 6))[0]
        with torch.no_grad():
            modulation.graph.copy_(torch.rand(6, 6))
        changed = (modulation(motion)[0] - still).abs().amax(dim=(0, 1, 2)) > 1e-6
        assert set(changed.nonzero().flatten().tolist()) == reached


def test_the_papers_msm_sums_over_the_row_of_a_joint() -> None:
    torch.manual_seed(0)
    modulation = SkeletalModulation(4, 2, 3, as_released=False).eval()
    graph = torch.tensor([[0.0, 2.0, 0.0], [1.0, 0.0, 0.0], [0.0, 0.0, 0.0]])
    with torch.no_grad():
        modulation.graph.copy_(graph)
        motion = torch.randn(1, 4, 5, 3)
        mixed = torch.stack((2 * motion[..., 1], motion[..., 0], torch.zeros(1, 4, 5)), dim=-1)
        control = modulation.bn(modulation.linear(mixed.permute(0, 2, 3, 1)).tanh().permute(0, 3, 1, 2))
    torch.testing.assert_close(torch.cat(modulation(motion), dim=1), control)


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


def test_modulate_by_hand() -> None:
    x = torch.tensor(
        [[[[1.0, 3.0], [5.0, 7.0]], [[2.0, 2.0], [2.0, 2.0]]]], requires_grad=True
    )  # (1, 2, 2, 2)
    out = modulate(x, torch.tensor(1.0), torch.tensor(10.0))
    deviation = np.sqrt((9 + 1 + 1 + 9) / 3)
    expected = 10 + 2 * np.array([[-3, -1], [1, 3]]) / deviation
    np.testing.assert_allclose(out[0, 0].detach().numpy(), expected, rtol=1e-6)
    assert (out[0, 1] == 10).all()  # a channel that never changes
    out.square().sum().backward()
    assert torch.isfinite(x.grad).all()


def test_motion_is_the_step_to_the_next_frame_and_the_last_step_again() -> None:
    motion = MotionFeatures(1).eval()
    with torch.no_grad():
        motion.conv.weight.copy_(torch.tensor([0.0, 1.0, 0.0]).view(1, 1, 3, 1))
    x = torch.tensor([0.0, 1.0, 3.0, 6.0]).view(1, 1, 4, 1)
    expected = torch.nn.functional.gelu(torch.tensor([1.0, 2.0, 3.0, 3.0]))
    torch.testing.assert_close(motion(x).flatten(), expected, rtol=1e-4, atol=1e-4)


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
