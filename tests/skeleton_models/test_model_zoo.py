"""What every network of the zoo keeps to."""

from __future__ import annotations

import pytest
import torch
from tests.skeleton_models.graph_checks import shake
from tests.skeleton_models.tiny import GRAPH, HEATMAP, fitting, tiny

from poses.layout import get_layout
from skeleton_models.zoo import MODELS, create_model, list_models, model_options, published_names

LAYOUTS = ("coco17", "nwucla20", "coco_wholebody133/micro44", "coco_wholebody133/hands")


def everybody(name: str) -> dict[str, int]:
    """Options under which all persons of a clip are computed together, where a network has them."""
    return {"persons": 3} if "persons" in model_options(name) else {}


@pytest.mark.parametrize("layout", LAYOUTS)
@pytest.mark.parametrize("name", GRAPH)
def test_graph_networks_take_every_layout_number_of_persons_and_confidence(name: str, layout: str) -> None:
    for channels, options in ((4, {}), (3, everybody(name))):
        model = tiny(name, layout, channels, **options)
        x = fitting(name, layout, persons=3, channels=channels)
        with torch.no_grad():
            features = model.eval().forward_features(x)
            assert features.shape == (2, model.num_features)
            logits = model(x)
        assert logits.shape == (2, 7) and torch.isfinite(logits).all()
        torch.testing.assert_close(model.forward_head(features), logits)


@pytest.mark.parametrize("name", GRAPH)
def test_absent_persons_are_never_computed(name: str) -> None:
    model = tiny(name)
    shake(model)
    x = fitting(name, clips=3, persons=2)
    position = torch.rand(3, 8, generator=torch.Generator().manual_seed(2)).sort(1).values
    present = torch.tensor([[True, True], [False, True], [False, False]])
    poisoned = torch.where(present[..., None, None, None], x, torch.nan)
    with torch.no_grad():
        features = model.eval().forward_features(poisoned, present, position)
        close = {"rtol": 1e-4, "atol": 1e-5 * features.abs().max().item()}
        both = model.forward_features(x[:1], None, position[:1])
        torch.testing.assert_close(features[:1], both, **close)
        second = model.forward_features(x[1:2, 1:], None, position[1:2])
        torch.testing.assert_close(features[1:2], second, **close)
    assert not features[2].any()
    assert model.train()(poisoned, present, position).isfinite().all()


@pytest.mark.parametrize("persons", [1, 2])
@pytest.mark.parametrize("name", GRAPH)
def test_a_batch_without_persons_has_features_of_zero(name: str, persons: int) -> None:
    model = tiny(name)
    x = torch.full_like(fitting(name, persons=persons), torch.nan)
    nobody = torch.zeros(2, persons, dtype=torch.bool)
    before = {key: tensor.clone() for key, tensor in model.state_dict().items()}
    for mode in (False, True):
        assert torch.equal(model.train(mode).forward_features(x, nobody), torch.zeros(2, model.num_features))
        expected = model.eval().forward_head(torch.zeros(2, model.num_features))
        torch.testing.assert_close(model.eval()(x, nobody), expected)
    model.train()(x, nobody).sum().backward()
    assert all(p.grad is not None and p.grad.isfinite().all() for p in model.parameters())
    assert all(torch.equal(tensor, before[key]) for key, tensor in model.state_dict().items())


@pytest.mark.parametrize("name", GRAPH)
def test_trains_on_one_person(name: str) -> None:
    model = tiny(name).train()
    present = torch.tensor([[False, False], [False, True]])
    model(fitting(name, persons=2), present).square().sum().backward()
    assert all(p.grad is not None and p.grad.isfinite().all() for p in model.parameters())


@pytest.mark.parametrize("name", HEATMAP)
@pytest.mark.parametrize("with_limbs", [False, True])
def test_heatmap_networks_take_joints_or_limbs(name: str, with_limbs: bool) -> None:
    layout = get_layout("nwucla20")
    model = tiny(name, "nwucla20", with_limbs=with_limbs).eval()
    x = torch.rand(2, len(layout.limbs if with_limbs else layout.joints), 8, 16, 16)
    with torch.no_grad():
        assert model(x).shape == (2, 7)
        assert model.forward_features(x).shape == (2, model.num_features)


@pytest.mark.parametrize("name", list_models())
def test_same_seed_same_weights_and_gradients_reach_them_all(name: str) -> None:
    model, again = (tiny(name).train() for _ in range(2))
    for (key, tensor), other in zip(model.state_dict().items(), again.state_dict().values(), strict=True):
        assert torch.equal(tensor, other), key
    model(fitting(name)).square().sum().backward()
    without = [key for key, parameter in model.named_parameters() if parameter.grad is None]
    assert not without


@pytest.mark.parametrize("name", list_models())
def test_a_new_classifier_leaves_the_rest_alone(name: str) -> None:
    model, x = tiny(name).eval(), fitting(name)
    with torch.no_grad():
        before = model.forward_features(x)
        model.reset_classifier(5)
        assert model.num_classes == 5
        assert model(x).shape == (2, 5)
        torch.testing.assert_close(model.forward_features(x), before)


@pytest.mark.parametrize("name", list_models())
def test_default_sizes_are_built_and_names_are_known(name: str) -> None:
    with torch.device("meta"):
        model = create_model(name, num_classes=60, layout="ntu25")
    assert published_names(name)
    assert model.num_classes == 60 and model.num_features > 64
    assert {"num_classes", "layout", "in_channels", "options"}.isdisjoint(model_options(name))
    assert any("dropout" in option for option in model_options(name))


def test_names_are_those_of_the_functions_and_patterns_find_them() -> None:
    assert all(entry.make.__name__ == name for name, entry in MODELS.items())
    assert list_models("stgcn*") == ["stgcn", "stgcnpp"]
    assert list_models("nothing*") == []


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        ({"name": "ctrgnc"}, "unknown model 'ctrgnc'; nearest: ctrgcn"),
        ({"name": "zzz"}, "unknown model 'zzz'; known: aagcn, agcn, ctrgcn"),
        ({"layout": "coco71"}, "nearest: coco17"),
        ({"layout": 17}, "layout: expected a Layout or a layout's name, got int"),
        ({"num_classes": 0}, "ctrgcn: num_classes must be a whole number of at least 1, got 0"),
        ({"num_classes": "7"}, "ctrgcn: num_classes must be a whole number of at least 1, got '7'"),
        ({"in_channels": 0}, "ctrgcn: in_channels must be a whole number of at least 1, got 0"),
        ({"convetion": "pyskl"}, "did you mean 'convention'[?] it takes dropout, temporal_dropout, conv"),
        ({"colour": 3}, "ctrgcn has no option 'colour'; it takes dropout"),
        ({"convention": "PYSKL"}, "ctrgcn: convention must be one of 'original', 'pyskl', got 'PYSKL'"),
        ({"inflate_stages": (12,)}, r"inflate_stages and down_stages must lie in 2\.\.10"),
    ],
)
def test_what_does_not_exist_is_refused_and_what_does_is_named(
    wrong: dict[str, object], message: str
) -> None:
    given = {"name": "ctrgcn", "num_classes": 2, "layout": "coco17", **wrong}
    with pytest.raises(ValueError, match=message):
        create_model(given.pop("name"), **given)


def test_a_choice_may_be_none_where_the_network_says_so() -> None:
    tiny("stgcn", adaptive=None)
    with pytest.raises(ValueError, match="'init', 'offset', 'importance', None, got 'none'"):
        tiny("stgcn", adaptive="none")
