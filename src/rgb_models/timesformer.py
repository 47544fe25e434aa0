"""TimeSformer: a vision transformer that attends along time, then within each frame.

Bertasius, Wang, Torresani: Is Space-Time Attention All You Need for Video Understanding?, ICML 2021, with the
divided space-time attention of section 3. The network is transformers' `TimesformerModel`.
Axis letters: N clips, T frames, L tokens, D width of a token.
"""

from __future__ import annotations

import re
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
from weights.checkpoint import load_exactly, rename

PATCH = 16  # pixels

_NOT_OF_PICTURES = re.compile(r"^head\.|\.temporal_dense\.|\.time_embeddings$")
_TIME_NORM = ".temporal_layernorm."

_BLOCK = r"^backbone\.encoder\.layer\.(\d+)\."
_OURS = r"backbone.encoder.layer.\1."

_ORIGINAL: NameRules = [
    (r"^model\.", ""),
    (r"^cls_token$", "backbone.embeddings.cls_token"),
    (r"^pos_embed$", "backbone.embeddings.position_embeddings"),
    (r"^time_embed$", "backbone.embeddings.time_embeddings"),
    (r"^patch_embed\.proj\.", "backbone.embeddings.patch_embeddings.projection."),
    (r"^norm\.", "backbone.layernorm."),
    (r"^blocks\.", "backbone.encoder.layer."),
    (_BLOCK + r"(temporal_)?attn\.qkv\.", _OURS + r"\2attention.attention.qkv."),
    (_BLOCK + r"(temporal_)?attn\.proj\.", _OURS + r"\2attention.output.dense."),
    (_BLOCK + r"temporal_norm1\.", _OURS + "temporal_layernorm."),
    (_BLOCK + r"temporal_fc\.", _OURS + "temporal_dense."),
    (_BLOCK + r"norm1\.", _OURS + "layernorm_before."),
    (_BLOCK + r"norm2\.", _OURS + "layernorm_after."),
    (_BLOCK + r"mlp\.fc1\.", _OURS + "intermediate.dense."),
    (_BLOCK + r"mlp\.fc2\.", _OURS + "output.dense."),
]
# MMAction2's two attentions of a layer are the temporal and the spatial one, its FFN has a norm of its own.
_MMACTION2: NameRules = [
    (r"^backbone\.patch_embed\.projection\.", "patch_embed.proj."),
    (r"^backbone\.transformer_layers\.layers\.", "blocks."),
    (r"^backbone\.", ""),
    (r"^cls_head\.fc_cls\.", "head."),
    (r"^(blocks\.\d+)\.attentions\.0\.norm\.", r"\1.temporal_norm1."),
    (r"^(blocks\.\d+)\.attentions\.0\.temporal_fc\.", r"\1.temporal_fc."),
    (r"^(blocks\.\d+)\.attentions\.0\.attn\.", r"\1.temporal_attn."),
    (r"^(blocks\.\d+)\.attentions\.1\.norm\.", r"\1.norm1."),
    (r"^(blocks\.\d+)\.attentions\.1\.attn\.", r"\1.attn."),
    (r"(attn)\.in_proj_(weight|bias)$", r"\1.qkv.\2"),
    (r"(attn)\.out_proj\.", r"\1.proj."),
    (r"^(blocks\.\d+)\.ffns\.0\.norm\.", r"\1.norm2."),
    (r"^(blocks\.\d+)\.ffns\.0\.layers\.0\.0\.", r"\1.mlp.fc1."),
    (r"^(blocks\.\d+)\.ffns\.0\.layers\.1\.", r"\1.mlp.fc2."),
    *_ORIGINAL,
]
PUBLISHED_NAMES: dict[str, NameRules] = {
    "timesformer": _ORIGINAL,
    "mmaction2": _MMACTION2,
    "transformers": [(r"^timesformer\.", "backbone."), (r"^classifier\.", "head.")],
}


