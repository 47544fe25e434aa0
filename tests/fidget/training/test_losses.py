from __future__ import annotations

import math

import pytest
import torch
from torch.nn import functional

from fidget.training.losses import ActionLoss, action_log_probs, mixed_loss
from fidget.training.recipe import LossTable

COUNTS = torch.tensor([6, 3, 1])
GROUPS = torch.tensor([0, 0, 1])
PROBS = torch.tensor([[0.5, 0.25, 0.25]])
LABEL = torch.tensor([0])


def _loss(probs=PROBS, labels=LABEL, embedded=None, embeddings=None, **values) -> float:
    loss = ActionLoss(LossTable(**values), COUNTS, GROUPS, embeddings)
    return float(loss(probs.log(), labels, embedded))


@pytest.mark.parametrize(
    ("values", "expected"),
    [
        ({}, math.log(2)),
        ({"label_smoothing": 0.3}, 0.8 * math.log(2) + 0.2 * math.log(4)),  # targets .8 .1 .1
        ({"kind": "focal"}, 0.25 * math.log(2)),  # (1 - .5)^2
        ({"kind": "focal", "focal_gamma": 0.0}, math.log(2)),
        ({"kind": "focal", "focal_gamma": 1.0}, 0.5 * math.log(2)),
        # p times shares .6 .3 .1: .3 .075 .025, together .4
        ({"logit_adjustment": 1.0}, -math.log(0.3 / 0.4)),
        # p times the shares' squares .36 .09 .01: .18 .0225 .0025, together .205
        ({"logit_adjustment": 2.0}, -math.log(0.18 / 0.205)),
        ({"two_level_weight": 0.5}, math.log(2) - 0.5 * math.log(0.75)),
    ],
)
def test_table_of_known_answers(values, expected) -> None:
    assert _loss(**values) == pytest.approx(expected, rel=1e-6)


def test_embedding_loss_is_the_weighted_mean_square() -> None:
    embeddings = torch.tensor([[1.0, 0.0], [0.0, 1.0], [1.0, 1.0]])
    got = _loss(embedded=torch.tensor([[0.0, 2.0]]), embeddings=embeddings, label_embedding_weight=2.0)
    assert got == pytest.approx(math.log(2) + 2.0 * (1 + 4) / 2)


def test_embedding_loss_may_be_the_length_of_the_difference() -> None:
    embeddings = torch.tensor([[3.0, 0.0], [0.0, 1.0], [1.0, 1.0]])
    got = _loss(embedded=torch.tensor([[0.0, 4.0]]), embeddings=embeddings, label_embedding_distance="l2")
    assert got == pytest.approx(math.log(2) + 5.0 * 5.0)


@pytest.mark.parametrize(
    "values", [{}, {"label_smoothing": 0.1, "two_level_weight": 0.3}, {"label_embedding_distance": "l2"}]
)
def test_mixed_clips_have_both_labels_by_their_shares(values) -> None:
    """The mean over the clips of share * loss(label) + (1 - share) * loss(partner's label)."""
    generator = torch.Generator().manual_seed(2)
    embeddings = torch.randn(3, 4, generator=generator)
    loss = ActionLoss(LossTable(**values), COUNTS, GROUPS, embeddings)
    log_probs = torch.randn(3, 3, generator=generator).log_softmax(1)
    embedded = torch.randn(3, 4, generator=generator)
    labels, partner = torch.tensor([0, 2, 1]), torch.tensor([1, 2, 0])
    share = torch.tensor([0.75, 1.0, 0.5])

    def alone(row: int, label: int) -> float:
        one = slice(row, row + 1)
        return float(loss(log_probs[one], torch.tensor([label]), embedded[one]))

    expected = 0.75 * alone(0, 0) + 0.25 * alone(0, 2) + alone(1, 2) + 0.5 * alone(2, 1) + 0.5 * alone(2, 0)
    got = mixed_loss(loss, log_probs, labels, embedded, partner, share)
    assert float(got) == pytest.approx(expected / 3, rel=1e-5)
    plain = mixed_loss(loss, log_probs, labels, embedded, None, None)
    torch.testing.assert_close(plain, loss(log_probs, labels, embedded))


def test_plain_loss_is_torch_s() -> None:
    generator = torch.Generator().manual_seed(1)
    logits, labels = torch.randn(8, 3, generator=generator), torch.tensor([0, 1, 2, 0, 1, 2, 0, 1])
    for smoothing in (0.0, 0.1):
        loss = ActionLoss(LossTable(label_smoothing=smoothing), COUNTS)(
            action_log_probs(logits, None), labels
        )
        torch.testing.assert_close(loss, functional.cross_entropy(logits, labels, label_smoothing=smoothing))


def test_soft_hierarchy_multiplies_group_and_action_in_group() -> None:
    outputs = torch.log(torch.tensor([[0.8, 0.2, 3.0, 1.0, 0.5]]))  # two groups, then three actions
    probs = action_log_probs(outputs, GROUPS).exp()
    torch.testing.assert_close(probs, torch.tensor([[0.8 * 0.75, 0.8 * 0.25, 0.2]]))


def test_soft_hierarchy_of_extreme_outputs_stays_finite_and_sums_to_one() -> None:
    outputs = torch.tensor([[500.0, -500.0, 900.0, -900.0, -900.0]], requires_grad=True)
    log_probs = action_log_probs(outputs, GROUPS)
    assert log_probs.exp().sum().item() == pytest.approx(1)
    log_probs[0, 2].backward()
    assert torch.isfinite(log_probs).all() and torch.isfinite(outputs.grad).all()


@pytest.mark.parametrize(
    ("values", "counts", "groups", "words"),
    [
        ({"two_level_weight": 1.0}, COUNTS, None, "body groups"),
        ({"soft_hierarchy": True}, COUNTS, None, "body groups"),
        ({"logit_adjustment": 1.0}, torch.tensor([1, 0, 2]), GROUPS, "every class"),
    ],
)
def test_terms_that_lack_something_are_refused(values, counts, groups, words) -> None:
    with pytest.raises(ValueError, match=words):
        ActionLoss(LossTable(**values), counts, groups)
