"""SkateFormer against the original, its biases, its persons."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from tests.skeleton_models.named_weights import named_weights
from torch import Tensor

from poses.layout import Layout, get_layout
from skeleton_models.checkpoint import load_exactly, rename
from skeleton_models.skateformer import PUBLISHED_NAMES, SkateFormer, skateformer, skateformer_small

GOLDEN = Path(__file__).parent / "golden"
PUBLISHED = {
    "nwucla": {"layout": "nwucla20", "num_classes": 10, "mlp_ratio": 1.0},
    "ntu": {"layout": "ntu25", "num_classes": 60, "persons": 2},
}


def _published(name: str) -> tuple[SkateFormer, dict[str, Tensor], Tensor]:
    """The model of a published configuration, a state dict of published names and shapes, its logits."""
    options = dict(PUBLISHED[name])
    model = skateformer(layout=get_layout(options.pop("layout")), as_released=True, **options).eval()
    with np.load(GOLDEN / f"skateformer_{name}.npz") as golden:
        names, shapes = str(golden["names"]).split("\n"), str(golden["shapes"]).split("\n")
        logits = torch.from_numpy(golden["logits"])
    state = {}
    for entry, shape in zip(names, shapes, strict=True):
        sizes = [int(size) for size in shape.split(",") if size]
        state[entry] = torch.zeros(sizes, dtype=torch.float32 if _is_float(entry) else torch.int64)
    state = named_weights(state)
    for entry in state:
        if entry.endswith("relative_position_index"):
            place = torch.arange(len(state[entry]))
            state[entry] = place[:, None] - place[None] + len(place) - 1
    return model, state, logits


def _is_float(entry: str) -> bool:
    return not entry.endswith(("relative_position_index", "num_batches_tracked"))


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
    _, state, _ = _published("nwucla")
    model = skateformer(num_classes=10, layout=get_layout("nwucla20"), mlp_ratio=1.0)
    with pytest.raises(ValueError, match=r"of another shape \(16\)"):
        load_exactly(model, rename(state, PUBLISHED_NAMES["skateformer"]))


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


@pytest.mark.parametrize("persons", [1, 2, 3])
@pytest.mark.parametrize("layout", ["nwucla20", "coco17", "coco_wholebody133/micro44"])
def test_any_layout_and_persons_joined_or_alone_with_confidence(layout: str, persons: int) -> None:
    joints = len(get_layout(layout).joints)
    x = torch.randn(2, persons, 8, joints, 4)
    for joined in {1, persons}:
        model = _tiny(get_layout(layout), persons=joined, in_channels=4)
        assert model(x).shape == (2, 5)


def test_absent_persons_are_not_computed() -> None:
    model = _tiny(get_layout("coco17")).eval()
    x = torch.randn(3, 2, 8, 17, 3)
    position = torch.rand(3, 8).sort(1).values
    present = torch.tensor([[True, True], [False, True], [False, False]])
    features = model.forward_features(x, present, position)
    torch.testing.assert_close(features[0], model.forward_features(x[:1], None, position[:1])[0])
    torch.testing.assert_close(features[1], model.forward_features(x[1:2, 1:], None, position[1:2])[0])
    assert not features[2].any()
    assert not model.forward_features(x, torch.zeros_like(present)).any()


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


def test_exports_agree_with_eager(tmp_path: Path) -> None:
    import onnxruntime

    model = _tiny(get_layout("nwucla20"), frames=2, channels=(16,), depths=(1,)).eval()
    x = torch.randn(2, 2, 4, 20, 3)
    expected = model(x).detach()
    exported = torch.export.export(model, (x,), dynamic_shapes=({0: torch.export.Dim("n", min=2)},))
    other = torch.randn(3, 2, 4, 20, 3)
    torch.testing.assert_close(exported.module()(other), model(other), rtol=0, atol=1e-4)
    file = str(tmp_path / "skate.onnx")
    torch.onnx.export(model, (x,), file, opset_version=17, dynamo=False, input_names=["x"])
    (logits,) = onnxruntime.InferenceSession(file).run(None, {"x": x.numpy()})
    np.testing.assert_allclose(logits, expected.numpy(), atol=1e-4)
