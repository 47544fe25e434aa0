"""What every network of the zoo keeps to."""

from __future__ import annotations

import pytest
import torch

from poses.layout import get_layout
from skeleton_models.zoo import MODELS, create_model, list_models, published_names

FRAMES = {"sgn": 20, "skateformer": 64, "skateformer_small": 64, "mmn": 64}
LAYOUTS = ("coco17", "nwucla20", "coco_wholebody133/micro44")
PERSONS = ("skateformer", "skateformer_small", "mmn", "sgn")
GRAPH = [n for n in list_models() if not n.startswith(("posec3d", "rgbpose"))]
HEATMAP = [n for n in list_models() if n not in GRAPH]


def _model(name: str, layout: str = "coco17", in_channels: int | None = 3, **options):
    torch.manual_seed(0)
    return create_model(name, num_classes=7, layout=layout, in_channels=in_channels, **options)


def _input(name: str, layout: str, persons: int = 1, channels: int = 3, clips: int = 2) -> torch.Tensor:
    generator = torch.Generator().manual_seed(1)
    shape = (clips, persons, FRAMES.get(name, 16), len(get_layout(layout).joints), channels)
    return torch.randn(shape, generator=generator)


@pytest.mark.parametrize("layout", LAYOUTS)
@pytest.mark.parametrize("name", GRAPH)
def test_graph_networks_take_every_layout_and_confidence(name, layout) -> None:
    model = _model(name, layout, in_channels=4)
    x = _input(name, layout, channels=4)
    with torch.no_grad():
        features = model.eval().forward_features(x)
        assert features.shape == (2, model.num_features)
        logits = model(x)
    assert logits.shape == (2, 7) and torch.isfinite(logits).all()
    torch.testing.assert_close(model.forward_head(features), logits)


@pytest.mark.parametrize("name", GRAPH)
def test_absent_persons_change_nothing(name) -> None:
    model = _model(name).eval()
    x = _input(name, "coco17", persons=2)
    x[0, 1] = 0
    present = torch.tensor([[True, False], [True, True]])
    with torch.no_grad():
        masked = model(x, present)
        noisy = x.clone()
        noisy[0, 1] = 100.0  # never looked at
        torch.testing.assert_close(model(noisy, present), masked)
        torch.testing.assert_close(model(x[:1, :1]), masked[:1], rtol=1e-4, atol=1e-5)
        one_empty = model(x, torch.tensor([[False, False], [True, True]]))
    torch.testing.assert_close(one_empty[1:], masked[1:], rtol=1e-4, atol=1e-5)
    assert torch.isfinite(one_empty).all()


@pytest.mark.parametrize("name", HEATMAP)
@pytest.mark.parametrize("with_limbs", [False, True])
def test_heatmap_networks_take_joints_or_limbs(name, with_limbs) -> None:
    layout = get_layout("nwucla20")
    channels = len(layout.limbs if with_limbs else layout.joints)
    model = _model(name, "nwucla20", None, with_limbs=with_limbs).eval()
    x = torch.rand(2, channels, 8, 16, 16, generator=torch.Generator().manual_seed(1))
    with torch.no_grad():
        assert model(x).shape == (2, 7)
        assert model.forward_features(x).shape == (2, model.num_features)


@pytest.mark.parametrize("name", list_models())
def test_same_seed_same_weights_and_gradients_reach_them_all(name) -> None:
    model, again = (_model(name, in_channels=3 if name in GRAPH else 17).train() for _ in range(2))
    for (key, tensor), other in zip(model.state_dict().items(), again.state_dict().values(), strict=True):
        assert torch.equal(tensor, other), key
    x = _input(name, "coco17") if name in GRAPH else torch.rand(2, 17, 8, 16, 16)
    torch.manual_seed(3)
    model(x).square().sum().backward()
    without = [key for key, parameter in model.named_parameters() if parameter.grad is None]
    assert not without


@pytest.mark.parametrize("name", list_models())
def test_a_new_classifier_leaves_the_rest_alone(name) -> None:
    model = _model(name, in_channels=3 if name in GRAPH else 17).eval()
    x = _input(name, "coco17") if name in GRAPH else torch.rand(2, 17, 8, 16, 16)
    with torch.no_grad():
        before = model.forward_features(x)
        model.reset_classifier(5)
        assert model.num_classes == 5
        assert model(x).shape == (2, 5)
        torch.testing.assert_close(model.forward_features(x), before)


@pytest.mark.parametrize("name", list_models())
def test_every_network_knows_published_names(name) -> None:
    assert published_names(name)


def test_names_are_those_of_the_functions_and_patterns_find_them() -> None:
    assert all(entry.make.__name__ == name for name, entry in MODELS.items())
    assert list_models("stgcn*") == ["stgcn", "stgcnpp"]
    assert list_models("nothing*") == []


def test_unknown_names_are_refused() -> None:
    with pytest.raises(ValueError, match="nearest: ctrgcn"):
        create_model("ctrgnc", num_classes=2, layout="coco17")
    with pytest.raises(ValueError, match="nearest: coco17"):
        create_model("ctrgcn", num_classes=2, layout="coco71")
    with pytest.raises(TypeError, match="colour"):
        create_model("stgcn", num_classes=2, layout="coco17", colour=3)
