"""VideoMAE against the implementations that wrote the golden files.

MCG-NJU/VideoMAE 14ef8d8 (`VisionTransformer`; of `PretrainVisionTransformer` only the names), and
open-mmlab/mmaction2 4d6c934 (`VisionTransformer` of vit_mae.py with `TimeSformerHead`).
"""

from __future__ import annotations

import sys

import numpy as np
import pytest
import torch
from tests.rgb_models.golden_entries import entries, output
from tests.skeleton_models.named_weights import named_input, named_weights
from torch import Tensor
from torch.utils.flop_counter import FlopCounterMode

from rgb_models import videomae
from rgb_models.videomae import PUBLISHED_NAMES, VideoMAE, fit_encoder, positions
from weights.checkpoint import load_exactly, rename

pytest.importorskip("transformers")

# The paper's comparison on Kinetics-400: million parameters and GFLOPs with 16 frames of 224 pixels.
PUBLISHED = {"small": (22, 57), "base": (87, 180), "large": (305, 597), "huge": (633, 1192)}


def small(**options) -> VideoMAE:
    return VideoMAE(num_classes=5, **({"frames": 4, "width": 48, "depth": 2, "heads": 3} | options))


def load(model: VideoMAE, state: dict[str, Tensor], toolbox: str) -> None:
    load_exactly(model, fit_encoder(rename(state, PUBLISHED_NAMES[toolbox]), model.state_dict()))


@pytest.mark.parametrize(
    ("toolbox", "golden", "shape", "grid"),
    [
        ("videomae", "videomae", (2, 3, 4, 32, 32), None),
        ("mmaction2", "videomae_mmaction2", (2, 3, 4, 48, 32), (14, 14)),  # positions of 224 px, interpolated
    ],
)
def test_equals_the_original(toolbox: str, golden: str, shape: tuple[int, ...], grid: tuple | None) -> None:
    model = small(trained_grid=grid)
    load(model, named_weights(entries(golden)), toolbox)
    with torch.no_grad():
        got = model.eval()(named_input(golden, shape))
    torch.testing.assert_close(got, output(golden), rtol=0, atol=1e-5)


@pytest.mark.parametrize("size", PUBLISHED)
def test_full_size_checkpoint_parameters_and_flops(size: str) -> None:
    with torch.device("meta"), torch.no_grad(), FlopCounterMode(display=False) as counted:
        model = getattr(videomae, f"videomae_{size}")(num_classes=400).eval()
        model(torch.empty(1, 3, 16, 224, 224))
    load(model, entries("videomae", size, "meta"), "videomae")
    million, giga = PUBLISHED[size]
    assert sum(p.numel() for p in model.parameters()) == pytest.approx(million * 1e6, rel=0.006)
    assert counted.get_total_flops() / 2 == pytest.approx(giga * 1e9, rel=0.003)


def test_mmaction2_checkpoint_fits() -> None:
    with torch.device("meta"):
        model = videomae.videomae_base(num_classes=400)
    load(model, entries("videomae_mmaction2", "base", "meta"), "mmaction2")


def test_pretraining_checkpoint_fits_but_for_what_fine_tuning_adds() -> None:
    with torch.device("meta"):
        model = videomae.videomae_base(num_classes=400)
    state = rename(entries("videomae", "pretrained", "meta"), PUBLISHED_NAMES["videomae_pretrained"])
    own = model.state_dict()
    fitted = fit_encoder(state, own)
    load_exactly(model, fitted)
    added = {"fc_norm.weight", "fc_norm.bias", "head.weight", "head.bias"}
    assert {name for name, tensor in fitted.items() if tensor is own[name]} == added
    del fitted["fc_norm.bias"]  # of a file that lacks only one of them, nothing is made up
    with pytest.raises(ValueError, match=r"missing \(1\): fc_norm.bias"):
        load_exactly(model, fit_encoder(fitted, own))


@pytest.mark.parametrize("biases", ["query.bias", "q_bias"])
def test_checkpoint_of_transformers_fits(biases: str) -> None:
    """Published files have `q_bias` and `v_bias`; transformers reads them as biases of query and value."""
    import transformers

    config = transformers.VideoMAEConfig(
        num_labels=400, use_mean_pooling=True, num_hidden_layers=2, num_frames=2
    )
    with torch.device("meta"):
        theirs = transformers.VideoMAEForVideoClassification(config).state_dict()
        ours = VideoMAE(num_classes=400, depth=2)
    if biases == "q_bias":
        theirs = {
            name.replace("query.bias", "q_bias").replace("value.bias", "v_bias"): tensor
            for name, tensor in theirs.items()
        }
        assert any(name.endswith("q_bias") for name in theirs)
    load(ours, theirs, "transformers")


