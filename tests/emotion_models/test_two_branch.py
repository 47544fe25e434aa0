from __future__ import annotations

import pytest
import torch
from torch import nn
from torch.nn import functional

from emotion_models.fitting import built
from emotion_models.two_branch import (
    EMOTION_WEIGHT,
    FRAMES,
    TimeTransformer,
    TwoBranch,
    place_codes,
    two_branch_loss,
)


def network(face=True, action=True):
    return built(
        lambda: TwoBranch(
            emotions=5,
            actions=7,
            face=nn.Linear(6, 8) if face else None,
            face_channels=8,
            action=nn.Linear(10, 16) if action else None,
            action_channels=16,
            heads=4,
        ),
        seed=0,
    )


def test_heads_stand_where_the_paper_has_them():
    whole = network()
    assert whole.emotion_head.in_features == 24 and whole.action_head.in_features == 16
    assert len(whole.over_time.layers.layers) == 2
    assert network(action=False).action_head.in_features == 8  # the face branch alone knows micro-actions too
    face, action = torch.randn(3, FRAMES, 6), torch.randn(3, FRAMES, 10)
    out = whole(face, action)
    assert out.emotions.shape == (3, 5) and out.actions.shape == (3, 7)
    assert network(face=False)(action=action).emotions.shape == (3, 5)


def test_only_the_micro_action_branch_knows_the_order_of_frames():
    whole = network().eval()
    face, action = torch.randn(2, FRAMES, 6), torch.randn(2, FRAMES, 10)
    turned = torch.arange(FRAMES - 1, -1, -1)
    same, other = whole(face[:, turned], action), whole(face, action[:, turned])
    torch.testing.assert_close(same.emotions, whole(face, action).emotions)
    assert not torch.allclose(other.emotions, whole(face, action).emotions, atol=1e-3)


def test_the_loss_is_that_of_the_paper():
    out = network().eval()(torch.randn(4, 3, 6), torch.randn(4, 3, 10))
    emotions, actions = torch.tensor([0, 1, 2, 3]), (torch.rand(4, 7) < 0.3).float()
    found = two_branch_loss(out, emotions, actions)
    p = out.actions.sigmoid()
    acting = -(actions * p.log() + (1 - actions) * (1 - p).log()).mean()
    wanted = acting + 0.03 * functional.cross_entropy(out.emotions, emotions)
    torch.testing.assert_close(found, wanted)
    assert EMOTION_WEIGHT == 0.03


def test_two_steps_lower_the_loss_and_reach_both_branches():
    torch.manual_seed(0)
    whole = network()
    face, action = torch.randn(8, FRAMES, 6), torch.randn(8, FRAMES, 10)
    emotions, actions = torch.arange(8) % 5, (torch.rand(8, 7) < 0.3).float()
    optimizer = torch.optim.SGD(whole.parameters(), 0.5)
    losses = []
    for _ in range(3):
        loss = two_branch_loss(whole.eval()(face, action), emotions, actions)
        losses.append(float(loss.detach()))
        optimizer.zero_grad()
        loss.backward()
        assert all(
            weight.grad is not None and weight.grad.abs().sum() > 0 for weight in whole.face.parameters()
        )
        optimizer.step()
    assert losses[0] > losses[1] > losses[2]


def test_what_is_missing_is_named():
    with pytest.raises(ValueError, match="got none"):
        TwoBranch(emotions=5, actions=3)
    with pytest.raises(ValueError, match="the micro-action branch was given nothing"):
        network()(torch.randn(1, 4, 6))
    with pytest.raises(ValueError, match="no multiple of 8 heads"):
        TimeTransformer(12)


def test_place_codes_are_different_and_bounded():
    codes = place_codes(16, 7, torch.zeros(1))
    assert codes.shape == (16, 7) and codes.abs().max() <= 1
    assert torch.cdist(codes, codes).add(torch.eye(16) * 9).min() > 0.1
