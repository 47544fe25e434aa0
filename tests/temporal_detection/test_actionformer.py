"""ActionFormer against its own code and OpenTAD's; `reference_cases` says which."""

from __future__ import annotations

from functools import partial
from typing import Any

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

from temporal_detection.actionformer import PUBLISHED_NAMES, ActionFormer, actionformer, fit_shapes
from temporal_detection.detection_loss import DetectionLoss
from temporal_detection.detector import decode
from weights.checkpoint import load_exactly, rename

small = partial(ActionFormer, 5, 12, width=16, arch=(2, 1, 2), window=5, form="original")
CASES: dict[str, tuple[str, dict[str, Any]]] = {
    "actionformer_local": ("small actionformer_local", {}),
    "actionformer_global": ("small actionformer_global", {"window": -1, "arch": (3, 0, 2)}),
    "actionformer_encoding": ("small actionformer_local", {"encoding_points": 96}),
}


@pytest.mark.parametrize("name", CASES)
def test_equals_the_authors_code(name: str) -> None:
    table, options = CASES[name]
    wanted = golden(name)
    model = fill(small(**options), PUBLISHED_NAMES["actionformer"], table)
    with torch.no_grad():
        said = model(features(), VALID)
    torch.testing.assert_close(said.logits[said.valid], torch.tensor(wanted["logits"])[said.valid])
    if "offsets" in wanted:
        offsets = torch.tensor(wanted["offsets"])[said.valid]
        assert (offsets > 0.1).float().mean() > 0.2  # the case says something
        torch.testing.assert_close(said.offsets[said.valid], offsets)
    loss = DetectionLoss(5, model.strides, ranges=RANGES, label_smoothing=0.1)
    losses = loss(without_drop(model)(features(), VALID), SEGMENTS, LABELS)
    found = [losses.classification, losses.regression, losses.total, loss.normaliser]
    assert [float(one.detach()) for one in found] == pytest.approx(wanted["losses"].tolist(), rel=1e-6)
    losses.total.backward()
    if "gradient_norm" in wanted:
        assert gradient_norm(model) == pytest.approx(float(wanted["gradient_norm"][0]), rel=1e-5)


def test_equals_opentad() -> None:
    wanted = golden("actionformer_opentad")
    model = fill(small(form="opentad"), PUBLISHED_NAMES["opentad"], "small actionformer_opentad")
    with torch.no_grad():
        said = model(features(), VALID)
    torch.testing.assert_close(said.logits[said.valid], torch.tensor(wanted["logits"])[said.valid])
    torch.testing.assert_close(said.offsets[said.valid], torch.tensor(wanted["offsets"])[said.valid])
    loss = DetectionLoss(5, model.strides, ranges=RANGES, label_smoothing=0.1)
    losses = loss(without_drop(model)(features(), VALID), SEGMENTS, LABELS)
    found = [losses.classification, losses.regression, loss.normaliser]
    assert [float(one.detach()) for one in found] == pytest.approx(wanted["losses"].tolist(), rel=1e-5)


@pytest.mark.parametrize(
    ("table", "options"),
    [
        ("actionformer thumos", {"num_classes": 20}),
        (
            "actionformer ego4d",
            {"num_classes": 110, "channels": (2304, 1536, 256), "width": (256, 384, 384), "heads": 16,
             "encoding_points": 2304},
        ),
        ("opentad actionformer thumos", {"num_classes": 20}),
        ("opentad actionformer multithumos",
         {"num_classes": 65, "channels": 1024, "arch": (3, 0, 5), "window": -1}),
    ],
)  # fmt: skip
def test_published_checkpoints_load_completely(table: str, options: dict[str, Any]) -> None:
    state = published(table)
    with torch.device("meta"):
        model = actionformer(**options)
    own = {name: torch.empty(tensor.shape) for name, tensor in model.state_dict().items()}
    rules = PUBLISHED_NAMES["opentad" if table.startswith("opentad") else "actionformer"]
    renamed = fit_shapes(rename(state, rules), own)
    assert renamed.keys() == own.keys()
    assert {n: t.shape for n, t in renamed.items()} == {n: t.shape for n, t in own.items()}


