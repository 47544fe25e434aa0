"""What the tests of the heatmap networks check alike."""

from __future__ import annotations

from collections.abc import Callable

import pytest
import torch
from tests.skeleton_models import graph_checks

from poses.layout import get_layout
from skeleton_models.volume_network import HeatmapNetwork

Make = Callable[..., HeatmapNetwork]


def check_volume_network(make: Make, tiny: dict[str, object]) -> None:
    """Any layout and size, every kind of volume, gradients, a new classifier, a mask that changes nothing."""
    for name in ("nwucla20", "coco17", "coco_wholebody133/micro44"):
        layout = get_layout(name)
        for limbs in (False, True):
            model = make(num_classes=4, layout=layout, with_limbs=limbs, **tiny).eval()
            assert model.in_channels == len(layout.limbs if limbs else layout.joints)
            with torch.no_grad():
                for size in ((6, 28, 28), (5, 17, 30)):
                    assert model(torch.rand(1, model.in_channels, *size)).shape == (1, 4)
    model = make(num_classes=3, layout=get_layout("coco17"), in_channels=6, **tiny)
    graph_checks.check_gradients(model, torch.rand(2, 6, 6, 20, 18))
    _check_kinds_of_volume(model.eval())
    _check_classifier(model)
    with pytest.raises(ValueError, match=r"expected volumes \(N, 6, T, H, W\), got \(1, 7"):
        model(torch.rand(1, 7, 6, 20, 18))


@torch.no_grad()
def _check_kinds_of_volume(model: HeatmapNetwork) -> None:
    counted = torch.randint(0, 256, (2, 6, 6, 20, 18), dtype=torch.uint8)
    expected = model(counted.float() / 255)
    torch.testing.assert_close(model(counted), expected, rtol=1e-4, atol=1e-6)
    halved = (counted.float() / 255).half()
    torch.testing.assert_close(model(halved), model(halved.float()))
    last = counted.contiguous(memory_format=torch.channels_last_3d)
    torch.testing.assert_close(model(last), expected, rtol=1e-4, atol=1e-6)
    present = torch.tensor([[True, False], [True, True]])
    torch.testing.assert_close(model(counted, present), model(counted))


@torch.no_grad()
def _check_classifier(model: HeatmapNetwork) -> None:
    x = torch.rand(1, 6, 6, 20, 18)
    before = model.forward_features(x)
    assert before.shape == (1, model.num_features)
    model.reset_classifier(9)
    assert model.num_classes == 9
    assert model(x).shape == (1, 9)
    torch.testing.assert_close(model.forward_features(x), before)
