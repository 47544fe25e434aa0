"""The temporal-informative adapter of AdaTAD: what is trained beside a frozen block of an encoder.

Liu et al., "End-to-End Temporal Action Detection with 1B Parameters Across 1000 Frames", CVPR 2024, section
3.3.

Axis letters: N windows, K chunks of a window, B = N * K, t tokens of a chunk along time, L = t * h * w tokens
of a chunk, D width of a token, D' of the adapter.
"""

from __future__ import annotations

import math

from torch import Tensor, nn
from torch.nn import functional


class TemporalAdapter(nn.Module):
    """Down, GELU, a convolution over the window's time at every place of the picture, up, added to the input.

    The convolution sees the whole window although the block before it sees one chunk at a time: this is how
    chunks come to know of each other. It begins as the identity, since its last layer begins as zero.

    Args:
        width: D.
        ratio: D' / D.
        kernel: tokens that the convolution over time sees.

    Raises:
        ValueError: the ratio leaves no channel, or the kernel is even.
    """

    def __init__(self, width: int, ratio: float = 0.25, kernel: int = 3) -> None:
        super().__init__()
        hidden = int(width * ratio)
        if hidden < 1 or kernel < 1 or not kernel % 2:
            raise ValueError(
                f"adapter: expected a ratio that leaves a channel of {width} and an odd kernel, "
                f"got ratio {ratio} and kernel {kernel}"
            )
        self.down_proj = nn.Linear(width, hidden)
        self.dwconv = nn.Conv1d(hidden, hidden, kernel, padding=kernel // 2, groups=hidden)
        self.conv = nn.Conv1d(hidden, hidden, 1)
        self.up_proj = nn.Linear(hidden, width)
        self.gamma = nn.Parameter(self.down_proj.weight.new_ones(1))
        nn.init.trunc_normal_(self.down_proj.weight, std=0.02)
        nn.init.normal_(self.dwconv.weight, std=math.sqrt(2 / kernel))
        nn.init.normal_(self.conv.weight, std=math.sqrt(2 / hidden))
        for layer in (self.down_proj, self.dwconv, self.conv, self.up_proj):
            nn.init.zeros_(layer.bias)
        nn.init.zeros_(self.up_proj.weight)

    def forward(self, tokens: Tensor, grid: tuple[int, int, int], windows: int) -> Tensor:
        """Tokens of all chunks, adapted.

        Args:
            tokens: (B, L, D), window after window, each window's chunks in order of time.
            grid: t, h and w of a chunk.
            windows: N.
        """
        _, h, w = grid
        x = functional.gelu(self.down_proj(tokens))  # (B, L, D')
        frames = x.reshape(windows, -1, h * w, x.shape[2])  # (N, K * t, h * w, D')
        # The tokens lie in memory as a picture K * t high and h * w wide does with its channels last.
        picture = frames.permute(0, 3, 1, 2)  # (N, D', K * t, h * w)
        picture = functional.conv2d(
            picture, self.dwconv.weight[..., None], self.dwconv.bias,
            padding=(self.dwconv.kernel_size[0] // 2, 0), groups=self.dwconv.groups,
        )  # fmt: skip
        frames = functional.linear(picture.permute(0, 2, 3, 1), self.conv.weight[..., 0], self.conv.bias)
        x = x + frames.reshape(x.shape)  # (B, L, D')
        adapted: Tensor = tokens + self.up_proj(x) * self.gamma
        return adapted
