"""PointTAD and its loss against VUT-HFUT/MAC_2024_baseline 3c8b443, which wrote the golden file.

Of MMAD/PointTAD `PointTAD`, `PointtadDecoderHead`, `HungarianMatcher` and `SetCriterion` ran on maps that are
constant over the picture, in place of I3D's. A narrow one wrote the numbers; the names are of the published
size, and of I3D only those of one module.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from tests.skeleton_models.named_weights import named_input, named_weights
from torch import Tensor

from temporal_detection.detector import decode
from temporal_detection.pointtad import PUBLISHED_NAMES, PointTAD, pointtad
from temporal_detection.query_decoder import sample, segments_of
from temporal_detection.set_loss import SetLoss
from weights.checkpoint import load_exactly, rename

GOLDEN = Path(__file__).parent / "golden" / "pointtad.npz"
SEGMENTS = [torch.tensor([[1.5, 4.0], [2.0, 9.5], [6.0, 7.0]]), torch.tensor([[0.5, 11.0]])]
LABELS = [torch.tensor([0, 2, 1]), torch.tensor([1])]


def small(**options) -> PointTAD:
    sizes = {"width": 16, "queries": 5, "points": 7, "feed_forward": 32, "heads": 2}
    return PointTAD(3, (6, 4), **(sizes | options))


def entries(key: str, device: str = "cpu") -> dict[str, Tensor]:
    with np.load(GOLDEN) as file:
        rows = [line.split(" ") for line in str(file[key]).split("\n")]
    return {
        name: torch.zeros([int(axis) for axis in shape.split(",") if axis], device=device)
        for name, shape in rows
    }


@pytest.fixture(scope="module")
def original() -> PointTAD:
    model = small()
    load_exactly(model, rename(named_weights(entries("entries")), PUBLISHED_NAMES["pointtad"]))
    return model.eval()


def everything(x: Tensor) -> Tensor:
    return torch.ones(len(x), x.shape[2], dtype=torch.bool)


def test_equals_the_original(original: PointTAD) -> None:
    x = named_input("pointtad", (2, 10, 12))
    with torch.no_grad():
        output = original(x, everything(x))
    start, end = output.segments.unbind(-1)
    with np.load(GOLDEN) as file:
        expected = {name: torch.from_numpy(file[name]) for name in ("class_logits", "middles", "dense")}
    got = {
        "class_logits": output.class_logits,
        "middles": torch.stack([(start + end) / 2, end - start], -1),
        "dense": output.dense,
    }
    torch.testing.assert_close(got, expected, rtol=0, atol=1e-5)


def test_loss_and_gradient_equal_the_original(original: PointTAD) -> None:
    x = named_input("pointtad", (2, 10, 12))
    original.zero_grad()
    losses = SetLoss(3)(original(x, everything(x)), SEGMENTS, LABELS)
    losses.total.backward()
    with np.load(GOLDEN) as file:
        of_class, of_distance, of_overlap, dense, total = file["losses"]
        norm = float(file["gradient_norm"])
    assert losses.total.item() == pytest.approx(total, rel=1e-5)
    assert losses.classification.item() == pytest.approx(of_class + 10 * dense, rel=1e-5)
    assert losses.regression.item() == pytest.approx(5 * of_distance + 5 * of_overlap, rel=1e-5)
    gradients = [p.grad.square().sum() for p in original.parameters() if p.grad is not None]
    assert torch.stack(gradients).sum().sqrt().item() == pytest.approx(norm, rel=1e-4)
    assert (losses.positives, losses.unmatched) == (4, 0)


def test_published_checkpoint_fits_but_for_its_i3d() -> None:
    with torch.device("meta"):
        model = pointtad(num_classes=52)
    state = entries("full", "meta")
    assert any(name.startswith("backbone._model.Mixed_3b.") for name in state)
    load_exactly(model, rename(state, PUBLISHED_NAMES["pointtad"]))
    assert sum(p.numel() for p in model.parameters()) == sum(
        tensor.numel() for name, tensor in state.items() if not name.startswith(("backbone.", "query_embed"))
    )


def test_features_are_sampled_between_points() -> None:
    features = torch.tensor([[0.0, 1.0, 4.0, 9.0, 16.0]]).unsqueeze(-1)  # (1, 5, 1)
    places = torch.tensor([[0.0, 0.125, 0.25, 0.5, 0.875, 1.0]])
    assert sample(features, places)[0, :, 0].tolist() == [0, 0.5, 1, 4, 12.5, 16]
    assert sample(features[:, :1], places)[0, :, 0].tolist() == [0] * 6


def test_the_last_third_of_the_points_does_not_bound() -> None:
    assert segments_of(torch.tensor([0.5, 0.2, 0.4, 0.3, 0.9, 0.0])).tolist() == pytest.approx([0.2, 0.5])
    assert segments_of(torch.tensor([0.5, 0.2, 0.6, 0.3, 0.7, 0.0, 1.0])).tolist() == pytest.approx(
        [0.2, 0.6]
    )


def test_each_query_is_one_candidate(original: PointTAD) -> None:
    x = named_input("pointtad", (2, 10, 12))
    with torch.no_grad():
        output = original(x, everything(x))
    found = decode(output, min_score=0.0001, min_length=-1)[0]
    probability = output.class_logits[-1, 0].softmax(-1)[:, :-1]
    best, label = probability.max(-1)
    order = best.argsort(descending=True)
    np.testing.assert_allclose(found.score, best[order], atol=1e-5)
    np.testing.assert_array_equal(found.label, label[order])
    segments = output.segments[-1, 0].clamp(0, 1) * 12
    np.testing.assert_allclose(found.positions, segments[order], atol=1e-5)


def test_matching_gives_each_segment_the_cheapest_query() -> None:
    logits = torch.zeros(1, 3, 3)
    logits[0, 2, 1] = 9.0  # says action 1
    spans = torch.tensor([[[0.1, 0.3], [0.5, 0.9], [0.1, 0.3]]])
    pairs = SetLoss(2).matched(
        logits, spans, [torch.tensor([[0.1, 0.3], [0.5, 1.0]])], [torch.tensor([1, 0])]
    )
    assert [one.tolist() for one in pairs[0]] == [[1, 2], [1, 0]]


def test_windows_without_segments_teach_to_say_nothing() -> None:
    torch.manual_seed(0)
    model, loss_of = small(dropout=0.0), SetLoss(3)
    optimizer = torch.optim.AdamW(model.parameters(), lr=0.01)
    x = named_input("empty", (2, 10, 12))
    none, nobody = [torch.zeros(0, 2)] * 2, [torch.zeros(0, dtype=torch.int64)] * 2
    for _ in range(10):
        losses = loss_of(model(x, everything(x)), none, nobody)
        optimizer.zero_grad()
        losses.total.backward()
        optimizer.step()
    assert losses.positives == 0
    assert losses.regression == 0
    assert (model.eval()(x, everything(x)).class_logits[-1].argmax(-1) == 3).all()


def test_learns_a_segment() -> None:
    torch.manual_seed(0)
    model, loss_of = small(dropout=0.0), SetLoss(3)
    optimizer = torch.optim.AdamW(model.parameters(), lr=0.003)
    x = named_input("learn", (2, 10, 12))
    for _ in range(60):
        losses = loss_of(model(x, everything(x)), SEGMENTS, LABELS)
        optimizer.zero_grad()
        losses.total.backward()
        optimizer.step()
    found = decode(model.eval()(x, everything(x)))[1]
    assert found.label[0] == 1
    np.testing.assert_allclose(found.positions[0], [0.5, 11.0], atol=1)


def test_wrong_input_is_refused() -> None:
    model = small()
    with pytest.raises(ValueError, match=r"PointTAD: expected features \(N, 10, T\), got \(1, 8, 12\)"):
        model(torch.zeros(1, 8, 12), torch.ones(1, 12, dtype=torch.bool))
    with pytest.raises(ValueError, match="more than 4 points and an even width that 2 heads divide"):
        small(points=4)
    x = torch.full((1, 10, 12), float("nan"))
    with pytest.raises(ValueError, match="not numbers; did the training diverge"):
        SetLoss(3)(model(x, everything(x)), SEGMENTS[:1], LABELS[:1])
