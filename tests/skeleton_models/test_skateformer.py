"""SkateFormer against the original, its biases, its persons."""

from __future__ import annotations

from functools import partial

import numpy as np
import pytest
import torch
from tests.skeleton_models import graph_checks
from torch import Tensor

from poses.layout import Layout, get_layout
from skeleton_models.skateformer import PUBLISHED_NAMES, SkateFormer, skateformer, skateformer_small
from weights.checkpoint import load_exactly, rename

PUBLISHED = {
    "nwucla": {"layout": "nwucla20", "num_classes": 10, "mlp_ratio": 1.0},
    "ntu": {"layout": "ntu25", "num_classes": 60, "persons": 2},
}


def _published(name: str) -> tuple[SkateFormer, dict[str, Tensor], Tensor]:
    """The model of a published configuration, a state dict of published names and shapes, its logits."""
    options = dict(PUBLISHED[name])
    model = skateformer(layout=get_layout(options.pop("layout")), as_released=True, **options).eval()
    state = graph_checks.published_state(f"skateformer_{name}")
    for entry in state:
        if entry.endswith("relative_position_index"):
            place = torch.arange(len(state[entry]))
            state[entry] = place[:, None] - place[None] + len(place) - 1
    return model, state, graph_checks.published_output(f"skateformer_{name}")


def _inputs(persons: int, joints: int) -> tuple[Tensor, Tensor]:
    """What the original was run on: joints in the layout's order, and positions."""
    rng = np.random.default_rng(0)
    x = rng.uniform(-1, 1, (2, persons, 64, joints, 3))
    position = np.sort(rng.uniform(-1, 1, (2, 64)), axis=1)
    return torch.as_tensor(x, dtype=torch.float32), torch.as_tensor(position, dtype=torch.float32)


def _tiny(layout: Layout, **options: object) -> SkateFormer:
    torch.manual_seed(0)
    options = {"channels": (16, 24), "depths": (1, 1), "heads": 8, "frames": 4} | options
    return SkateFormer(num_classes=5, layout=layout, attention_dropout=0.0, **options)


@pytest.mark.parametrize("name", PUBLISHED)
def test_the_original_with_the_same_weights_gives_the_same_logits(name: str) -> None:
    model, state, expected = _published(name)
    load_exactly(model, rename(state, PUBLISHED_NAMES["skateformer"]))
    x, position = _inputs(model.persons, 20 if name == "nwucla" else 25)
    with torch.no_grad():
        logits = model(x, position=position)
    torch.testing.assert_close(logits, expected, rtol=0, atol=1e-5 * float(expected.abs().max()))


def test_a_published_checkpoint_is_refused_where_the_bias_is_laid_out_as_in_the_paper() -> None:
    make = partial(skateformer, num_classes=10, layout=get_layout("nwucla20"), mlp_ratio=1.0)
    with pytest.raises(ValueError, match=r"of another shape \(16\)"):
        graph_checks.check_fits(make, PUBLISHED_NAMES["skateformer"], "skateformer_nwucla")


def test_the_bias_of_near_joints_tells_how_many_frames_apart() -> None:
    attention = _tiny(get_layout("nwucla20")).stages[0].blocks[0].attention[0]
    frame, joint = np.divmod(np.arange(16), 4)  # tokens go frame by frame: 4 frames of 4 joints
    expected = attention.bias[frame[:, None] - frame[None] + 3, 0]
    torch.testing.assert_close(attention._bias()[0], expected)
    far = _tiny(get_layout("nwucla20")).stages[0].blocks[0].attention[1]
    frame, joint = np.divmod(np.arange(20), 5)  # one joint of each of 5 groups
    expected = far.bias[frame[:, None] - frame[None] + 3, joint[:, None], joint[None], 0]
    torch.testing.assert_close(far._bias()[0], expected)


def test_evenly_spread_frames_need_no_position() -> None:
    model = _tiny(get_layout("nwucla20")).eval()
    x = torch.randn(2, 1, 8, 20, 3)
    spread = (torch.arange(8) / 4 - 1).expand(2, 8)
    torch.testing.assert_close(model(x), model(x, position=spread))
    assert (model(x) - model(x, position=spread + 0.5)).abs().max() > 1e-4


def test_joined_persons_attend_to_each_other() -> None:
    model = _tiny(get_layout("coco17"), persons=2).eval()
    x = torch.randn(1, 2, 8, 17, 3)
    apart = model.forward_features(x[:, [0, 1]])
    swapped = model.forward_features(x[:, [1, 0]])
    assert (apart - swapped).abs().max() > 1e-4
    with pytest.raises(ValueError, match=r"needs \(N, 2, T, V, C\), got 3 persons"):
        model(torch.randn(1, 3, 8, 17, 3))


def test_every_parameter_gets_a_gradient_and_the_classifier_can_be_new() -> None:
    model = _tiny(get_layout("coco17"))
    model.reset_classifier(7)
    x = torch.randn(4, 1, 16, 17, 3)
    model(x).square().sum().backward()
    without = [name for name, p in model.named_parameters() if p.grad is None or not p.grad.any()]
    assert not without
    assert model.get_classifier().out_features == model.num_classes == 7


def test_the_small_one_has_a_fifth_of_the_weights() -> None:
    options = {"num_classes": 10, "layout": get_layout("nwucla20"), "mlp_ratio": 1.0}
    large, small = (
        sum(p.numel() for p in build(**options).parameters()) for build in (skateformer, skateformer_small)
    )
    assert small < large / 5


def test_wrong_sizes_are_refused() -> None:
    with pytest.raises(ValueError, match="multiple of 8 frames, got 12"):
        _tiny(get_layout("coco17"))(torch.randn(1, 1, 12, 17, 3))
    with pytest.raises(ValueError, match="heads 12"):
        _tiny(get_layout("coco17"), heads=12)
