"""The ResNet over frames: torchvision's names and numbers, the two places in a block, memory order."""

from __future__ import annotations

import pytest
import torch
from tests.rgb_models import clip_checks
from tests.skeleton_models.named_weights import named_weights
from torch import Tensor, nn

from rgb_models.resnet2d import TORCHVISION_NAMES, Bottleneck, FrameResNet
from weights.checkpoint import load_exactly, rename

DEPTHS = (3, 4, 6, 3)


def published(width: int = 64, depths: tuple[int, ...] = DEPTHS, counts: bool = True) -> dict[str, Tensor]:
    """Names and shapes of torchvision's ResNet-50, written down from its state dict; on the meta device."""
    shapes: dict[str, tuple[int, ...]] = {"conv1.weight": (width, 3, 7, 7), "fc.weight": (1000, 32 * width)}
    norms = {"bn1": width}
    shapes["fc.bias"] = (1000,)
    channels = width
    for stage, blocks in enumerate(depths):
        planes = width * 2**stage
        for block in range(blocks):
            at = f"layer{stage + 1}.{block}."
            kernels = {"conv1": (planes, channels, 1), "conv2": (planes, planes, 3)}
            kernels["conv3"] = (4 * planes, planes, 1)
            norms |= {f"{at}bn1": planes, f"{at}bn2": planes, f"{at}bn3": 4 * planes}
            if not block:
                kernels["downsample.0"] = (4 * planes, channels, 1)
                norms[f"{at}downsample.1"] = 4 * planes
            shapes |= {f"{at}{name}.weight": (o, i, k, k) for name, (o, i, k) in kernels.items()}
            channels = 4 * planes
    for name, size in norms.items():
        shapes |= {f"{name}.{what}": (size,) for what in ("weight", "bias", "running_mean", "running_var")}
        if counts:
            shapes[f"{name}.num_batches_tracked"] = ()
    return {name: torch.zeros(shape, device="meta") for name, shape in shapes.items()}


def small(**options) -> FrameResNet:
    settings = {"num_classes": 5, "frames": 3, "width": 8, "depths": (2, 1, 1, 1)} | options
    return FrameResNet(settings.pop("make_block", Bottleneck), **settings)


class Recorder(nn.Module):
    """Keeps what comes, and sends on a multiple of it."""

    def __init__(self, factor: float = 1.0) -> None:
        super().__init__()
        self.factor = factor
        self.seen: Tensor | None = None

    def forward(self, x: Tensor) -> Tensor:
        self.seen = x.clone()
        return x * self.factor


@pytest.mark.parametrize(("counts", "entries"), [(True, 320), (False, 267)])
def test_torchvision_checkpoint_fits(counts: bool, entries: int) -> None:
    """resnet50-11ad3fa6 has 320 entries; resnet50-0676ba61, from before batches were counted, 267."""
    state = published(counts=counts)
    assert len(state) == entries
    with torch.device("meta"):
        model = FrameResNet(Bottleneck, num_classes=1000, frames=1).eval()
    load_exactly(model, rename(state, TORCHVISION_NAMES))
    assert sum(p.numel() for p in model.parameters()) == 25_557_032  # torchvision's table
    assert round(clip_checks.giga_operations(model, 1, 224), 2) == 4.11  # 4.089 without the batch norms


def test_as_any_clip_network() -> None:
    clip_checks.check_clip_network(small(), 33, 46)


def test_the_places_in_a_block() -> None:
    before, inside = Recorder(), Recorder(-1.0)
    block = Bottleneck(8, 4, 2, before, inside).eval()
    block.load_state_dict(named_weights(block.state_dict()))
    x = torch.rand(2, 8, 9, 7)
    with torch.no_grad():
        y = block(x)
        torch.testing.assert_close(before.seen, x)
        assert inside.seen is not None and inside.seen.shape == (2, 4, 5, 4)
        assert (inside.seen < 0).any() and (inside.seen > 0).any()  # before the ReLU
        hidden = block.conv3((-inside.seen).relu())
        torch.testing.assert_close(y, (hidden + block.downsample(x)).relu())
        before.factor = 0.0  # the branch, not the way around it
        assert not torch.allclose(block(x), y)
        plain = Bottleneck(8, 4, 2).eval()
        plain.load_state_dict(block.state_dict())
        inside.factor = before.factor = 1.0
        torch.testing.assert_close(plain(x), block(x))