def test_positions_are_sinusoids_of_the_running_number() -> None:
    table = positions(4, 32, 48, 6, grid=None)  # 2 * 2 * 3 tokens
    assert table.shape == (1, 12, 6)
    number = 7
    expected = [f(number / 10000 ** (2 * i / 6)) for i in range(3) for f in (np.sin, np.cos)]
    np.testing.assert_allclose(table[0, number], expected, rtol=1e-6)
    torch.testing.assert_close(positions(2, 224, 224, 6), positions(2, 224, 224, 6, grid=None))


def test_positions_of_other_sizes_lie_between_the_trained_ones() -> None:
    trained, got = positions(4, 224, 224, 8), positions(4, 160, 96, 8)
    assert got.shape == (1, 2 * 10 * 6, 8)
    slow = got[0, :, 6].reshape(2, 10, 6)  # the slowest sine grows with the number: a plane
    assert (slow.diff(dim=1) > 0).all()
    assert (slow.diff(dim=2) > 0).all()
    assert slow.min() > trained[0, :, 6].min() - 0.02
    assert slow.max() < trained[0, :, 6].max() + 0.02


def test_runs_block_by_block_at_any_length_and_size() -> None:
    model = small().eval()
    x = named_input("blocks", (1, 3, 6, 64, 32))
    with torch.no_grad():
        tokens, grid = model.embed(x)
        assert tokens.shape == (1, 3 * 4 * 2, 48)
        assert grid == (3, 4, 2)
        for block in model.blocks:
            tokens = block(tokens)
        torch.testing.assert_close(model.forward_tokens(x), tokens.reshape(1, 3, 4, 2, 48))
        again = small().eval()
        again.load_state_dict(model.state_dict())
        again.forward_tokens(named_input("blocks", (1, 3, 4, 32, 32)))  # another size before
        torch.testing.assert_close(again.forward_tokens(x), tokens.reshape(1, 3, 4, 2, 48))


def test_paths_are_dropped_clip_by_clip_in_training_only() -> None:
    torch.manual_seed(0)
    model = small(drop_path=0.5, depth=3)
    x = named_input("paths", (6, 3, 4, 32, 32))
    with torch.no_grad():
        whole = model.eval().forward_tokens(x)
        torch.testing.assert_close(model.forward_tokens(x), whole)
        tokens, _ = model.embed(x)
        tokens = model.train().blocks[0](tokens)  # nothing is dropped in the first block
        torch.testing.assert_close(tokens, model.eval().blocks[0](model.embed(x)[0]))
        block = model.blocks[2]
        branch = block.attention(block.layernorm_before(tokens))
        dropped = block.train().attention(block.layernorm_before(tokens))
    shares = (dropped / branch).flatten(1)
    assert sorted({round(share, 3) for share in shares.mean(dim=1).tolist()}) == [0.0, 2.0]
    assert (shares.std(dim=1) < 1e-3).all()


def test_channels_last_bf16_and_gradients() -> None:
    model = small(drop_path=0.0)
    x = named_input("memory", (2, 3, 4, 32, 32))
    plain = model(x)
    laid = model.to(memory_format=torch.channels_last_3d)(x.to(memory_format=torch.channels_last_3d))
    torch.testing.assert_close(laid, plain)
    with torch.autocast("cpu", torch.bfloat16):
        half = model(x)
    assert half.isfinite().all()
    laid.square().sum().backward()
    assert all(p.grad is not None and p.grad.isfinite().all() for p in model.parameters())


def test_frames_and_sizes_are_checked() -> None:
    with pytest.raises(ValueError, match=r"expected frames \(N, 3, 4, H, W\)"):
        small()(torch.zeros(1, 3, 6, 32, 32))
    with pytest.raises(ValueError, match="multiples of 16 pixels, got 4 frames of 40x32"):
        small().forward_tokens(torch.zeros(1, 3, 4, 40, 32))
    with pytest.raises(ValueError, match="frames must be a multiple of 2, got 5"):
        small(frames=5)
    with pytest.raises(ValueError, match=r"multiple of heads \(3\), got 50"):
        small(width=50)


def test_without_transformers_the_message_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "transformers", None)
    with pytest.raises(ImportError, match=r"pip install 'fidget\[rgb\]'"):
        small()


def test_classifier_is_replaced() -> None:
    model = small().double()
    model.reset_classifier(7)
    assert model.num_classes == 7
    assert model.get_classifier().weight.dtype == torch.float64
    assert model.get_classifier().out_features == 7
