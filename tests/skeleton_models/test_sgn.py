"""SGN against both published codes, and what is its own: exact pieces of time, fixed frames, exports."""

from __future__ import annotations

from functools import partial

import pytest
import torch
from tests.skeleton_models import graph_checks
from tests.skeleton_models.named_weights import named_input
from torch import Tensor
from torch.nn import functional

from poses.layout import get_layout
from skeleton_models.sgn import PIECES, PUBLISHED_NAMES, SGN, PieceConvolutions, sgn


def small(**options: object) -> SGN:
    return SGN(**{"num_classes": 5, "layout": get_layout("coco17"), "frames": 24, "width": 8, **options})  # type: ignore[arg-type]


def test_equals_the_authors_code() -> None:
    model = sgn(num_classes=7, layout=get_layout("ntu25"), frames=30)
    x = named_input("sgn", (2, 1, 30, 25, 3))
    graph_checks.check_golden(model, PUBLISHED_NAMES["original"], "sgn_original", x)


def test_equals_pyskl() -> None:
    model = SGN(num_classes=7, layout=get_layout("coco17"), frames=33, width=16, convention="pyskl")
    x = named_input("sgn", (2, 2, 33, 17, 3))
    graph_checks.check_golden(model, PUBLISHED_NAMES["pyskl"], "sgn_pyskl", x)


def test_pyskl_names_load_at_full_size() -> None:
    make = partial(SGN, num_classes=60, layout=get_layout("ntu25"), frames=30, convention="pyskl")
    graph_checks.check_fits(make, PUBLISHED_NAMES["pyskl"], "sgn_pyskl", "full_")


@pytest.mark.parametrize("frames", [1, 7, 20, 21, 30, 64, 100])
def test_pieces_are_those_of_adaptive_pooling(frames: int) -> None:
    x = named_input("pieces", (2, 8, frames, 5))
    module = PieceConvolutions(8, frames=frames, joints=5, dropout=0.0, convention="pyskl").eval()
    seen: list[Tensor] = []
    module.conv.register_forward_pre_hook(lambda _, inputs: seen.append(inputs[0]))
    module(x)
    assert torch.equal(seen[0], functional.adaptive_max_pool2d(x, (PIECES, 1)))


@pytest.mark.parametrize("convention", ["original", "pyskl"])
def test_velocity(convention: str) -> None:
    x = torch.tensor([1.0, 4.0, 9.0]).reshape(1, 3, 1, 1)
    expected = {"original": [0.0, 3.0, 5.0], "pyskl": [3.0, 5.0, -9.0]}[convention]
    assert small(convention=convention)._velocity(x).flatten().tolist() == expected


def test_gradients() -> None:
    model = small(in_channels=4)
    torch.manual_seed(0)
    for gcn in (model.gcn1, model.gcn2, model.gcn3):  # they start at zero, which hides the graph's gradient
        torch.nn.init.normal_(gcn.neighbours.weight, std=0.1)
    x = named_input("train", (3, 1, 24, model.joints, 4))
    model(x).logsumexp(1).sum().backward()
    silent = [name for name, p in model.named_parameters() if p.grad is None or not p.grad.abs().sum() > 0]
    # a bias before a batch norm, and one that shifts a whole row of the graph's softmax, change nothing
    expected = {f"gcn{i}.own.bias" for i in (1, 2, 3)} | {"temporal.conv.bias", "temporal.widen.bias"}
    assert set(silent) <= expected | {"key.bias", "joint_norm.bias", "velocity_norm.bias"}


def test_input_of_another_size_is_refused() -> None:
    with pytest.raises(ValueError, match=r"\(24, 17, 3\), got \(1, 1, 25, 17, 3\)"):
        small()(torch.zeros(1, 1, 25, 17, 3))
