"""SlowOnly against PYSKL, and against the plain module that it is timed against."""

from __future__ import annotations

from functools import partial

import pytest
import torch
from benchmarks.eager_slowonly import EagerSlowOnly
from tests.skeleton_models import graph_checks, volume_checks
from tests.skeleton_models.named_weights import named_input, named_weights
from torch.nn import functional

from poses.layout import get_layout
from skeleton_models.posec3d import PUBLISHED_NAMES, SlowOnly, posec3d_slowonly_r50
from weights.checkpoint import load_exactly, rename

small = partial(SlowOnly, num_classes=5, in_channels=17, base_channels=4, stage_blocks=(2, 2, 1))


def test_equals_pyskl() -> None:
    graph_checks.check_golden(
        small(),
        PUBLISHED_NAMES["pyskl"],
        "posec3d_slowonly",
        named_input("posec3d", (2, 17, 9, 22, 25)),
        torch.float64,
    )


@pytest.mark.parametrize("toolbox", ["pyskl", "mmaction2"])
def test_full_size_checkpoint_fits(toolbox: str) -> None:
    """MMAction2's own classes, built from its configuration, have the same 260 entries as PYSKL's."""
    graph_checks.check_fits(
        lambda: posec3d_slowonly_r50(num_classes=60, layout=get_layout("coco17")),
        PUBLISHED_NAMES[toolbox],
        "posec3d_slowonly_full",
    )


def test_same_loss_gradients_and_statistics_as_the_eager_module() -> None:
    eager = EagerSlowOnly(5, base_channels=4, blocks=(2, 2, 1), dropout=0.0).double()
    eager.load_state_dict(named_weights(eager.state_dict()))
    ours = small(dropout=0.0).double()
    rules = PUBLISHED_NAMES["pyskl"]
    load_exactly(ours, rename(eager.state_dict(), rules))
    x, label = named_input("loss", (3, 17, 8, 16, 16)).double(), torch.tensor([0, 3, 1])
    losses = [functional.cross_entropy(net.train()(x), label) for net in (eager, ours)]
    torch.testing.assert_close(losses[1], losses[0])
    for loss in losses:
        loss.backward()
    wanted = rename({name: p.grad for name, p in eager.named_parameters() if p.grad is not None}, rules)
    assert wanted.keys() == dict(ours.named_parameters()).keys()
    for name, parameter in ours.named_parameters():
        torch.testing.assert_close(parameter.grad, wanted[name], rtol=1e-6, atol=1e-9, msg=name)
    statistics = rename(eager.state_dict(), rules)
    for name, tensor in ours.state_dict().items():
        torch.testing.assert_close(tensor, statistics[name], msg=name)


def test_any_layout_size_and_kind_of_volume() -> None:
    volume_checks.check_volume_network(posec3d_slowonly_r50, {"base_channels": 4, "stage_blocks": (1, 1, 1)})


def test_stages_must_agree() -> None:
    with pytest.raises(ValueError, match=r"one entry a stage.*\[2, 3, 3, 3\]"):
        SlowOnly(num_classes=2, in_channels=3, stage_blocks=(1, 1))
