"""Targets by hand, losses against the stored ones' parts, and what happens where there is nothing."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from tests.temporal_detection.reference_cases import LABELS, RANGES, SEGMENTS, golden

from temporal_detection.detection_loss import DetectionLoss, distance_iou_loss, focal_loss
from temporal_detection.detector import (
    DetectorOutput,
    decode,
    hierarchical_logits,
    points_of,
)
from temporal_detection.targets import assign, default_ranges

STRIDES = (1, 2, 4)


def said(windows: int = 2, actions: int = 5, points: int = 96, own: bool = False) -> DetectorOutput:
    torch.manual_seed(0)
    position, stride = points_of([points, points // 2, points // 4], STRIDES, torch.zeros(()))
    number = len(position)
    offsets = torch.rand(windows, number, *([actions] if own else []), 2) * 3
    logits = torch.randn(windows, number, actions) - 3
    valid = torch.ones(windows, number, dtype=torch.bool)
    return DetectorOutput(position, stride, logits.requires_grad_(), offsets.requires_grad_(), valid)


def test_targets_equal_the_originals() -> None:
    wanted, output = golden("actionformer_local"), said()
    ranges = torch.tensor(RANGES)[_level(output)]
    for n in range(2):
        found = assign(output.position, output.stride, ranges, SEGMENTS[n], LABELS[n], 5)
        np.testing.assert_array_equal(found.actions.numpy(), wanted["target_actions"][n])
        positive = found.actions.sum(-1) > 0
        torch.testing.assert_close(
            found.shortest[positive], torch.tensor(wanted["target_offsets"][n])[positive]
        )
        assert found.matched.all()


def _level(output: DetectorOutput) -> torch.Tensor:
    return output.stride.log2().long()


def test_targets_by_hand() -> None:
    position, stride = torch.arange(12.0), torch.ones(12)
    ranges = torch.tensor([0.0, 4.0]).expand(12, 2)
    segments, labels = torch.tensor([[2.0, 8.0], [3.5, 5.5]]), torch.tensor([0, 1])
    found = assign(position, stride, ranges, segments, labels, 3)
    # Around the middle 5 of the long one lie 4, 5 and 6; around that of the short one, 4.5, lie 4 and 5.
    assert found.actions[:, 0].nonzero().flatten().tolist() == [6]
    assert found.actions[:, 1].nonzero().flatten().tolist() == [4, 5]
    assert found.shortest[4].tolist() == [0.5, 1.5] and found.shortest[6].tolist() == [4.0, 2.0]
    both = assign(position, stride, ranges, segments, labels, 3, keep_overlaps=True)
    assert both.actions[:, 0].nonzero().flatten().tolist() == [4, 5, 6]
    assert both.offsets[4].tolist() == [[2.0, 4.0], [0.5, 1.5], [0.0, 0.0]]
    whole = assign(position, stride, ranges, segments[:1], labels[:1], 3, radius=0)
    assert whole.actions[:, 0].nonzero().flatten().tolist() == [4, 5, 6]  # 3 and 7 are too far from one end
    long = assign(position, stride, ranges, torch.tensor([[0.0, 11.0]]), labels[:1], 3)
    assert not long.actions.any() and long.matched.tolist() == [False]


def test_default_ranges() -> None:
    assert default_ranges((1, 2, 4)) == [(0, 4), (4, 8), (8, 10000)]


def test_a_window_without_ground_truth_is_background() -> None:
    output, loss = said(), DetectionLoss(5, STRIDES)
    none = [torch.zeros(0, 2), torch.zeros(0, 2)], [torch.zeros(0, dtype=torch.int64)] * 2
    losses = loss(output, *none)
    assert losses.positives == 0 and float(losses.regression.detach()) == 0
    losses.total.backward()
    assert output.logits.grad is not None and (output.logits.grad > 0).all()
    assert output.offsets.grad is not None and not output.offsets.grad.any()
    half = loss(output, [SEGMENTS[0], none[0][1]], [LABELS[0], none[1][1]])
    assert half.positives > 0 and half.unmatched == 0


def test_segments_that_nobody_learns_are_counted() -> None:
    loss = DetectionLoss(5, STRIDES, ranges=[(0, 4), (4, 8), (8, 16)])
    losses = loss(said(1), [torch.tensor([[10.2, 10.6], [0.0, 90.0]])], [torch.tensor([0, 1])])
    assert losses.positives == 0 and losses.unmatched == 2
    assert losses.total.isfinite()


def test_padding_counts_nothing() -> None:
    output = said()
    cut = DetectorOutput(output.position, output.stride, output.logits, output.offsets,
                         output.valid & (output.position < 30))  # fmt: skip
    loss = DetectionLoss(5, STRIDES).eval()
    before = loss(cut, SEGMENTS, LABELS)
    with torch.no_grad():
        output.logits[:, output.position >= 30] = torch.nan  # what stands in the padding says nothing
        output.offsets[:, output.position >= 30] = torch.nan
    assert loss(cut, SEGMENTS, LABELS).total == before.total


def test_the_normaliser_runs_in_training_only() -> None:
    loss, output = DetectionLoss(5, STRIDES, normaliser=100), said()
    positives = loss.eval()(output, SEGMENTS, LABELS).positives
    assert float(loss.normaliser) == 100
    loss.train()(output, SEGMENTS, LABELS)
    assert float(loss.normaliser) == pytest.approx(90 + 0.1 * positives)
    assert "normaliser" in loss.state_dict()  # a run that goes on goes on with it


def test_own_boundaries_and_overlap_weights() -> None:
    output = said(own=True)
    plain = DetectionLoss(5, STRIDES).eval()(output, SEGMENTS, LABELS)
    weighted = DetectionLoss(5, STRIDES, overlap_power=0.2).eval()(output, SEGMENTS, LABELS)
    assert weighted.regression == plain.regression and weighted.classification < plain.classification
    shared = DetectionLoss(5, STRIDES, overlap_power=0.2).eval()(said(), SEGMENTS, LABELS)
    assert shared.total.isfinite()
    weighted.total.backward()
    assert output.offsets.grad is not None and output.offsets.grad.isfinite().all()


@pytest.mark.parametrize("what", ["logits", "offsets"])
def test_nan_is_said(what: str) -> None:
    output = said()
    with torch.no_grad():
        getattr(output, what)[1, 7, 1 if what == "offsets" else 2] = torch.nan
    for use in (lambda: decode(output), lambda: DetectionLoss(5, STRIDES)(output, SEGMENTS, LABELS)):
        with pytest.raises(ValueError, match=r"of window 1 are not numbers; are there NaN in its features"):
            use()


@pytest.mark.parametrize(
    ("segments", "labels", "message"),
    [
        ([[5.0, 5.0]], [0], "end after they start, got 5 to 5"),
        ([[5.0, torch.nan]], [0], "end after they start, got 5 to nan"),
        ([[5.0, 6.0]], [5], r"expected actions 0..4, got \[5\]"),
        ([[5.0, 6.0]], [0, 1], r"expected segments \(I, 2\) and labels \(I,\)"),
    ],
)
def test_wrong_ground_truth_is_said(segments: list[list[float]], labels: list[int], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        DetectionLoss(5, STRIDES)(said(1), [torch.tensor(segments)], [torch.tensor(labels)])


def test_wrong_settings_are_said() -> None:
    with pytest.raises(ValueError, match="expected a range for each of 3 levels, got 1"):
        DetectionLoss(5, STRIDES, ranges=[(0, 4)])
    with pytest.raises(ValueError, match=r"expected levels of strides \[1.0, 2.0\], got \[1.0, 2.0, 4.0\]"):
        DetectionLoss(5, (1, 2))(said(), SEGMENTS, LABELS)
    with pytest.raises(ValueError, match="segments and labels of 2 windows, got 1 and 1"):
        DetectionLoss(5, STRIDES)(said(), SEGMENTS[:1], LABELS[:1])


def test_losses_by_hand() -> None:
    found = focal_loss(torch.tensor([0.0]), torch.tensor([1.0]))
    assert float(found) == pytest.approx(0.25 * 0.25 * np.log(2))
    same = torch.tensor([[2.0, 3.0]])
    assert float(distance_iou_loss(same, same)) == 0
    # 2 of 6 shared, middles 2 apart, hull 6
    moved = distance_iou_loss(torch.tensor([[3.0, 1.0]]), torch.tensor([[1.0, 3.0]]))
    assert float(moved) == pytest.approx(1 - 2 / 6 + (2 / 6) ** 2)


def test_hierarchy_is_the_product_of_probabilities() -> None:
    torch.manual_seed(1)
    action, group = torch.randn(2, 7, 4) * 8, torch.randn(2, 7, 2) * 8
    group_of = torch.tensor([0, 1, 1, 0])
    found = hierarchical_logits(action, group, group_of).double().sigmoid()
    wanted = action.double().sigmoid() * group.double().sigmoid()[..., group_of]
    torch.testing.assert_close(found, wanted, rtol=1e-4, atol=1e-12)
    assert hierarchical_logits(torch.tensor([[200.0]]), torch.tensor([[-200.0]]), torch.tensor([0])) == -200


def test_decoding_by_hand() -> None:
    position, stride = points_of([3, 1], (1, 2), torch.zeros(()))
    logits = torch.full((1, 4, 2), -20.0)
    logits[0, 1, 0], logits[0, 1, 1], logits[0, 3, 1], logits[0, 2, 0] = 2.0, 1.0, 3.0, 5.0
    offsets = torch.tensor([[[1.0, 1.0], [0.5, 1.0], [9.0, 9.0], [0.0, 2.0]]])
    valid = torch.tensor([[True, True, False, True]])
    output = DetectorOutput(position, stride, logits, offsets, valid)
    (found,) = decode(output)
    assert found.positions.tolist() == [[0.0, 4.0], [0.5, 2.0], [0.5, 2.0]]
    assert found.label.tolist() == [1, 0, 1]
    assert found.score.tolist() == pytest.approx([0.952574, 0.880797, 0.731059], abs=1e-6)
    assert len(decode(output, num_before_nms=1)[0].score) == 1
    (by_level,) = decode(output, num_before_nms=1, per_level=True)
    assert by_level.label.tolist() == [1, 0]
    assert len(decode(output, min_length=2)[0].score) == 1
    assert len(decode(output, min_score=0.99)[0].score) == 0
