"""TimeSformer against the implementations that wrote the golden files.

facebookresearch/TimeSformer a5ef29a (`VisionTransformer` of vit.py), and open-mmlab/mmaction2
4d6c934 (`TimeSformer` with `TimeSformerHead`).
"""

from __future__ import annotations

import re

import pytest
import torch
from tests.rgb_models.golden_entries import entries, output
from tests.skeleton_models.named_weights import named_input, named_weights
from torch.utils.flop_counter import FlopCounterMode

from rgb_models.timesformer import PUBLISHED_NAMES, TimeSformer, fit_embeddings, timesformer_base
from weights.checkpoint import load_exactly, rename

pytest.importorskip("transformers")

TOOLBOXES = {"timesformer": "timesformer", "mmaction2": "timesformer_mmaction2"}


def small(**options) -> TimeSformer:
    return TimeSformer(
        num_classes=5, **({"frames": 3, "size": 48, "width": 48, "depth": 2, "heads": 3} | options)
    )


@pytest.mark.parametrize("toolbox", TOOLBOXES)
def test_equals_the_original(toolbox: str) -> None:
    model = small()
    load_exactly(model, rename(named_weights(entries(TOOLBOXES[toolbox])), PUBLISHED_NAMES[toolbox]))
    with torch.no_grad():
        got = model.eval()(named_input("timesformer", (2, 3, 3, 48, 48)))
    torch.testing.assert_close(got, output(TOOLBOXES[toolbox]), rtol=0, atol=1e-5)


@pytest.mark.parametrize("toolbox", TOOLBOXES)
def test_full_size_checkpoint_fits(toolbox: str) -> None:
    with torch.device("meta"):
        model = timesformer_base(num_classes=400)
    load_exactly(model, rename(entries(TOOLBOXES[toolbox], "base", "meta"), PUBLISHED_NAMES[toolbox]))


def test_checkpoint_of_transformers_fits() -> None:
    import transformers

    with torch.device("meta"):
        theirs = transformers.TimesformerForVideoClassification(
            transformers.TimesformerConfig(num_labels=400)
        )
        ours = timesformer_base(num_classes=400)
    load_exactly(ours, rename(theirs.state_dict(), PUBLISHED_NAMES["transformers"]))


def test_parameters_and_flops_are_the_published_ones() -> None:
    """Table 2 of the paper: 121.4 M parameters, 0.59 TFLOPs of three views; MMAction2: 122 M and 196 G."""
    with torch.device("meta"), torch.no_grad(), FlopCounterMode(display=False) as counted:
        model = timesformer_base(num_classes=400).eval()
        model(torch.empty(1, 3, 8, 224, 224))
    assert sum(parameter.numel() for parameter in model.parameters()) == 121_566_352
    assert counted.get_total_flops() / 2 == pytest.approx(196e9, rel=0.002)


def test_embeddings_of_another_length_and_size_are_the_nearest_ones() -> None:
    state = named_weights(small(frames=2, size=32).state_dict())
    own = small(frames=4, size=64).state_dict()
    fitted = fit_embeddings(state, own)
    assert {name: tensor.shape for name, tensor in fitted.items()} == {n: t.shape for n, t in own.items()}
    time, place = (f"backbone.embeddings.{what}_embeddings" for what in ("time", "position"))
    assert torch.equal(fitted[time][0], state[time][0, [0, 0, 1, 1]])
    assert torch.equal(fitted[place][0, 0], state[place][0, 0])
    old = state[place][0, 1:].reshape(2, 2, -1)
    assert torch.equal(fitted[place][0, 1:].reshape(4, 4, -1)[1, 2], old[0, 1])
    assert torch.equal(fitted[place][0, 1:].reshape(4, 4, -1)[3, 1], old[1, 0])
    unchanged = fit_embeddings(state, state)
    assert all(unchanged[name] is tensor for name, tensor in state.items())


def test_fresh_network_begins_without_time_and_drops_paths_only_in_training() -> None:
    torch.manual_seed(0)
    model = small(drop_path=0.5)
    x = named_input("fresh", (1, 3, 3, 48, 48))
    with torch.no_grad():
        model.backbone.embeddings.time_embeddings.zero_()
        assert torch.allclose(model.eval()(x), model(x[:, :, [2, 0, 1]]), atol=1e-5)  # frames in any order
        assert not torch.allclose(model.train()(x), model(x))


def test_begins_from_pictures_as_the_pictures_network() -> None:
    """A clip that stands still gives what its picture gives; the names are those of timm's ViT."""
    torch.manual_seed(0)
    kept = re.compile(r"temporal_|time_embed|head")
    pictures = {
        name.removeprefix("model."): tensor
        for name, tensor in named_weights(entries("timesformer")).items()
        if not kept.search(name)
    }
    pictures |= {"head.weight": torch.zeros(1000, 48), "head.bias": torch.zeros(1000)}
    model = small().eval()
    head = model.head.weight.clone()
    model.load_pictures(pictures)
    layer = model.backbone.encoder.layer[1]
    assert torch.equal(layer.temporal_attention.attention.qkv.weight, pictures["blocks.1.attn.qkv.weight"])
    assert torch.equal(layer.temporal_layernorm.weight, pictures["blocks.1.norm1.weight"])
    assert torch.equal(model.head.weight, head)
    one = small(frames=1).eval()
    one.load_pictures(pictures)
    x = named_input("picture", (1, 3, 1, 48, 48))
    with torch.no_grad():
        torch.testing.assert_close(model.forward_features(x.repeat(1, 1, 3, 1, 1)), one.forward_features(x))
    with pytest.raises(ValueError, match=r"missing \(2\): .*blocks.1|missing \(2\): .*layer.1"):
        model.load_pictures({name: t for name, t in pictures.items() if name != "blocks.1.norm1.weight"})


def test_frames_and_sizes_are_checked() -> None:
    model = small()
    with pytest.raises(ValueError, match=r"expected frames \(N, 3, 3, H, W\)"):
        model(torch.zeros(1, 3, 4, 48, 48))
    with pytest.raises(ValueError, match="expected frames of 48x48 pixels, got 48x32"):
        model(torch.zeros(1, 3, 3, 48, 32))
    with pytest.raises(ValueError, match="size must be a multiple of 16"):
        small(size=40)
    with pytest.raises(ValueError, match=r"multiple of heads \(3\), got 50"):
        small(width=50)
    with pytest.raises(ValueError, match="drop_path"):
        small(drop_path=1.5)


def test_classifier_is_replaced() -> None:
    model = small().double()
    model.reset_classifier(7)
    assert model.num_classes == 7
    assert model.get_classifier().weight.dtype == torch.float64
    assert model.get_classifier().out_features == 7
