"""MMN's motion and its modulation by hand, in the paper's way and the released one."""

from __future__ import annotations

import numpy as np
import torch

from skeleton_models.motion_modulation import MotionFeatures, SkeletalModulation, modulate


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
