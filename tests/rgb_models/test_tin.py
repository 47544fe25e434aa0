"""TIN against both originals.

Golden files: MMAction2 4d6c934, `ResNetTIN` with `TSMHead`, width 16 for 64; deepcs233/TIN 801494a, `TSN`
with `tin`, around a ResNet of torchvision's names and width 16. In place of their compiled shift stood its
CUDA kernel as a loop over clips, channels and frames: out[i + shift] = in[i].
"""

from __future__ import annotations

from collections import Counter

import pytest
import torch
from tests.rgb_models import clip_checks
from tests.skeleton_models.named_weights import named_input
from torch import Tensor
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils.flop_counter import FlopCounterMode

from rgb_models.tin import FIRST_OFFSET, PUBLISHED_NAMES, TemporalInterlace, Tin, interlacing, tin_r50

GOLDEN = {"mmaction2": "tin_mmaction2", "tin": "tin_original"}


def small(**options) -> Tin:
    return Tin(**{"num_classes": 5, "frames": 4, "width": 16, "depths": (2, 1, 1, 1)} | options)


@pytest.mark.parametrize("toolbox", GOLDEN)
def test_equals_the_original(toolbox: str) -> None:
    x = named_input(GOLDEN[toolbox], (2, 3, 4, 37, 45))
    clip_checks.check_golden(small(), PUBLISHED_NAMES[toolbox], GOLDEN[toolbox], x)


@pytest.mark.parametrize("toolbox", GOLDEN)
def test_full_size_checkpoint_fits(toolbox: str) -> None:
    clip_checks.check_published(
        lambda: tin_r50(num_classes=400), PUBLISHED_NAMES[toolbox], GOLDEN[toolbox], 24.4
    )


class Elements(TorchDispatchMode):
    """How many values enter every kind of operation."""

    def __init__(self) -> None:
        super().__init__()
        self.entered: Counter[str] = Counter()

    def __torch_dispatch__(self, func, types, args=(), kwargs=None):
        self.entered[func.overloadpacket.__name__.rstrip("_")] += (
            args[0].numel() if isinstance(args[0], Tensor) else 0
        )
        return func(*args, **(kwargs or {}))


@pytest.mark.parametrize(
    ("classes", "parameters", "operations"),
    [(174, 23_895_566, 32_962_097_536), (400, 24_358_640, 32_965_800_320)],
)
def test_published_size(classes: int, parameters: int, operations: int) -> None:
    """To the last digit: configs/recognition/tin/metafile.yml, 8 frames of 224 pixels.

    Its counter takes one for a multiply-add, for a convolution's bias, and for every value that enters a ReLU
    or a pooling; two for those of a batch norm; it does not know the shift, and classifies every frame.
    """
    with torch.device("meta"):
        model = tin_r50(num_classes=classes).eval()
        x = torch.empty(1, 3, 8, 224, 224)
    assert sum(p.numel() for p in model.parameters()) == parameters
    with torch.no_grad(), FlopCounterMode(display=False) as counter:
        model(x)
    with torch.no_grad(), Elements() as elements:
        model(x)
    flops = counter.get_flop_counts()["Global"]
    multiply_adds = (flops[torch.ops.aten.convolution] + flops[torch.ops.aten.addmm]) // 2
    frame_by_frame = 7 * 2048 * classes
    biases = 16 * 8 * (2 + 1)
    entered = elements.entered
    pooled = entered["max_pool2d_with_indices"] + 8 * 2048 * 7 * 7
    once = multiply_adds + frame_by_frame + biases + entered["relu"] + pooled
    assert once + 2 * entered["native_batch_norm"] == operations


def test_as_any_clip_network() -> None:
    clip_checks.check_clip_network(small(dropout=0.0), 33, 46)


def test_a_fresh_one_moves_half_a_frame() -> None:
    module = TemporalInterlace(64, 8)
    torch.nn.init.zeros_(module.fc2.weight)
    torch.nn.init.zeros_(module.gate.weight)
    offsets, weights = module.offsets_and_weights(torch.rand(3, 16, 8))
    assert FIRST_OFFSET == 0.5108
    torch.testing.assert_close(offsets, torch.tensor([[0.5, 0.5, -0.5, -0.5]] * 3), atol=1e-4, rtol=0)
    assert torch.equal(weights, torch.ones(3, 8, 4))
    assert torch.equal(module(x := torch.rand(8, 64, 2, 2))[:, 16:], x[:, 16:])


@pytest.mark.parametrize("offset", [0.0, 0.3, 1.0, -0.25, -2.0, -2.6, 3.4, 5.0, -4.0])
def test_interlacing_by_the_definition(offset: float) -> None:
    """Shifts by the whole frames below and above, as the compiled one does them, and between them a line."""
    frames = torch.tensor([1.0, 10.0, 100.0, 1000.0])
    below = int(torch.tensor(offset).floor())

    def shifted(by: int) -> Tensor:
        out = torch.zeros(4)
        for i in range(4):
            if 0 <= i + by < 4:
                out[i + by] = frames[i]
        return out

    expected = (1 - (offset - below)) * shifted(below) + (offset - below) * shifted(below + 1)
    torch.testing.assert_close(interlacing(torch.tensor([[offset]]), 4)[0, 0] @ frames, expected)


def test_gradients_of_the_interlacing() -> None:
    offsets = torch.tensor([[0.3, -1.7], [2.4, -0.6]], dtype=torch.float64, requires_grad=True)
    assert torch.autograd.gradcheck(lambda o: interlacing(o, 4), (offsets,))
    whole = torch.tensor([[1.0]], requires_grad=True)
    interlacing(whole, 4)[0, 0, 3].dot(torch.tensor([1.0, 10.0, 100.0, 1000.0])).backward()
    assert whole.grad.item() == 10 - 100  # frame 3 was frame 2, and goes towards frame 1


@pytest.mark.parametrize("order", [torch.contiguous_format, torch.channels_last])
def test_memory_order_is_kept(order: torch.memory_format) -> None:
    module = TemporalInterlace(32, 4)
    x = torch.rand(8, 32, 3, 5)
    out = module(x.to(memory_format=order))
    assert out.is_contiguous(memory_format=order)
    torch.testing.assert_close(out, module(x))


def test_channels_that_do_not_fall_into_groups() -> None:
    with pytest.raises(ValueError, match=r"a multiple of 4 channels to move, got 2 .* multiple of 16"):
        small(width=8)
