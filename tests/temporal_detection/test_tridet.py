"""TriDet against its own code and OpenTAD's; `reference_cases` says which."""

from __future__ import annotations

from functools import partial

import pytest
import torch
from tests.temporal_detection.reference_cases import (
    LABELS,
    RANGES,
    SEGMENTS,
    VALID,
    features,
    fill,
    golden,
    gradient_norm,
    published,
    without_drop,
)

from temporal_detection.actionformer import fit_shapes
from temporal_detection.detection_loss import DetectionLoss
from temporal_detection.detector import decode
from temporal_detection.tridet import PUBLISHED_NAMES, TriDet, tridet
from weights.checkpoint import rename

small = partial(TriDet, 5, 12, width=16, arch=(2, 1, 2), window=3, hidden=24, widening=5, bins=4)


def loss_of(model: TriDet) -> DetectionLoss:
    return DetectionLoss(5, model.strides, ranges=RANGES, label_smoothing=0.1, overlap_power=0.2)


def test_equals_the_authors_code() -> None:
    wanted = golden("tridet")
    model = fill(small(form="original"), PUBLISHED_NAMES["tridet"], "small tridet")
    with torch.no_grad():
        said = model(features(), VALID)
    torch.testing.assert_close(said.logits[said.valid], torch.tensor(wanted["logits"])[said.valid])
    torch.testing.assert_close(said.offsets[said.valid], torch.tensor(wanted["offsets"])[said.valid])
    loss = loss_of(model)
    losses = loss(without_drop(model)(features(), VALID), SEGMENTS, LABELS)
    found = [losses.classification, losses.regression, losses.total, loss.normaliser]
    assert [float(one.detach()) for one in found] == pytest.approx(wanted["losses"].tolist(), rel=1e-6)
    losses.total.backward()
    assert gradient_norm(model) == pytest.approx(float(wanted["gradient_norm"][0]), rel=1e-5)


def test_equals_opentad() -> None:
    wanted = golden("tridet_opentad")
    model = fill(small(form="opentad"), PUBLISHED_NAMES["opentad"], "small tridet_opentad")
    with torch.no_grad():
        said = model(features(), VALID)
    torch.testing.assert_close(
        said.logits[said.valid].sigmoid(), torch.tensor(wanted["probability"])[said.valid]
    )
    offsets = torch.tensor(wanted["offsets"])  # (N, P, A, 2)
    torch.testing.assert_close(said.offsets[said.valid], offsets[said.valid], rtol=1e-5, atol=1e-5)
    loss = loss_of(model)
    losses = loss(without_drop(model)(features(), VALID), SEGMENTS, LABELS)
    found = [losses.classification, losses.regression, loss.normaliser]
    assert [float(one.detach()) for one in found] == pytest.approx(wanted["losses"].tolist(), rel=1e-5)


@pytest.mark.parametrize("table", ["tridet thumos", "opentad tridet thumos"])
def test_published_checkpoints_load_completely(table: str) -> None:
    with torch.device("meta"):
        model = tridet(num_classes=20)
    own = {name: torch.empty(tensor.shape) for name, tensor in model.state_dict().items()}
    renamed = fit_shapes(rename(published(table), PUBLISHED_NAMES[table.split()[0]]), own)
    assert {n: t.shape for n, t in renamed.items()} == {n: t.shape for n, t in own.items()}


def test_every_action_has_its_own_boundaries() -> None:
    said = fill(small(form="original"), PUBLISHED_NAMES["tridet"], "small tridet")(features(), VALID)
    assert said.offsets.shape == (2, 168, 5, 2) and 0 <= said.offsets.min() <= said.offsets.max() <= 4
    (found, _) = decode(said, num_before_nms=50, min_score=0.0, min_length=-1)
    point = said.logits[0].detach().sigmoid().argmax() // 5
    action = int(said.logits[0, point].argmax())
    start = said.position[point] - said.offsets[0, point, action, 0] * said.stride[point]
    assert found.label[0] == action and found.positions[0, 0] == pytest.approx(float(start.detach()))


def test_wrong_sizes_are_said() -> None:
    with pytest.raises(ValueError, match="expected an odd window and 16 groups of channels, got 4, 16"):
        small(window=4)
    with pytest.raises(ValueError, match=r"expected features \(N, 12, T\)"):
        small()(torch.zeros(1, 3, 8), torch.ones(1, 8, dtype=torch.bool))
