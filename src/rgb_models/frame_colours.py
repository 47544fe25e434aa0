"""Changes of colour and tone of frames, each clip with a strength of its own.

Every function takes x (N, T, 3, H, W) float of 0..255 and returns a new tensor in 0..255. Factors are (N,) on
x's device; factor 1 changes nothing, factor 0 is the end that the function names. The definitions are
torchvision's, without its rounding to whole values between two changes.
"""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional

_LUMA = (0.2989, 0.587, 0.114)  # of red, green, blue: ITU-R 601-2, as torchvision and Pillow
_MOST = 255.0


def grey(x: Tensor) -> Tensor:
    """(N, T, 1, H, W) luma."""
    red, green, blue = x.unbind(2)
    return (_LUMA[0] * red + _LUMA[1] * green + _LUMA[2] * blue).unsqueeze(2)


def blend(x: Tensor, end: Tensor | float, factor: Tensor) -> Tensor:
    """`factor * x + (1 - factor) * end`, cut to 0..255."""
    own = factor.view(-1, 1, 1, 1, 1)
    return (own * x + (1 - own) * end).clamp_(0, _MOST)


def brightness(x: Tensor, factor: Tensor) -> Tensor:
    """Towards black."""
    return blend(x, 0.0, factor)


def contrast(x: Tensor, factor: Tensor) -> Tensor:
    """Towards each frame's mean grey."""
    return blend(x, grey(x).mean((2, 3, 4), keepdim=True), factor)


def saturation(x: Tensor, factor: Tensor) -> Tensor:
    """Towards each pixel's grey."""
    return blend(x, grey(x), factor)


def sharpness(x: Tensor, factor: Tensor) -> Tensor:
    """Towards a smoothed frame (3x3, the centre counts 5 of 13); the outermost pixels stay."""
    n, t, c, h, w = x.shape
    if min(h, w) < 3:
        return x.clone()
    kernel = torch.full((1, 1, 3, 3), 1 / 13, device=x.device, dtype=x.dtype)
    kernel[..., 1, 1] = 5 / 13
    inner = functional.conv2d(x.reshape(-1, 1, h, w), kernel)  # (N T 3, 1, H - 2, W - 2)
    smooth = x.clone()
    smooth[..., 1:-1, 1:-1] = inner.view(n, t, c, h - 2, w - 2)
    return blend(x, smooth, factor)


def hue(x: Tensor, turns: Tensor) -> Tensor:
    """Every pixel's hue turned by `turns` (N,) of the colour circle; 0 and 1 change nothing."""
    most, least = x.amax(2), x.amin(2)  # (N, T, H, W)
    chroma = most - least
    red, green, blue = x.unbind(2)
    safe = torch.where(chroma > 0, chroma, torch.ones_like(chroma))
    sector = torch.where(
        most == red,
        (green - blue) / safe,
        torch.where(most == green, 2 + (blue - red) / safe, 4 + (red - green) / safe),
    )  # 0..6 around the circle
    sector = sector + 6 * turns.view(-1, 1, 1, 1)
    channels = []
    for start in (5.0, 3.0, 1.0):  # red, green, blue: how far each is from where it is missing
        k = torch.remainder(start + sector, 6.0)
        channels.append(most - chroma * torch.minimum(k, 4 - k).clamp_(0, 1))
    return torch.stack(channels, 2)  # (N, T, 3, H, W)


def autocontrast(x: Tensor) -> Tensor:
    """Each channel of each frame stretched to 0..255; one of a single value stays."""
    low, high = x.amin((3, 4), keepdim=True), x.amax((3, 4), keepdim=True)
    flat = high <= low
    scale = _MOST / torch.where(flat, torch.ones_like(high), high - low)
    return torch.where(flat, x, (x - low) * scale).clamp_(0, _MOST)


def equalize(x: Tensor) -> Tensor:
    """Each channel of each frame to an even histogram of its 256 rounded values, as Pillow does."""
    shape = x.shape
    values = x.round().long().clamp_(0, 255).reshape(-1, shape[3] * shape[4])  # (B, H W)
    counts = torch.zeros(len(values), 256, dtype=torch.long, device=x.device)
    counts.scatter_add_(1, values, torch.ones_like(values))
    last = 255 - (counts.flip(1) > 0).to(torch.uint8).argmax(1, keepdim=True)  # highest value there is
    step = (values.shape[1] - counts.gather(1, last)) // 255  # (B, 1)
    below = counts.cumsum(1) - counts  # (B, 256) pixels of smaller values
    table = ((below + step // 2) // step.clamp(min=1)).clamp_(0, 255)
    evened = table.gather(1, values)
    return torch.where(step > 0, evened, values).to(x.dtype).view(shape)


def posterize(x: Tensor, bits: Tensor) -> Tensor:
    """Only the `bits` (N,) highest of a value's 8 bits stay."""
    step = torch.exp2(8 - bits.to(x.dtype)).view(-1, 1, 1, 1, 1)
    return (x / step).floor_() * step


def solarize(x: Tensor, threshold: Tensor) -> Tensor:
    """Values of `threshold` (N,) and above are turned round: 255 - value."""
    return torch.where(x >= threshold.view(-1, 1, 1, 1, 1), _MOST - x, x)