def fit_embeddings(state: Mapping[str, Tensor], own: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Learned embeddings of another number of frames or another size, brought to the network's own.

    The nearest one is taken, as the published code does when it begins from a checkpoint.

    Args:
        state: a checkpoint under our names.
        own: the network's entries.

    Returns:
        `state` with `time_embeddings` (1, T, D) and `position_embeddings` (1, 1 + L, D) as `own` has them.
    """
    fitted = dict(state)
    time, place = (f"backbone.embeddings.{what}_embeddings" for what in ("time", "position"))
    if time in fitted and fitted[time].shape != own[time].shape:
        by_frame = fitted[time].transpose(1, 2)  # (1, D, T)
        fitted[time] = functional.interpolate(by_frame, size=own[time].shape[1]).transpose(1, 2)
    if place in fitted and fitted[place].shape != own[place].shape:
        side, wanted = (round((tensor.shape[1] - 1) ** 0.5) for tensor in (fitted[place], own[place]))
        token, rest = fitted[place].split([1, side * side], dim=1)
        picture = rest.transpose(1, 2).unflatten(2, (side, side))  # (1, D, side, side)
        picture = functional.interpolate(picture, size=(wanted, wanted))
        fitted[place] = torch.cat((token, picture.flatten(2).transpose(1, 2)), dim=1)  # (1, 1 + L, D)
    return fitted


class TimeSformer(RgbModel):
    """TimeSformer over clips (N, 3, T, size, size).

    Args:
        num_classes: width of the logits.
        frames: T.
        size: height and width of the frames, a multiple of 16 pixels.
        width: D.
        depth: blocks.
        heads: of each attention.
        drop_path: rate of stochastic depth in the last block; it grows linearly from 0 in the first.

    Raises:
        ValueError: `size` is no multiple of 16, `width` none of `heads`, or `drop_path` no rate.
        ImportError: transformers is not installed.
    """

    # Of MMAction2's checkpoint; the authors' own were trained with 0.45 and 0.225 of 0..1.
    preprocessing: ClassVar[Preprocessing] = Preprocessing(
        size=224, frames=8, mean=(127.5, 127.5, 127.5), std=(127.5, 127.5, 127.5), resize_short=224
    )

    def __init__(
        self,
        *,
        num_classes: int,
        frames: int = 8,
        size: int = 224,
        width: int = 768,
        depth: int = 12,
        heads: int = 12,
        drop_path: float = 0.1,
    ) -> None:
        super().__init__()
        if size < PATCH or size % PATCH:
            raise ValueError(f"TimeSformer: size must be a multiple of {PATCH} pixels, got {size}")
        if width % heads:
            raise ValueError(f"TimeSformer: width must be a multiple of heads ({heads}), got {width}")
        config = transformers_class("TimesformerConfig")(
            image_size=size,
            patch_size=PATCH,
            num_frames=frames,
            hidden_size=width,
            num_hidden_layers=depth,
            num_attention_heads=heads,
            intermediate_size=4 * width,
            attention_type="divided_space_time",
            layer_norm_eps=1e-6,
        )
        self.frames = frames
        self.size = size
        self.num_features = width
        self.backbone: Any = transformers_class("TimesformerModel")(config)
        (rates,) = drop_path_rates(drop_path, [depth])
        for layer, rate in zip(self.backbone.encoder.layer, rates, strict=True):
            layer.drop_path = DropPath(rate)
            nn.init.zeros_(layer.temporal_dense.weight)  # a fresh network begins frame by frame
        self.reset_classifier(num_classes)

    def forward_features(self, x: Tensor) -> Tensor:
        """The class token of clips (N, 3, T, size, size), as (N, D).

        Raises:
            ValueError: another number of frames or another size.
        """
        check_frames("TimeSformer", x, self.frames)
        if x.shape[3:] != (self.size, self.size):
            raise ValueError(
                f"TimeSformer: expected frames of {self.size}x{self.size} pixels, got {x.shape[3]}x"
                f"{x.shape[4]}; crop them so, or build the network with another size"
            )
        tokens: Tensor = self.backbone(x.transpose(1, 2)).last_hidden_state  # (N, 1 + T * L, D)
        return tokens[:, 0]

    def load_pictures(self, pictures: Mapping[str, Tensor]) -> None:
        """Start from a vision transformer over pictures: timm's ViT-B/16 of ImageNet.

        Attention along time begins as a copy of the attention within the frame, as in the published code; the
        layer behind it is zero in a fresh network, so that a clip gives what its frames give. The classifier
        and the embeddings of time stay.

        Raises:
            ValueError: entries are missing, left over or of another shape.
        """
        state = {name: t for name, t in rename(pictures, _ORIGINAL).items() if not name.startswith("head.")}
        own = self.state_dict()
        for name, tensor in list(state.items()):
            for space, time in ((".attention.", ".temporal_attention."), (".layernorm_before.", _TIME_NORM)):
                if space in name:
                    state[name.replace(space, time, 1)] = tensor
        kept = {name: t for name, t in own.items() if _NOT_OF_PICTURES.search(name)}
        load_exactly(self, kept | fit_embeddings(state, own))

    def get_classifier(self) -> nn.Module:
        """The last layer."""
        return self.head

    def reset_classifier(self, num_classes: int) -> None:
        """A new last layer with fresh weights, for `num_classes` classes."""
        self.num_classes = num_classes
        head = nn.Linear(self.num_features, num_classes)
        nn.init.trunc_normal_(head.weight, std=0.02)
        nn.init.zeros_(head.bias)
        old = getattr(self, "head", None)
        self.head = head if old is None else head.to(old.weight)


def timesformer_base(*, num_classes: int, frames: int = 8, **options: Any) -> TimeSformer:
    """TimeSformer-B as published: 8 frames of 224 pixels; `options` are those of `TimeSformer`."""
    return TimeSformer(num_classes=num_classes, frames=frames, **options)