def test_blocks_are_made_in_order() -> None:
    made = []

    def block(in_channels: int, planes: int, stride: int) -> nn.Module:
        made.append((in_channels, planes, stride))
        return Bottleneck(in_channels, planes, stride)

    small(make_block=block)
    assert made == [(8, 8, 1), (32, 8, 1), (32, 16, 2), (64, 32, 2), (128, 64, 2)]


def test_features_are_the_frames_mean() -> None:
    model = small(frame_dropout=0.9).eval()
    x = torch.rand(2, 3, 3, 33, 40)
    with torch.no_grad():
        frames = model.frame_features(x)
        assert frames.shape == (2, 3, 256)
        torch.testing.assert_close(model.forward_features(x), frames.mean(1))
        alone = small(frames=1).eval()
        alone.load_state_dict(model.state_dict())  # no weight depends on T
        torch.testing.assert_close(alone(x[:, :, 1:2]), model.fc(frames[:, 1]))
        dropped = model.train().frame_features(x) == 0
    assert 0.8 < dropped.float().mean() < 1.0
    assert not torch.equal(dropped[:, 0], dropped[:, 1])  # another mask for every frame


def test_memory_stays_channels_last() -> None:
    model = small().to(memory_format=torch.channels_last)
    x = torch.rand(2, 3, 32, 48, 3).permute(0, 4, 1, 2, 3)  # as `Preprocessing.normalise` gives frames
    orders = []
    for module in model.modules():
        if isinstance(module, nn.Conv2d):
            module.register_forward_pre_hook(
                lambda _, inputs: orders.append(inputs[0].is_contiguous(memory_format=torch.channels_last))
            )
    pointers = []
    model.conv1.register_forward_pre_hook(lambda _, inputs: pointers.append(inputs[0].data_ptr()))
    model(x)
    assert len(orders) == 20 and all(orders)
    assert pointers == [x.data_ptr()]  # not copied


def test_starts_from_pictures() -> None:
    def gated(in_channels: int, planes: int, stride: int) -> Bottleneck:
        return Bottleneck(in_channels, planes, stride, before=nn.BatchNorm2d(in_channels))

    model = small(make_block=gated)
    own = {name: tensor.clone() for name, tensor in model.state_dict().items()}
    empty = {name: torch.empty_like(t, device="cpu") for name, t in published(8, (2, 1, 1, 1), False).items()}
    pictures = named_weights(empty)
    model.load_pictures(pictures)
    state = model.state_dict()
    assert torch.equal(state["stages.1.0.downsample.conv.weight"], pictures["layer2.0.downsample.0.weight"])
    assert torch.equal(state["stages.3.0.conv3.bn.running_var"], pictures["layer4.0.bn3.running_var"])
    for name in ("fc.weight", "stages.0.1.before.weight"):
        assert torch.equal(state[name], own[name])
    del pictures["layer1.1.conv2.weight"]
    with pytest.raises(
        ValueError, match=r"missing \(1\): stages\.0\.1\.conv2\.conv\.weight; left over \(1\)"
    ):
        model.load_pictures(pictures | {"layer1.2.bn1.bias": torch.zeros(8)})


def test_a_new_classifier_lies_where_the_old_one_lay() -> None:
    model = small().double()
    model.reset_classifier(7)
    assert model.fc.weight.dtype == torch.float64
    assert model.fc.bias.count_nonzero() == 0 and 0 < model.fc.weight.std() < 0.002


@pytest.mark.parametrize("depths", [(), (1, 0), (1, 1, 1, 1, 1)])
def test_one_to_four_stages(depths: tuple[int, ...]) -> None:
    with pytest.raises(ValueError, match="expected the blocks, 1 or more, of one to four stages, got"):
        small(depths=depths)


def test_width() -> None:
    with pytest.raises(ValueError, match="FrameResNet: width must be a whole number of at least 1, got 0"):
        small(width=0)