def test_a_checkpoint_of_another_width_is_refused() -> None:
    state = rename(published("small actionformer_local"), PUBLISHED_NAMES["actionformer"])
    model = small(width=32)
    with pytest.raises(ValueError, match="of another shape"):
        load_exactly(model, fit_shapes(state, model.state_dict()))


@pytest.mark.parametrize("window", [5, -1])
def test_any_length_and_an_empty_window(window: int) -> None:
    torch.manual_seed(0)
    model = small(window=window).eval()
    valid = torch.arange(77) < torch.tensor([77, 30, 0])[:, None]
    said = model(torch.randn(3, 12, 77) * valid[:, None], valid)
    assert said.logits.shape == (3, 77 + 39 + 20, 5) and said.valid.sum(1).tolist() == [136, 30 + 15 + 8, 0]
    assert said.logits.isfinite().all() and said.offsets.isfinite().all()
    assert [len(one.score) for one in decode(said, min_score=0.0, min_length=-1)] == [680, 265, 0]


def test_local_attention_sees_its_window_only() -> None:
    torch.manual_seed(0)
    model = small(arch=(0, 1, 0), window=5, width=12, form="opentad").eval()
    x, valid = torch.randn(1, 12, 200), torch.ones(1, 200, dtype=torch.bool)
    other = x.clone()
    other[:, 3, 100] += 1
    with torch.no_grad():
        (one, _), (two, _) = model.pyramid(x, valid)[0], model.pyramid(other, valid)[0]
    changed = (one - two).abs().amax(1)[0] > 0
    # Two neighbours of a key, and the convolution's one on either side.
    assert changed.nonzero().flatten().tolist() == list(range(97, 104))


def test_groups_make_a_product() -> None:
    torch.manual_seed(0)
    model = small(group_of=[0, 0, 1, 1, 2], form="opentad").eval()
    said = model(features(), VALID)
    assert said.group_logits is not None and said.group_logits.shape[-1] == 3
    assert float(said.logits.detach().sigmoid().mean()) < 0.05  # fresh weights say the prior
    assert (said.logits <= said.group_logits[..., [0, 0, 1, 1, 2]]).all()
    loss = DetectionLoss(5, model.strides, ranges=RANGES, group_of=[0, 0, 1, 1, 2])
    losses = loss(said, SEGMENTS, LABELS)
    assert float(losses.groups.detach()) > 0
    losses.total.backward()
    assert gradient_norm(model) > 0


def test_wrong_sizes_are_said() -> None:
    model = small()
    with pytest.raises(ValueError, match=r"expected features \(N, 12, T\), got \(1, 13, 8\)"):
        model(torch.zeros(1, 13, 8), torch.ones(1, 8, dtype=torch.bool))
    with pytest.raises(ValueError, match="expected valid as booleans"):
        model(torch.zeros(1, 12, 8), torch.ones(1, 7, dtype=torch.bool))
    with pytest.raises(ValueError, match="expected windows of 3 levels, got 2"):
        small(window=[5, 5])
    with pytest.raises(ValueError, match="3 heads do not divide 16 channels"):
        small(heads=3)
    with pytest.raises(ValueError, match="expected a group of each of 5 actions, got 2"):
        small(group_of=[0, 1])


def test_bfloat16_autocast() -> None:
    model = small().train()
    with torch.autocast("cpu", torch.bfloat16):
        said = model(features(), VALID)
    losses = DetectionLoss(5, model.strides, ranges=RANGES)(said, SEGMENTS, LABELS)
    losses.total.backward()
    assert losses.total.dtype == torch.float32 and gradient_norm(model) > 0
