"""VideoMAE: a vision transformer over tubelets, trained by masked autoencoding; as classifier and as encoder.

Tong et al.: VideoMAE: Masked Autoencoders are Data-Efficient Learners for Self-Supervised Video Pre-Training,
NeurIPS 2022, section 3. Joint attention over all tokens, fixed sinusoid positions, the
mean of the tokens normalised before the classifier. The blocks are those of transformers' `VideoMAEModel`.
Axis letters: N clips, T frames, L tokens, D width of a token; t, h, w tokens along time, height and width.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar

import torch
from torch import Tensor, nn
from torch.nn import functional

from rgb_models.model import RgbModel, check_frames
from rgb_models.preprocessing import Preprocessing
from rgb_models.transformer_parts import DropPath, drop_path_rates
from rgb_models.transformers_classes import transformers_class
from weights.architectures import NameRules

TUBELET = 2  # frames
PATCH = 16  # pixels
TRAINED_GRID = (14, 14)  # tokens of 224 pixels

_BLOCKS: NameRules = [
    (r"^(blocks\.\d+)\.norm1\.", r"\1.layernorm_before."),
    (r"^(blocks\.\d+)\.norm2\.", r"\1.layernorm_after."),
    (r"^(blocks\.\d+)\.attn\.q_bias$", r"\1.attention.attention.query.bias"),
    (r"^(blocks\.\d+)\.attn\.v_bias$", r"\1.attention.attention.value.bias"),
    (r"^(blocks\.\d+)\.attn\.qkv\.weight$", r"\1.attention.attention.qkv.weight"),  # `fit_encoder` parts it
    (r"^(blocks\.\d+)\.attn\.proj\.", r"\1.attention.output.dense."),
    (r"^(blocks\.\d+)\.mlp\.(?:fc1|layers\.0\.0)\.", r"\1.intermediate.dense."),
    (r"^(blocks\.\d+)\.mlp\.(?:fc2|layers\.1)\.", r"\1.output.dense."),
]
_PATCH_AND_BLOCKS: NameRules = [(r"^patch_embed\.proj(?:ection)?\.", "patch."), *_BLOCKS]
PUBLISHED_NAMES: dict[str, NameRules] = {
    "videomae": _PATCH_AND_BLOCKS,
    # Of pretraining only the encoder stays, without its last norm: fine-tuning begins with another one.
    "videomae_pretrained": [
        (r"^(?:decoder\.|encoder_to_decoder\.|mask_token$|encoder\.norm\.).*", ""),
        (r"^encoder\.", ""),
        *_PATCH_AND_BLOCKS,
    ],
    "mmaction2": [
        (r"^backbone\.pos_embed$", ""),  # the sinusoids, which are computed
        (r"^backbone\.", ""),
        (r"^cls_head\.fc_cls\.", "head."),
        *_PATCH_AND_BLOCKS,
    ],
    # Their files still have the biases beside the linear layers.
    "transformers": [
        (r"^(?:decoder\.|encoder_to_decoder\.|mask_token$|videomae\.layernorm\.).*", ""),
        (r"^videomae\.embeddings\.patch_embeddings\.projection\.", "patch."),
        (r"^videomae\.encoder\.layer\.", "blocks."),
        (r"attention\.attention\.q_bias$", "attention.attention.query.bias"),
        (r"attention\.attention\.v_bias$", "attention.attention.value.bias"),
        (r"^classifier\.", "head."),
    ],
}


def fit_encoder(state: Mapping[str, Tensor], own: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """A published checkpoint's tensors as the network's.

    The weights of query, key and value, which published files hold as one (3 * D, D), are parted. Where a
    checkpoint has neither the norm before the classifier nor a classifier, as after pretraining, those of the
    network stay.

    Args:
        state: a checkpoint under our names.
        own: the network's entries.
    """
    added = [name for name in own if name.startswith(("fc_norm.", "head."))]
    keep = not any(name in state for name in added)
    split = {name: own[name] for name in added} if keep else {}
    for name, tensor in state.items():
        prefix, found, _ = name.partition("qkv.weight")
        if not found:
            split[name] = tensor
            continue
        for part, weight in zip(("query", "key", "value"), tensor.chunk(3), strict=True):
            split[f"{prefix}{part}.weight"] = weight  # (D, D)
    return split


def positions(
    frames: int, height: int, width: int, features: int, grid: tuple[int, int] | None = TRAINED_GRID
) -> Tensor:
    """Positions of the tokens of a clip: sinusoids over the number of the token, columns first, time last.

    Position p has sin(p / 10000^(2i / D)) as feature 2i and the cosine of the same as feature 2i + 1 (Vaswani
    et al., section 3.5). They are computed for as many tokens as the frames need.

    Args:
        frames: T, a multiple of 2.
        height: of the frames, a multiple of 16 pixels.
        width: likewise.
        features: D, an even number.
        grid: h and w with which a network was trained: frames of another size get its positions, interpolated
            bicubically between them, as MMAction2 and AdaTAD do. None: counted anew, as VideoMAE's own code
            does when it trains at another size.

    Returns:
        (1, L, D) float32 with L = T / 2 * height / 16 * width / 16.

    Raises:
        ValueError: T or a size is no such multiple.
    """
    t, h, w = token_grid(frames, height, width)
    rows, columns = grid or (h, w)
    exponents = torch.arange(0, features, 2, dtype=torch.float64) / features  # (D / 2)
    numbers = torch.arange(t * rows * columns, dtype=torch.float64)[:, None]  # (L, 1)
    angles = numbers / 10000.0**exponents  # (L, D / 2)
    table = torch.stack((angles.sin(), angles.cos()), dim=2).flatten(1).float()  # (L, D)
    if (rows, columns) != (h, w):
        maps = table.reshape(t, rows, columns, features).permute(0, 3, 1, 2)  # (t, D, rows, columns)
        maps = functional.interpolate(maps, size=(h, w), mode="bicubic", align_corners=False)
        table = maps.permute(0, 2, 3, 1).reshape(t * h * w, features)  # (L, D)
    return table[None]


def token_grid(frames: int, height: int, width: int) -> tuple[int, int, int]:
    """Tokens of a clip along time, height and width.

    Raises:
        ValueError: the frames are no multiple of 2, or a size no multiple of 16 pixels.
    """
    if min(frames, height, width) < 1 or frames % TUBELET or height % PATCH or width % PATCH:
        raise ValueError(
            f"VideoMAE: expected frames in multiples of {TUBELET} and sizes in multiples of {PATCH} pixels, "
            f"got {frames} frames of {height}x{width}"
        )
    return frames // TUBELET, height // PATCH, width // PATCH


class VideoMAE(RgbModel):
    """VideoMAE's encoder with a linear classifier on the mean of its tokens.

    As an encoder it takes clips of any length and size, and can be run block by block:

        tokens, grid = network.embed(x)
        for block in network.blocks:
            tokens = block(tokens)

    Args:
        num_classes: width of the logits.
        frames: T of the classifier, a multiple of 2.
        width: D.
        depth: blocks.
        heads: of each attention.
        drop_path: rate of stochastic depth in the last block; it grows linearly from 0 in the first.
        trained_grid: h and w that the positions are interpolated from, see `positions`.

    Raises:
        ValueError: `frames` is no multiple of 2, `width` none of `heads`, or `drop_path` no rate.
        ImportError: transformers is not installed.
    """

    preprocessing: ClassVar[Preprocessing] = Preprocessing(size=224, frames=16, resize_short=224)

    def __init__(
        self,
        *,
        num_classes: int,
        frames: int = 16,
        width: int = 768,
        depth: int = 12,
        heads: int = 12,
        drop_path: float = 0.1,
        trained_grid: tuple[int, int] | None = TRAINED_GRID,
    ) -> None:
        super().__init__()
        if frames % TUBELET:
            raise ValueError(f"VideoMAE: frames must be a multiple of {TUBELET}, got {frames}")
        if width % heads or width % 2:
            raise ValueError(f"VideoMAE: width must be even and a multiple of heads ({heads}), got {width}")
        config = transformers_class("VideoMAEConfig")(
            image_size=PATCH,  # of one token: the table of positions that it would make is not used
            patch_size=PATCH,
            num_frames=TUBELET,
            tubelet_size=TUBELET,
            hidden_size=width,
            num_hidden_layers=depth,
            num_attention_heads=heads,
            intermediate_size=4 * width,
            layer_norm_eps=1e-6,
        )
        published: Any = transformers_class("VideoMAEModel")(config)
        self.frames = frames
        self.num_features = width
        self.trained_grid = trained_grid
        self.patch: nn.Conv3d = published.embeddings.patch_embeddings.projection
        self.blocks: nn.ModuleList = published.encoder.layer
        (rates,) = drop_path_rates(drop_path, [depth])
        for block, rate in zip(published.encoder.layer, rates, strict=True):
            # Last on both residual branches, where transformers has a dropout of rate 0.
            block.attention.output.dropout = DropPath(rate)
            block.output.dropout = DropPath(rate)
        self.fc_norm = nn.LayerNorm(width, eps=1e-6)
        self._positions: dict[tuple[int, int, int], Tensor] = {}
        self.reset_classifier(num_classes)

    def embed(self, x: Tensor) -> tuple[Tensor, tuple[int, int, int]]:
        """Clips as tokens with their positions, as the first block takes them.

        Args:
            x: (N, 3, T, H, W), T a multiple of 2, H and W of 16.

        Returns:
            tokens (N, L, D) with L = t * h * w, and (t, h, w).

        Raises:
            ValueError: T, H or W is no such multiple.
        """
        size = (x.shape[2], x.shape[3], x.shape[4])
        grid = token_grid(*size)
        tokens = self.patch(x).flatten(2).transpose(1, 2)  # (N, L, D)
        known = self._positions.get(size)
        if known is None or known.device != tokens.device or known.dtype != tokens.dtype:
            known = positions(*size, self.num_features, self.trained_grid).to(tokens)
            self._positions = {size: known}
        return tokens + known, grid

    def forward_tokens(self, x: Tensor) -> Tensor:
        """What the last block gives for each token.

        Args:
            x: (N, 3, T, H, W) of any T and size that `embed` takes.

        Returns:
            (N, t, h, w, D).

        Raises:
            ValueError: as `embed`.
        """
        tokens, grid = self.embed(x)
        for block in self.blocks:
            tokens = block(tokens)  # (N, L, D)
        return tokens.unflatten(1, grid)

    def forward_features(self, x: Tensor) -> Tensor:
        """The mean of the tokens of clips (N, 3, T, H, W), normalised, as (N, D).

        Raises:
            ValueError: another number of frames, or a size that is no multiple of 16 pixels.
        """
        check_frames("VideoMAE", x, self.frames)
        features: Tensor = self.fc_norm(self.forward_tokens(x).mean(dim=(1, 2, 3)))
        return features

    def get_classifier(self) -> nn.Module:
        """The last layer."""
        return self.head

    def reset_classifier(self, num_classes: int) -> None:
        """A new last layer with fresh weights, for `num_classes` classes; small, as fine-tuning begins."""
        self.num_classes = num_classes
        head = nn.Linear(self.num_features, num_classes)
        nn.init.trunc_normal_(head.weight, std=2e-5)
        nn.init.zeros_(head.bias)
        old = getattr(self, "head", None)
        self.head = head if old is None else head.to(old.weight)


def videomae_small(*, num_classes: int, frames: int = 16, **options: Any) -> VideoMAE:
    """ViT-S as VideoMAE has it; `options` are those of `VideoMAE`."""
    return VideoMAE(num_classes=num_classes, frames=frames, **({"width": 384, "heads": 6} | options))


def videomae_base(*, num_classes: int, frames: int = 16, **options: Any) -> VideoMAE:
    """ViT-B as VideoMAE has it; `options` are those of `VideoMAE`."""
    return VideoMAE(num_classes=num_classes, frames=frames, **options)


def videomae_large(*, num_classes: int, frames: int = 16, **options: Any) -> VideoMAE:
    """ViT-L as VideoMAE has it; `options` are those of `VideoMAE`."""
    sizes = {"width": 1024, "depth": 24, "heads": 16}
    return VideoMAE(num_classes=num_classes, frames=frames, **(sizes | options))


def videomae_huge(*, num_classes: int, frames: int = 16, **options: Any) -> VideoMAE:
    """ViT-H as VideoMAE has it, with patches of 16 pixels; `options` are those of `VideoMAE`."""
    published: dict[str, Any] = {"width": 1280, "depth": 32, "heads": 16, "drop_path": 0.2}
    return VideoMAE(num_classes=num_classes, frames=frames, **(published | options))
