"""AdaTAD against OpenTAD 3dd7b03 (`VisionTransformerAdapter`, `Adapter`), which wrote the golden file.

Its backbone ran on two windows of two chunks of four frames; the mean over the picture, the joining of the
chunks and the interpolation to eight points are those of its configuration's pipeline.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from tests.skeleton_models.named_weights import named_input, named_weights
from torch import Tensor, nn

from rgb_models import videomae
from rgb_models.videomae import VideoMAE, fit_encoder, positions
from temporal_detection import adatad
from temporal_detection.adapters import TemporalAdapter
from temporal_detection.adatad import AdaTAD, load_opentad
from temporal_detection.detector import Detector, DetectorOutput, points_of

pytest.importorskip("transformers")

GOLDEN = Path(__file__).parent / "golden" / "adatad_opentad.npz"
PREFIX = "backbone.model.backbone."
ENCODER = videomae.PUBLISHED_NAMES["mmaction2"]
HEAD_NAMES = [(r"^rpn_head\.", "")]


class Flat(Detector):
    """One level, a linear layer."""

    def __init__(self, channels: int, num_classes: int = 3) -> None:
        super().__init__()
        self.num_classes, self.strides = num_classes, (1,)
        self.linear = nn.Linear(channels, num_classes + 2)

    def forward(self, x: Tensor, valid: Tensor) -> DetectorOutput:
        said = self.linear(x.transpose(1, 2))
        position, stride = points_of([x.shape[2]], self.strides, x)
        return DetectorOutput(position, stride, said[..., 2:], said[..., :2].relu(), valid)


def published(key: str, prefix: str = "", device: str = "cpu") -> dict[str, Tensor]:
    """OpenTAD's names and shapes as the golden file has them; 7 there is what a detector takes."""
    with np.load(GOLDEN) as file:
        rows = [line.split(" ") for line in str(file[key]).split("\n")]
    return {
        prefix + name: torch.zeros([int(axis) for axis in shape.split(",") if axis], device=device)
        for name, shape in rows
    }


def entries() -> dict[str, Tensor]:
    """OpenTAD's names of the narrow backbone, and those of a detector as small as ours here."""
    head = {"rpn_head.linear.weight": torch.zeros(5, 48), "rpn_head.linear.bias": torch.zeros(5)}
    return published("entries", PREFIX) | head


def small(**options) -> AdaTAD:
    encoder = VideoMAE(num_classes=4, frames=4, width=48, depth=3, heads=3, drop_path=0.0)
    given = {"num_classes": 3, "detector": Flat(48), "chunk_frames": 4}
    return AdaTAD(encoder=encoder, **(given | options))


def load(model: AdaTAD, state: dict[str, Tensor]) -> None:
    load_opentad(model, state, ENCODER, fit_encoder, HEAD_NAMES, None)


def test_equals_the_original() -> None:
    model = small().eval()
    load(model, named_weights(entries()))
    with torch.no_grad():
        got = model.features(named_input("adatad", (2, 3, 8, 48, 32)), 8)
    with np.load(GOLDEN) as file:
        torch.testing.assert_close(got, torch.from_numpy(file["output"]), rtol=0, atol=1e-5)


def test_adapter_equals_the_original() -> None:
    adapter = TemporalAdapter(48)
    adapter.load_state_dict(named_weights(adapter.state_dict()))
    with torch.no_grad():
        got = adapter(named_input("adapter", (4, 6, 48)), (3, 2, 1), windows=2)
    with np.load(GOLDEN) as file:
        torch.testing.assert_close(got, torch.from_numpy(file["adapter"]), rtol=0, atol=1e-5)


@pytest.mark.parametrize("size", ["small", "base", "large", "huge"])
def test_published_names_fit_at_full_size(size: str) -> None:
    with torch.device("meta"):
        encoder = getattr(videomae, f"videomae_{size}")(num_classes=400)
        model = getattr(adatad, f"adatad_{size}")(num_classes=65, encoder=encoder)
    state = published(size, PREFIX, "meta") | published("detector", device="meta")
    first = "projection.embed.0.conv.weight"
    state[first] = state[first][:, :1].expand(-1, encoder.num_features, -1)
    load_opentad(model, state, ENCODER, fit_encoder)
    del state[PREFIX + "blocks.1.adapter.gamma"]
    with pytest.raises(ValueError, match=r"missing \(1\): 1.gamma"):
        load_opentad(model, state, ENCODER, fit_encoder)


def test_a_checkpoint_without_its_names_is_refused() -> None:
    with pytest.raises(ValueError, match="none of which belongs to its encoder or its adapters"):
        load(small(), {"conv1.weight": torch.zeros(3), "fc.weight": torch.zeros(3)})
    plain = {name: tensor for name, tensor in entries().items() if "adapter" not in name}
    with pytest.raises(ValueError, match="none of which belongs to its adapters"):
        load(small(), plain)


