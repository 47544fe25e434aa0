"""ST-GCN++ against PYSKL, and the fast layout against the plain one: same loss, same gradients."""

from __future__ import annotations

from functools import partial

import pytest
import torch
from benchmarks.eager_stgcnpp import EagerSTGCNpp
from tests.skeleton_models import graph_checks
from tests.skeleton_models.named_weights import named_input, named_weights
from torch import nn
from torch.nn import functional

from poses.layout import get_layout
from skeleton_models.graph import adjacency
from skeleton_models.stgcnpp import PUBLISHED_NAMES, STGCNpp, stgcnpp
from skeleton_models.temporal_convolution import merged_pointwise
from weights.checkpoint import load_exactly, rename

SMALL = {"base_channels": 12, "num_stages": 5, "inflate_stages": (3, 5), "down_stages": (3, 4)}
small = partial(STGCNpp, **SMALL)


def test_equals_pyskl() -> None:
    model = small(num_classes=5, layout=get_layout("coco17"))
    graph_checks.check_golden(
        model, PUBLISHED_NAMES["pyskl"], "stgcnpp_pyskl", named_input("stgcn", (2, 2, 16, 17, 3))
    )


@pytest.mark.parametrize("toolbox", ["pyskl", "mmaction2"])
def test_full_size_checkpoints_fit(toolbox: str) -> None:
    make = partial(stgcnpp, num_classes=60, layout=get_layout("ntu25"))
    size = graph_checks.check_fits(make, PUBLISHED_NAMES[toolbox], "stgcnpp_full", toolbox=toolbox)
    assert size == 1_403_144


def test_same_loss_gradients_and_statistics_as_the_eager_module() -> None:
    layout = get_layout("coco17")
    eager = EagerSTGCNpp(torch.from_numpy(adjacency(layout, "spatial")), 5, base_channels=12).double()
    eager.load_state_dict(named_weights(eager.state_dict()))
    ours = stgcnpp(num_classes=5, layout=layout, base_channels=12).double()
    rules = PUBLISHED_NAMES["pyskl"]
    load_exactly(ours, rename(eager.state_dict(), rules))
    x, label = named_input("loss", (3, 2, 16, 17, 3)).double(), torch.tensor([0, 3, 1])
    losses = [functional.cross_entropy(net.train()(x), label) for net in (eager, ours)]
    torch.testing.assert_close(losses[1], losses[0])
    for loss in losses:
        loss.backward()
    wanted = rename({name: p.grad for name, p in eager.named_parameters() if p.grad is not None}, rules)
    assert wanted.keys() == dict(ours.named_parameters()).keys()
    for name, parameter in ours.named_parameters():
        torch.testing.assert_close(parameter.grad, wanted[name], rtol=1e-6, atol=1e-9, msg=name)
    statistics = rename(eager.state_dict(), rules)  # running means and variances after the step
    for name, tensor in ours.state_dict().items():
        torch.testing.assert_close(tensor, statistics[name], msg=name)


def test_merged_branches_are_the_branches() -> None:
    convs = [nn.Conv2d(6, width, 1) for width in (3, 2, 4)]
    norms = [nn.BatchNorm2d(width) for width in (3, 2, 4)]
    separate = [nn.BatchNorm2d(width) for width in (3, 2, 4)]
    x = torch.randn(2, 6, 5, 7) * 3 + 1
    for _ in range(2):
        expected = torch.cat([norm(conv(x)) for conv, norm in zip(convs, separate, strict=True)], 1)
        torch.testing.assert_close(merged_pointwise(x, convs, norms), expected)
    for merged, alone in zip(norms, separate, strict=True):
        for buffer in ("running_mean", "running_var", "num_batches_tracked"):
            torch.testing.assert_close(getattr(merged, buffer), getattr(alone, buffer))
        merged.eval()
        alone.eval()
    expected = torch.cat([norm(conv(x)) for conv, norm in zip(convs, separate, strict=True)], 1)
    torch.testing.assert_close(merged_pointwise(x, convs, norms), expected)


def test_gradients() -> None:
    graph_checks.check_gradients(
        small(num_classes=3, layout=get_layout("coco17")), named_input("gradients", (2, 1, 8, 17, 3))
    )
