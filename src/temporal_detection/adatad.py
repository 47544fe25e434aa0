"""AdaTAD: a frozen encoder of frames with trained adapters between its blocks, and a detector, end to end.

Liu et al., "End-to-End Temporal Action Detection with 1B Parameters Across 1000 Frames", CVPR 2024, in the
form of OpenTAD. Its published setting is 768 frames of 160 pixels, one point a frame, and ActionFormer with
three convolutions, six levels and attention over the whole window.

Axis letters: N windows, F frames of a window, K chunks of a window, T points of the grid, A actions; t, h and
w tokens of a chunk along time, height and width, L = t * h * w, D width of a token.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Protocol, cast

import torch
from torch import Tensor, nn
from torch.nn import functional
from torch.utils.checkpoint import checkpoint

from temporal_detection.actionformer import PUBLISHED_NAMES as ACTIONFORMER_NAMES
from temporal_detection.actionformer import ActionFormer, fit_shapes
from temporal_detection.adapters import TemporalAdapter
from temporal_detection.detector import Detector, DetectorOutput
from weights.architectures import Conversion, NameRules
from weights.checkpoint import load_exactly, rename

CHUNK_FRAMES = 16  # that VideoMAE was trained with
CUT_OFF = ("fc_norm", "head")  # of an encoder: what comes behind its blocks
ENCODERS = {
    "adatad_base": "videomae_base",
    "adatad_huge": "videomae_huge",
    "adatad_large": "videomae_large",
    "adatad_small": "videomae_small",
}
"""Name of the detector -> name of its encoder among the networks over frames."""

_OPENTAD_ENCODER = "backbone.model.backbone."
_OPENTAD_ADAPTER = re.compile(r"^backbone\.model\.backbone\.blocks\.(\d+)\.adapter\.(.+)$")
_OPENTAD_UNUSED = re.compile(r"^backbone\.model\.data_preprocessor\.(?:mean|std)$")


class FrameEncoder(Protocol):
    """A transformer over clips that can be run block by block.

    Attributes:
        num_features: D.
        blocks: each takes and gives (B, L, D).
    """

    num_features: int
    blocks: nn.ModuleList

    def embed(self, x: Tensor) -> tuple[Tensor, tuple[int, int, int]]:
        """Clips (B, 3, frames, H, W) as tokens (B, L, D), and (t, h, w)."""


class AdaTAD(Detector):
    """Frames to segments: chunks of 16 frames go through the encoder, adapters join them, a detector follows.

    The mean over the picture of the last block's tokens is a sequence of K * t features, which is resampled
    to the points of the grid. Of the encoder nothing is trained, and whatever of it has weights stays in
    evaluation; the dropping of its paths, which has none, goes on in training. The adapters begin as the
    identity.

    Args:
        encoder: with its weights loaded, see `FrameEncoder`. It is taken over: frozen, and what comes behind
            its blocks is cut off.
        num_classes: A.
        detector: takes (N, D, T); None for ActionFormer, whose options the next four are.
        width: channels of its pyramid.
        arch: embedding convolutions, transformer blocks at full length, and those that halve it.
        window: points that its attention sees; less than 1 for all.
        group_of: (A,) body group of each action: the network then says P(group) P(action | group).
        adapter_ratio: width of an adapter relative to D.
        chunk_frames: frames that the encoder sees at once.
        checkpointing: keep of every block only its input for the gradient, and compute the rest again.

    Raises:
        ValueError: the encoder is none of that kind, or the detector says another number of actions.
    """

    def __init__(
        self,
        *,
        encoder: nn.Module,
        num_classes: int,
        detector: Detector | None = None,
        width: int = 512,
        arch: tuple[int, int, int] = (3, 0, 5),
        window: int = -1,
        group_of: Sequence[int] = (),
        adapter_ratio: float = 0.25,
        chunk_frames: int = CHUNK_FRAMES,
        checkpointing: bool = True,
    ) -> None:
        super().__init__()
        lacking = [name for name in ("num_features", "blocks", "embed") if not hasattr(encoder, name)]
        if lacking:
            raise ValueError(
                f"AdaTAD: expected an encoder with num_features, blocks and embed, {type(encoder).__name__} "
                f"has no {', '.join(lacking)}; build one of {', '.join(sorted(ENCODERS.values()))}"
            )
        for name in CUT_OFF:
            if hasattr(encoder, name):
                setattr(encoder, name, nn.Identity())
        self.encoder = encoder.requires_grad_(False)
        features, depth = self._of_frames.num_features, len(self._of_frames.blocks)
        if detector is None:
            detector = ActionFormer(
                num_classes, features, width=width, arch=arch, window=window, group_of=group_of
            )
        elif detector.num_classes != num_classes:
            raise ValueError(
                f"AdaTAD: expected a detector of {num_classes} actions, got {detector.num_classes}"
            )
        self.detector = detector
        self.num_classes = num_classes
        self.strides = detector.strides
        self.chunk_frames = chunk_frames
        self.checkpointing = checkpointing
        self.adapters = nn.ModuleList(TemporalAdapter(features, adapter_ratio) for _ in range(depth))
        self.train(self.training)

    @property
    def _of_frames(self) -> FrameEncoder:
        return cast(FrameEncoder, self.encoder)

    def train(self, mode: bool = True) -> AdaTAD:
        """As of every module, but for what is frozen."""
        super().train(mode)
        for module in self.encoder.modules():
            weightless = next(module.parameters(), None) is None and next(module.children(), None) is None
            module.training = mode and weightless
        return self

    def adapter_parameters(self) -> Iterator[nn.Parameter]:
        """What is trained in the encoder; OpenTAD gives it a learning rate of its own."""
        return self.adapters.parameters()

    def features(self, x: Tensor, points: int) -> Tensor:
        """Frames as features.

        Args:
            x: (N, 3, F, H, W), normalised as the encoder wants them.
            points: T; point i stands for the middle of frames i * F / T up to (i + 1) * F / T.

        Returns:
            (N, D, T).

        Raises:
            ValueError: F is no multiple of the frames of a chunk or of the points, or the encoder refuses the
                size.
        """
        if x.ndim != 5 or x.shape[1] != 3 or x.shape[2] % self.chunk_frames or x.shape[2] % points:
            raise ValueError(
                f"AdaTAD: expected frames (N, 3, F, H, W) with F a multiple of {self.chunk_frames} and of "
                f"{points} points, got {tuple(x.shape)}"
            )
        windows, channels, frames = x.shape[:3]
        chunks = frames // self.chunk_frames
        x = x.reshape(windows, channels, chunks, self.chunk_frames, *x.shape[3:])
        x = x.transpose(1, 2).flatten(0, 1)  # (N * K, 3, 16, H, W)
        tokens, grid = self._of_frames.embed(x)  # (N * K, L, D)
        for number in range(len(self.adapters)):
            if self.checkpointing and torch.is_grad_enabled() and tokens.requires_grad:
                tokens = checkpoint(self._block, number, tokens, grid, windows, use_reentrant=False)
            else:
                tokens = self._block(number, tokens, grid, windows)
        of_time = tokens.unflatten(1, (grid[0], -1)).mean(2)  # (N * K, t, D)
        sequence = of_time.reshape(windows, -1, of_time.shape[2]).transpose(1, 2)  # (N, D, K * t)
        sequence = sequence.float()
        if sequence.shape[2] == points:
            return sequence
        return functional.interpolate(sequence, size=points, mode="linear", align_corners=False)

    def _block(self, number: int, tokens: Tensor, grid: tuple[int, int, int], windows: int) -> Tensor:
        tokens = self._of_frames.blocks[number](tokens)
        adapted: Tensor = self.adapters[number](tokens, grid, windows)
        return adapted

    def forward(self, x: Tensor, valid: Tensor) -> DetectorOutput:
        """Scores and boundaries; positions are points of the grid.

        Args:
            x: (N, 3, F, H, W) as in `features`.
            valid: (N, T).

        Raises:
            ValueError: as `features`.
        """
        output: DetectorOutput = self.detector(self.features(x, valid.shape[1]), valid)
        return output


def load_opentad(
    model: AdaTAD,
    state: Mapping[str, Tensor],
    encoder_names: NameRules,
    encoder_conversion: Conversion | None = None,
    detector_names: NameRules = ACTIONFORMER_NAMES["opentad"],
    detector_conversion: Conversion | None = fit_shapes,
) -> None:
    """A checkpoint of OpenTAD's AdaTAD into the encoder, its adapters and the detector; all of it must fit.

    Args:
        model: to be filled.
        state: names to tensors, as `weights.checkpoint.read_checkpoint` gives them.
        encoder_names: MMAction2's names of the encoder to its own.
        encoder_conversion: what remains to be done to the encoder's tensors.
        detector_names: OpenTAD's names of the detector to its own.
        detector_conversion: what remains to be done to the detector's tensors.

    Raises:
        ValueError: none of the names is OpenTAD's, or entries are missing, left over or of another shape.
    """
    parts: dict[str, dict[str, Tensor]] = {"encoder": {}, "adapters": {}, "detector": {}}
    for name, tensor in state.items():
        adapter = _OPENTAD_ADAPTER.match(name)
        if adapter:
            parts["adapters"][f"{adapter[1]}.{adapter[2]}"] = tensor
        elif name.startswith(_OPENTAD_ENCODER):
            parts["encoder"][name.removeprefix("backbone.model.")] = tensor
        elif not _OPENTAD_UNUSED.match(name):
            parts["detector"][name] = tensor
    empty = [part for part, entries in parts.items() if not entries]
    if empty:
        raise ValueError(
            f"expected a checkpoint of OpenTAD's AdaTAD, got {len(state)} entries such as "
            f"{', '.join(list(state)[:3])}, none of which belongs to its {' or its '.join(empty)}"
        )
    encoder = rename(parts["encoder"], encoder_names)
    encoder = {name: tensor for name, tensor in encoder.items() if name.split(".")[0] not in CUT_OFF}
    if encoder_conversion is not None:
        encoder = encoder_conversion(encoder, model.encoder.state_dict())
    detector = rename(parts["detector"], detector_names)
    if detector_conversion is not None:
        detector = detector_conversion(detector, model.detector.state_dict())
    load_exactly(model.encoder, encoder)
    load_exactly(model.adapters, parts["adapters"])
    load_exactly(model.detector, detector)


def adatad_small(*, num_classes: int, encoder: nn.Module, **options: Any) -> AdaTAD:
    """With VideoMAE-S, whose tokens are 384 wide; `options` are those of `AdaTAD`."""
    return _of_width("adatad_small", 384, num_classes=num_classes, encoder=encoder, **options)


def adatad_base(*, num_classes: int, encoder: nn.Module, **options: Any) -> AdaTAD:
    """With VideoMAE-B, whose tokens are 768 wide; `options` are those of `AdaTAD`."""
    return _of_width("adatad_base", 768, num_classes=num_classes, encoder=encoder, **options)


def adatad_large(*, num_classes: int, encoder: nn.Module, **options: Any) -> AdaTAD:
    """With VideoMAE-L, whose tokens are 1024 wide; `options` are those of `AdaTAD`."""
    return _of_width("adatad_large", 1024, num_classes=num_classes, encoder=encoder, **options)


def adatad_huge(*, num_classes: int, encoder: nn.Module, **options: Any) -> AdaTAD:
    """With VideoMAE-H, whose tokens are 1280 wide; `options` are those of `AdaTAD`."""
    return _of_width("adatad_huge", 1280, num_classes=num_classes, encoder=encoder, **options)


def _of_width(name: str, features: int, encoder: nn.Module, **options: Any) -> AdaTAD:
    if getattr(encoder, "num_features", features) != features:
        raise ValueError(
            f"{name}: expected an encoder of {features} features, {ENCODERS[name]}, got one of "
            f"{encoder.num_features}"
        )
    return AdaTAD(encoder=encoder, **options)