def test_adapters_begin_as_the_identity() -> None:
    model = small().eval()
    x = named_input("identity", (1, 3, 8, 32, 32))
    with torch.no_grad():
        chunks = [model.encoder.forward_tokens(part).mean(dim=(2, 3)) for part in x.split(4, dim=2)]
        plain = torch.cat(chunks, dim=1).transpose(1, 2)  # (1, D, 4)
        torch.testing.assert_close(model.features(x, 4), plain)


def test_adapters_join_the_chunks() -> None:
    torch.manual_seed(0)
    model = small().eval()
    x = named_input("chunks", (1, 3, 24, 16, 16))
    other = x.clone()
    other[:, :, 4:8] += 1  # the second chunk of six

    def changed() -> list[bool]:
        with torch.no_grad():
            difference = (model.features(x, 12) - model.features(other, 12)).abs().amax(dim=(0, 1))
        return [bool(chunk.max() > 0) for chunk in difference.split(2)]

    assert changed() == [False, True, False, False, False, False]
    for adapter in model.adapters:
        nn.init.normal_(adapter.up_proj.weight, std=1.0)
    assert changed() == [True, True, True, True, True, False]  # each of three blocks reaches the next chunk


def test_frozen_is_what_has_weights_in_the_encoder_and_nothing_else() -> None:
    encoder = VideoMAE(num_classes=4, frames=4, width=48, depth=3, heads=3, drop_path=0.5)
    model = AdaTAD(encoder=encoder, num_classes=3, detector=Flat(48), chunk_frames=4).train()
    trained = {name.split(".")[0] for name, p in model.named_parameters() if p.requires_grad}
    assert trained == {"adapters", "detector"}
    assert not any(module.training for module in model.encoder.modules() if list(module.parameters()))
    assert model.encoder.blocks[2].output.dropout.training  # paths are dropped
    assert not any(module.training for module in model.eval().modules())
    assert not any(name.startswith(("encoder.head", "encoder.fc_norm")) for name in model.state_dict())


def test_checkpointing_changes_no_gradient() -> None:
    gradients = []
    x, valid = named_input("gradient", (1, 3, 8, 32, 32)), torch.ones(1, 8, dtype=torch.bool)
    for checkpointing in (False, True):
        model = small(checkpointing=checkpointing)
        model.load_state_dict(named_weights(model.state_dict()))
        model.train()(x, valid).logits.square().sum().backward()
        assert all(p.grad is None for p in model.encoder.parameters())
        gradients.append([p.grad for p in (*model.adapter_parameters(), *model.detector.parameters())])
    assert all(g is not None and g.abs().sum() > 0 for g in gradients[0])
    torch.testing.assert_close(*gradients)


def test_learns_where_a_light_is_on() -> None:
    torch.manual_seed(0)
    model = small().train()
    optimizer = torch.optim.AdamW([p for p in model.parameters() if p.requires_grad], lr=0.01)
    x = torch.randn(4, 3, 16, 16, 16) * 0.1
    on = torch.zeros(4, 16)
    for n, start in enumerate((0, 4, 8, 12)):
        on[n, start : start + 4] = 1
    x += on[:, None, :, None, None]
    losses = []
    for _ in range(15):
        logits = model(x, on >= 0).logits[..., 0]
        loss = nn.functional.binary_cross_entropy_with_logits(logits, on)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        losses.append(loss.item())
    assert losses[-1] < 0.3 * losses[0]


def test_sizes_are_checked() -> None:
    model, valid = small(), torch.ones(1, 6, dtype=torch.bool)
    with pytest.raises(ValueError, match=r"F a multiple of 4 and of 6 points, got \(1, 3, 6, 32, 32\)"):
        model(torch.zeros(1, 3, 6, 32, 32), valid)
    with pytest.raises(ValueError, match="F a multiple of 4 and of 6 points"):
        model(torch.zeros(1, 3, 8, 32, 32), valid)
    with pytest.raises(ValueError, match="multiples of 16 pixels"):
        model(torch.zeros(1, 3, 12, 40, 32), valid)
    with pytest.raises(ValueError, match="Linear has no num_features, blocks, embed; build one of videomae"):
        AdaTAD(encoder=nn.Linear(2, 2), num_classes=3)
    with pytest.raises(ValueError, match="expected a detector of 4 actions, got 3"):
        small(num_classes=4)
    with pytest.raises(ValueError, match="adatad_base: expected an encoder of 768 features, videomae_base"):
        adatad.adatad_base(num_classes=3, encoder=small().encoder)
    with pytest.raises(ValueError, match=r"odd kernel, got ratio 0\.25 and kernel 2"):
        TemporalAdapter(8, kernel=2)


def test_positions_are_not_of_the_checkpoint() -> None:
    """What OpenTAD stores as `pos_embed` is what the encoder computes."""
    state = entries()
    assert state[PREFIX + "pos_embed"].shape == (1, 2 * 14 * 14, 48)
    torch.testing.assert_close(positions(4, 224, 224, 48).shape, state[PREFIX + "pos_embed"].shape)
