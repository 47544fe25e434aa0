"""Augmentation of frames on whole batches, with torch: the same for every frame of a clip.

Nothing is drawn here. Each clip brings `DRAWS` uniform numbers of 0..1 (`Columns` says which are for what),
so a clip looks the same in any batch, in any order, on any device. Columns are kept apart: switching one
augmentation on never changes what another draws.

The path of a clip: `frame_crops.crop_of` (a crop of the source frame, cut and resized by whoever reads the
video) -> `augment_batch` on the device -> `frame_mixing.mix_batch` -> the network's normalisation.

Axis letters: N clips, T frames, H height, W width, C = 3 channels, red first.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Literal

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from rgb_models import frame_colours as colours
from rgb_models.rand_augment import DRAWS_A_LAYER, MOST_LAYERS, rand_augment

Draws = NDArray[np.float64]  # (N, DRAWS) of 0..1


class Columns:
    """Which of a clip's draws are for what. The first are the crop's: `crop_of` takes the row whole."""

    CROP = slice(0, 22)
    FLIP = 22
    JITTER = 23  # whether
    JITTER_ORDER = slice(24, 28)
    JITTER_FACTORS = slice(28, 32)
    GREY = 32
    ERASING = slice(33, 57)
    MIXING = slice(57, 63)
    RAND_AUGMENT = slice(63, 63 + MOST_LAYERS * DRAWS_A_LAYER)


DRAWS = Columns.RAND_AUGMENT.stop  # numbers that a clip needs


@dataclass(frozen=True)
class FrameAugment:
    """How strongly to augment; every default leaves the frames as they are.

    Attributes:
        crop: `center`: the central square, as in a test; `multi_scale`: one of a few sizes at one of a few
            places (Wang et al.: Temporal Segment Networks, ECCV 2016); `random_resized`: of random area and
            shape (Szegedy et al.: Going Deeper with Convolutions, CVPR 2015).
        center_share: side of the central square over the short side; 224/256 for the published tests.
        crop_scales: of `multi_scale`: sides over the short side, falling.
        crop_scale_gap: how many places in `crop_scales` height and width may lie apart.
        crop_points: of `multi_scale`: 5 (corners and centre) or 13 (sides and quarters too).
        crop_area: of `random_resized`: least and largest share of the frame's area.
        crop_aspect: of `random_resized`: least and largest width over height.
        person_margin: where crops are taken around a person, his region grows by this factor first.
        flip_probability: of the mirror image; labels must follow (`protocols.mirror_labels`).
        jitter_probability: of the four changes of colour below, drawn together.
        brightness: factor uniform in 1 - x..1 + x.
        contrast: likewise, about each frame's mean grey.
        saturation: likewise, about each pixel's grey.
        hue: turn uniform in -x..x, in turns; at most 0.5.
        grey_probability: of the clip in grey.
        rand_augment_layers: operations a clip (Cubuk et al.: RandAugment, 2020), 0 for none.
        rand_augment_magnitude: their strength in 0..10.
        rand_augment_deviation: standard deviation of the strength, clipped to 0..10.
        rand_augment_probability: of each operation to be done.
        erasing_probability: of a rectangle of noise in all frames (Zhong et al.: Random Erasing, 2020).
        erasing_area: least and largest share of the frame's area.
        erasing_aspect: least height over width, at most 1; the largest is its inverse.
        mixup_alpha: of the Beta distribution of the shares (Zhang et al.: mixup, 2018); 0 for no mixup.
        cutmix_alpha: likewise (Yun et al.: CutMix, 2019); with both, each clip has one or the other, evenly.
        mix_probability: of a clip to be mixed.

    Raises:
        ValueError: a number out of its range; all are named at once.
    """

    crop: Literal["center", "multi_scale", "random_resized"] = "center"
    center_share: float = 1.0
    crop_scales: tuple[float, ...] = (1.0, 0.875, 0.75, 0.66)
    crop_scale_gap: int = 1
    crop_points: Literal[5, 13] = 13
    crop_area: tuple[float, float] = (0.08, 1.0)
    crop_aspect: tuple[float, float] = (0.75, 4 / 3)
    person_margin: float = 1.25
    flip_probability: float = 0.0
    jitter_probability: float = 1.0
    brightness: float = 0.0
    contrast: float = 0.0
    saturation: float = 0.0
    hue: float = 0.0
    grey_probability: float = 0.0
    rand_augment_layers: int = 0
    rand_augment_magnitude: float = 7.0
    rand_augment_deviation: float = 0.0
    rand_augment_probability: float = 1.0
    erasing_probability: float = 0.0
    erasing_area: tuple[float, float] = (0.02, 1 / 3)
    erasing_aspect: float = 0.3
    mixup_alpha: float = 0.0
    cutmix_alpha: float = 0.0
    mix_probability: float = 1.0

    def __post_init__(self) -> None:
        problems = [
            f"{name} must lie in {_said(low)}..{_said(high)}, got {getattr(self, name)}"
            for name, (low, high) in _NUMBERS.items()
            if not low <= getattr(self, name) <= high
        ]
        for name, most in _RANGES.items():
            low, high = getattr(self, name)
            if not 0 < low <= high <= most:
                problems.append(f"{name} must be 0 < low <= high <= {_said(most)}, got {low}, {high}")
        if self.crop not in _CROPS:
            problems.append(f"crop must be one of {', '.join(_CROPS)}, got {self.crop!r}")
        if self.crop_points not in (5, 13):
            problems.append(f"crop_points must be 5 or 13, got {self.crop_points}")
        if not self.crop_scales or not all(0 < scale <= 1 for scale in self.crop_scales):
            problems.append(f"crop_scales must be numbers above 0 and up to 1, got {self.crop_scales}")
        if not 0 < self.center_share <= 1 or not 0 < self.erasing_aspect <= 1:
            problems.append(
                "center_share and erasing_aspect must be above 0 and up to 1, "
                f"got {self.center_share} and {self.erasing_aspect}"
            )
        if problems:
            raise ValueError("augmentation of frames: " + "; ".join(problems))

    @property
    def changes_values(self) -> bool:
        """Whether pixels get other values, beyond the mirror image."""
        jitter = self.jitter_probability and (self.brightness or self.contrast or self.saturation or self.hue)
        return bool(jitter or self.grey_probability or self.rand_augment_layers or self.erasing_probability)

    @property
    def mixes(self) -> bool:
        """Whether clips are mixed with others at all."""
        return self.mix_probability > 0 and (self.mixup_alpha > 0 or self.cutmix_alpha > 0)


def _said(number: float) -> str:
    return "infinity" if number == math.inf else f"{number:g}"


_CROPS = ("center", "multi_scale", "random_resized")
_FINITE = 1e6
_NUMBERS = {
    **dict.fromkeys(("flip_probability", "jitter_probability", "grey_probability", "erasing_probability",
                     "rand_augment_probability", "mix_probability"), (0, 1)),
    **dict.fromkeys(("brightness", "contrast", "saturation"), (0, 1)),
    "hue": (0, 0.5),
    "crop_scale_gap": (0, _FINITE),
    "person_margin": (1, _FINITE),
    "rand_augment_layers": (0, MOST_LAYERS),
    "rand_augment_magnitude": (0, 10),
    "rand_augment_deviation": (0, _FINITE),
    "mixup_alpha": (0, _FINITE),
    "cutmix_alpha": (0, _FINITE),
}  # fmt: skip
_RANGES = {"crop_area": 1.0, "crop_aspect": math.inf, "erasing_area": 1.0}


def check_draws(draws: Draws, clips: int) -> None:
    """See that a batch's draws have their shape.

    Raises:
        ValueError: they are not (clips, DRAWS).
    """
    if draws.shape != (clips, DRAWS):
        raise ValueError(f"expected draws ({clips}, {DRAWS}), a row a clip, got {draws.shape}")


def flipped(draws: Draws, settings: FrameAugment) -> NDArray[np.bool_]:
    """(N,) which clips `augment_batch` shows as their mirror image; their labels are the mirrored ones."""
    chosen: NDArray[np.bool_] = draws[:, Columns.FLIP] < settings.flip_probability
    return chosen


def augment_batch(frames: Tensor, draws: Draws, settings: FrameAugment) -> Tensor:
    """Augment clips, each as its draws say, all its frames alike.

    In this order: mirror image, RandAugment, change of colour, grey, erasing.

    Args:
        frames: (N, T, H, W, 3) uint8, on any device; left as they are.
        draws: (N, DRAWS) of 0..1.
        settings: how strongly.

    Returns:
        (N, T, H, W, 3) float32 of 0..255; uint8 where the settings have nothing but the mirror image.

    Raises:
        ValueError: frames or draws of another shape.
    """
    if frames.ndim != 5 or frames.shape[-1] != 3 or frames.dtype != torch.uint8:
        raise ValueError(
            f"expected frames (N, T, H, W, 3) uint8, got {tuple(frames.shape)} {str(frames.dtype)[6:]}"
        )
    check_draws(draws, len(frames))
    rows = np.flatnonzero(flipped(draws, settings))
    if rows.size:
        at = torch.from_numpy(rows).to(frames.device)
        frames = frames.index_copy(0, at, frames[at].flip(3))
    if not settings.changes_values:
        return frames
    x = frames.permute(0, 1, 4, 2, 3).to(torch.float32, memory_format=torch.contiguous_format)
    # (N, T, 3, H, W)
    if settings.rand_augment_layers:
        columns = draws[:, Columns.RAND_AUGMENT][:, : settings.rand_augment_layers * DRAWS_A_LAYER]
        strength = settings.rand_augment_magnitude, settings.rand_augment_deviation
        x = rand_augment(x, columns, *strength, settings.rand_augment_probability)
    _jitter(x, draws, settings)
    _grey(x, draws, settings)
    _erase(x, draws[:, Columns.ERASING], settings)
    return x.permute(0, 1, 3, 4, 2)  # (N, T, H, W, 3)


def _jitter(x: Tensor, draws: Draws, settings: FrameAugment) -> None:
    """Brightness, contrast, saturation and hue in an order drawn for each clip; x changes in place."""
    strengths = (settings.brightness, settings.contrast, settings.saturation, settings.hue)
    chosen = draws[:, Columns.JITTER] < settings.jitter_probability
    if not any(strengths) or not chosen.any():
        return
    order = np.argsort(draws[:, Columns.JITTER_ORDER], axis=1)  # (N, 4) which change comes when
    spread = 2 * draws[:, Columns.JITTER_FACTORS] - 1  # (N, 4) of -1..1
    for place in range(len(_CHANGES)):
        for number, (change, neutral) in enumerate(_CHANGES):
            rows = np.flatnonzero(chosen & (order[:, place] == number))
            if strengths[number] and rows.size:
                at = torch.from_numpy(rows).to(x.device)
                amounts = neutral + strengths[number] * spread[rows, number]
                x[at] = change(x[at], torch.from_numpy(amounts).to(x.device, x.dtype))


_CHANGES = ((colours.brightness, 1.0), (colours.contrast, 1.0), (colours.saturation, 1.0), (colours.hue, 0.0))


def _grey(x: Tensor, draws: Draws, settings: FrameAugment) -> None:
    rows = np.flatnonzero(draws[:, Columns.GREY] < settings.grey_probability)
    if rows.size:
        at = torch.from_numpy(rows).to(x.device)
        x[at] = colours.grey(x[at]).expand(-1, -1, 3, -1, -1)


def _erase(x: Tensor, draws: Draws, settings: FrameAugment) -> None:
    """A rectangle of each chosen clip becomes noise, the same in all its frames; x changes in place.

    Draws: 0 whether, 1 and 2 the place, 3 the noise, then pairs of area (uniform) and height over width
    (log-uniform), of which the first that fits counts; where none does, nothing is erased.
    """
    height, width = x.shape[3:]
    low, high = settings.erasing_area
    most = -math.log(settings.erasing_aspect)
    for row in np.flatnonzero(draws[:, 0] < settings.erasing_probability):
        own = draws[row]
        for of_area, of_aspect in own[4:].reshape(-1, 2):
            area = (low + of_area * (high - low)) * height * width
            aspect = math.exp(most * (2 * of_aspect - 1))
            h, w = round(math.sqrt(area * aspect)), round(math.sqrt(area / aspect))
            if 0 < h < height and 0 < w < width:
                top, left = int(own[1] * (height - h + 1)), int(own[2] * (width - w + 1))
                x[row, ..., top : top + h, left : left + w] = _noise(own[3], (3, h, w)).to(x.device)
                break


def _noise(draw: float, shape: tuple[int, ...]) -> Tensor:
    """Uniform values 0..255, the same for the same draw on every machine."""
    rng = np.random.default_rng(int(draw * 2**53))
    return torch.from_numpy(rng.uniform(0, 255, shape).astype(np.float32))
