"""Parts that SkateFormer and MMN share; persons and positions are tested with the two networks."""

from __future__ import annotations

import math

import pytest
import torch

from skeleton_models.person_tokens import DropPath, HalveFrames, Stem, drop_path_rates


def test_drop_path_leaves_out_whole_branches_and_keeps_their_mean() -> None:
    torch.manual_seed(0)
    dropped = DropPath(0.25)(torch.ones(4000, 3))
    assert dropped.unique().tolist() == [0.0, pytest.approx(4 / 3)]
    assert (dropped == dropped[:, :1]).all()
    assert dropped.mean().item() == pytest.approx(1.0, abs=0.03)


def test_drop_path_is_the_identity_in_evaluation() -> None:
    x = torch.randn(5, 2)
    assert DropPath(0.9).eval()(x) is x


def test_drop_path_grows_linearly_over_all_stages() -> None:
    assert drop_path_rates(0.3, (2, 2)) == pytest.approx([0.0, 0.1, 0.2, 0.3])
    assert drop_path_rates(0.3, (1,)) == [0.0]


def test_the_stem_adds_sinusoids_of_the_position_times_the_joints_vectors() -> None:
    stem = Stem(2, 4, 3)
    torch.nn.init.zeros_(stem.project[-1].weight)
    torch.nn.init.zeros_(stem.project[-1].bias)
    position = 0.5
    added = stem(torch.randn(1, 1, 3, 2), torch.tensor([[position]]))[0, 0]  # (V, C)
    angles = (position, position / 100)  # 10000 ** (-2 / 4) is 1 / 100
    when = [wave(angle) for angle in angles for wave in (math.sin, math.cos)]
    torch.testing.assert_close(added, torch.tensor(when) * stem.joints.T)


@pytest.mark.parametrize("padding", ["zeros", "replicate"])
def test_halving_pads_as_told(padding: str) -> None:
    halve = HalveFrames(1, 1, 3, padding=padding).eval()
    with torch.no_grad():
        halve.conv.weight.fill_(1.0)
        halve.conv.bias.zero_()
    x = torch.tensor([1.0, 2.0, 3.0, 4.0]).view(1, 4, 1, 1)
    first = 3.0 if padding == "zeros" else 4.0
    torch.testing.assert_close(halve(x).flatten(), torch.tensor([first, 9.0]), rtol=1e-4, atol=0)
