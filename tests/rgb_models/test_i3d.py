"""I3D-R50 against MMAction2: `ResNet3d` with `I3DHead`, as configured for ResNet-50 and 32 frames."""

from __future__ import annotations

import pytest
import torch
from tests.rgb_models import clip_checks
from tests.skeleton_models.named_weights import named_input, named_weights

from rgb_models.i3d import I3D, PUBLISHED_NAMES, i3d_r50

RULES = PUBLISHED_NAMES["mmaction2"]
SHORT = ((True,), (True, False), (True, False), (False, True))


def small(num_classes: int = 5, frames: int = 20) -> I3D:
    return I3D(num_classes=num_classes, frames=frames, temporal=SHORT, base_channels=8)


def test_equals_mmaction2() -> None:
    clip_checks.check_golden(small(), RULES, "i3d", named_input("i3d", (2, 3, 20, 33, 47)))


def test_published_size() -> None:
    """28.0 M parameters and 43.5 G, of 32 frames of 256 pixels: configs/recognition/i3d/metafile.yml."""
    model = clip_checks.check_published(lambda: i3d_r50(num_classes=400), RULES, "i3d", 28.0)
    assert round(clip_checks.giga_operations(model, 32, 256), 1) == 43.5


def test_as_any_clip_network() -> None:
    clip_checks.check_clip_network(small(frames=9), 33, 46)


@pytest.mark.parametrize("frames", [5, 6, 7, 8, 16])
def test_short_clips(frames: int) -> None:
    assert small(frames=frames).eval()(torch.rand(1, 3, frames, 32, 32)).shape == (1, 5)


def test_bad_arguments() -> None:
    with pytest.raises(ValueError, match="needs 5 frames or more, got 4"):
        i3d_r50(num_classes=2, frames=4)
    with pytest.raises(ValueError, match="base_channels must be a whole number of at least 1, got 0"):
        i3d_r50(num_classes=2, base_channels=0)


def test_starts_from_a_network_over_pictures() -> None:
    """A clip that stands still: away from its ends every kernel over time adds up to the picture's."""
    model = small(frames=64).double()
    pictures = _pictures(model)
    classifier = model.fc.weight.clone()
    model.load_pictures(pictures)
    torch.testing.assert_close(model.fc.weight, classifier)
    own = model.trunk.state_dict()
    stem = own["conv1.conv.weight"]  # (C', 3, 5, 7, 7)
    torch.testing.assert_close(stem.sum(2), pictures["conv1.weight"])
    torch.testing.assert_close(stem[:, :, 0], stem[:, :, 4])
    torch.testing.assert_close(own["stages.1.0.conv1.conv.weight"][..., 0, 0].sum(2), _pixel(pictures, 1, 0))
    torch.testing.assert_close(own["stages.1.1.conv1.conv.weight"][:, :, 0, 0, 0], _pixel(pictures, 1, 1))
    torch.testing.assert_close(
        own["stages.2.0.downsample.bn.running_var"], pictures["layer3.0.downsample.1.running_var"]
    )
    still = torch.rand(1, 3, 1, 32, 32, dtype=torch.float64).expand(1, 3, 64, 32, 32)
    with torch.no_grad():
        x = model.eval().trunk.stem(still)  # (1, 16, 8, 8, C)
        torch.testing.assert_close(x[:, 2], x[:, 8])
        bare = torch.nn.functional.conv2d(still[:, :, 0], pictures["conv1.weight"], None, 2, 3)
        own_bare = torch.nn.functional.conv3d(still, stem, None, (2, 2, 2), (2, 3, 3))[:, :, 8]
        torch.testing.assert_close(own_bare, bare)


def _pixel(pictures: dict[str, torch.Tensor], stage: int, block: int) -> torch.Tensor:
    """(C', C) of a 1 x 1 kernel."""
    return pictures[f"layer{stage + 1}.{block}.conv1.weight"][..., 0, 0]


def test_a_network_over_pictures_must_fit() -> None:
    model = small()
    pictures = _pictures(model)
    del pictures["layer2.1.bn2.weight"]
    with pytest.raises(ValueError, match=r"missing \(1\): stages\.1\.1\.conv2\.bn\.weight"):
        model.load_pictures(pictures)


def _pictures(model: I3D) -> dict[str, torch.Tensor]:
    """A state dict with torchvision's names, as it was before batches were counted, with ImageNet's head."""
    state = {"fc.weight": torch.rand(1000, 256), "fc.bias": torch.rand(1000)}
    for name, tensor in model.trunk.state_dict().items():
        if name.endswith("num_batches_tracked"):
            continue
        for stage in range(4):
            name = name.replace(f"stages.{stage}.", f"layer{stage + 1}.")
        name = name.replace("downsample.conv.", "downsample.0.").replace("downsample.bn.", "downsample.1.")
        for number in "123":
            name = name.replace(f"conv{number}.conv.", f"conv{number}.").replace(
                f"conv{number}.bn.", f"bn{number}."
            )
        state[name] = tensor[:, :, 0] if tensor.ndim == 5 else tensor
    return named_weights(state)
