"""mixup and CutMix: pixels by formula, shares that are the pixels', partners that go round."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from scipy import stats

from rgb_models.frame_augment import DRAWS, Columns, FrameAugment
from rgb_models.frame_mixing import mix_batch, partners

MIXUP = FrameAugment(mixup_alpha=0.8)
CUTMIX = FrameAugment(cutmix_alpha=1.0)
BOTH = FrameAugment(mixup_alpha=0.8, cutmix_alpha=1.0)


def _draws(clips: int, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).random((clips, DRAWS))


def _clips(clips: int) -> torch.Tensor:
    values = np.random.default_rng(9).integers(0, 256, (clips, 2, 16, 20, 3), np.uint8)
    return torch.from_numpy(values)


def test_partners_go_round() -> None:
    assert partners(np.array([0.3, 0.9, 0.1, 0.5])).tolist() == [3, 2, 0, 1]
    for clips in (2, 3, 8, 33):
        partner = partners(_draws(clips)[:, 0])
        assert sorted(partner) == list(range(clips))
        assert (partner != np.arange(clips)).all()
    assert partners(np.array([0.5])).tolist() == [0]


def test_mixup_is_the_weighted_mean() -> None:
    x, draws = _clips(5), _draws(5)
    mixed, partner, share = mix_batch(x, draws, MIXUP)
    weight = torch.from_numpy(share).float().view(-1, 1, 1, 1, 1)
    assert torch.allclose(mixed, weight * x + (1 - weight) * x[partner], atol=1e-3)
    np.testing.assert_allclose(share, stats.beta.ppf(draws[:, Columns.MIXING][:, 2], 0.8, 0.8))


def test_cutmix_shows_the_partner_in_a_rectangle_and_counts_its_pixels() -> None:
    x, draws = _clips(6), _draws(6)
    mixed, partner, share = mix_batch(x, draws, CUTMIX)
    own, other = (mixed == x.float()).all(-1), (mixed == x[partner].float()).all(-1)
    assert (own | other).all()
    assert torch.equal(own[:, 0], own[:, 1])
    np.testing.assert_allclose(share, own[:, 0].float().mean((1, 2)).numpy(), atol=1e-6)
    for clip in range(6):
        rows = (~own[clip, 0]).any(1).nonzero()
        columns = (~own[clip, 0]).any(0).nonzero()
        if len(rows):
            box = ~own[clip, 0][rows.min() : rows.max() + 1, columns.min() : columns.max() + 1]
            assert box.all()


def test_a_cutmix_rectangle_by_hand() -> None:
    x, draws = _clips(2), _draws(2)
    draws[:, Columns.MIXING] = [0.0, 0.0, 0.75, 0.5, 0.25, 0.5]  # Beta(1, 1): share 0.75, so half the sides
    mixed, partner, share = mix_batch(x, draws, CUTMIX)
    assert share.tolist() == [1 - 10 * 8 / (16 * 20)] * 2
    inside = torch.zeros(16, 20, dtype=torch.bool)
    inside[0:8, 5:15] = True  # centre (10, 4), 10 wide, 8 high
    assert torch.equal(mixed[0][:, inside], x[partner[0]][:, inside].float())
    assert torch.equal(mixed[0][:, ~inside], x[0][:, ~inside].float())


def test_both_are_chosen_evenly_and_only_the_chosen_clips_are_mixed() -> None:
    x, draws = torch.zeros(400, 1, 4, 4, 3), _draws(400)
    x[::2] = 200.0
    settings = FrameAugment(mixup_alpha=0.8, cutmix_alpha=1.0, mix_probability=0.6)
    mixed, _, share = mix_batch(x, draws, settings)
    between = ((mixed > 0) & (mixed < 200)).flatten(1).any(1)
    chosen = draws[:, Columns.MIXING][:, 0] < 0.6
    assert (share[~chosen] == 1).all()
    assert torch.equal(mixed[~torch.from_numpy(chosen)], x[~torch.from_numpy(chosen)])
    assert not between[torch.from_numpy(~chosen | (draws[:, Columns.MIXING][:, 1] < 0.5))].any()
    assert (share >= 0).all()
    assert (share <= 1).all()
    assert 0.3 < share[chosen].mean() < 0.7


def test_shares_follow_the_beta_distribution() -> None:
    share = mix_batch(torch.zeros(2000, 1, 1, 1, 3), _draws(2000), MIXUP)[2]
    assert stats.kstest(share, stats.beta(0.8, 0.8).cdf).pvalue > 0.01


def test_clips_alone_or_without_settings_stay() -> None:
    x = _clips(3)
    for settings, clips in (
        (FrameAugment(), 3),
        (BOTH, 1),
        (FrameAugment(mixup_alpha=1, mix_probability=0), 3),
    ):
        mixed, _, share = mix_batch(x[:clips], _draws(clips), settings)
        assert torch.equal(mixed, x[:clips])
        assert share.tolist() == [1.0] * clips


def test_only_the_draws_count() -> None:
    x, draws = _clips(8), _draws(8)
    copy = x.clone()
    torch.manual_seed(0)
    before = torch.get_rng_state()
    first = mix_batch(x, draws, BOTH)
    assert torch.equal(torch.get_rng_state(), before)
    again = mix_batch(x, draws, BOTH)
    assert torch.equal(first[0], again[0])
    assert (first[1] == again[1]).all()
    assert torch.equal(x, copy)
    order = np.random.default_rng(3).permutation(8)
    moved = mix_batch(x[order], draws[order], BOTH)
    assert torch.equal(moved[0], first[0][order])  # the same pairs in another order of rows
    assert (order[moved[1]] == first[1][order]).all()
    assert (moved[2] == first[2][order]).all()


def test_wrong_draws_are_refused() -> None:
    with pytest.raises(ValueError, match=rf"expected draws \(3, {DRAWS}\)"):
        mix_batch(_clips(3), _draws(2), BOTH)
