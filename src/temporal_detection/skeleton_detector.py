"""Detection from skeletons: an encoder of poses that began as a recogniser, and a detector on its features.

The poses come as the graph builder of the recognisers makes them, (N, M, T, V, C): joints, bones and motion
in the frame of the torso, each with its confidence. Nothing here knows the builder.

Axis letters: N windows, M persons, P = N * M, T frames, V joints, C channels of a joint, F features, S of
them in time, A actions.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any, ClassVar, Protocol, cast

import torch
from torch import Tensor, nn

from poses.layout import Layout, get_layout
from temporal_detection.actionformer import ActionFormer
from temporal_detection.detector import Detector, DetectorOutput
from temporal_detection.pose_tokens import (
    PoseTokenEncoder,
    Tokens,
    check_poses,
    greatest_of_persons,
    person_is_there,
)
from weights.checkpoint import load_exactly

_OF_ENCODER = "encoder."


class PoseEncoder(Protocol):
    """Poses to a sequence of features.

    Attributes:
        num_features: F.
        stride: frames for one feature; feature i stands for frame i * stride.
    """

    num_features: int
    stride: int

    def __call__(self, x: Tensor, valid: Tensor) -> Tensor:
        """(N, M, T, V, C) and (N, T) to (N, F, S), S = T / stride rounded up."""


class GraphEncoder(nn.Module):
    """A recogniser of the family around ST-GCN as encoder: its blocks' maps, the mean over the joints.

    Args:
        network: has `data_bn` with `normalise`, and `run_blocks`: its classifier is not used.
        channels: C that it was built for.
        joints: V.
        stride: frames for one step of its maps.

    Raises:
        ValueError: the network is none of that family.
    """

    def __init__(self, network: nn.Module, *, joints: int, channels: int, stride: int) -> None:
        super().__init__()
        lacking = [name for name in ("data_bn", "run_blocks", "num_features") if not hasattr(network, name)]
        if lacking:
            raise ValueError(
                f"expected a network of the family around ST-GCN, {type(network).__name__} has no "
                f"{', '.join(lacking)}; take stgcnpp, ctrgcn or another of them"
            )
        self.network = network
        self.joints, self.channels, self.stride = joints, channels, stride
        self.num_features = int(cast(Any, network).num_features)

    def forward(self, x: Tensor, valid: Tensor) -> Tensor:
        """See `PoseEncoder`.

        Raises:
            ValueError: another shape, or the network halves time more or less often than was said.
        """
        check_poses(x, valid, self.joints, self.channels)
        network = cast(Any, self.network)
        n, m, frames = x.shape[:3]
        rows, _ = network.data_bn.normalise(x, None)  # (P, T, V, C)
        maps = network.run_blocks(rows.permute(0, 3, 1, 2))  # (P, F, S, V)
        steps = -(-frames // self.stride)
        if maps.shape[2] != steps:
            raise ValueError(
                f"expected {steps} steps of {frames} frames at stride {self.stride}, the network gives "
                f"{maps.shape[2]}"
            )
        seen = person_is_there(x)[:, :, None] & valid[:, None, :: self.stride]  # (N, M, S)
        of_persons = maps.mean(3).transpose(1, 2).unflatten(0, (n, m))  # (N, M, S, F)
        return greatest_of_persons(of_persons, seen).transpose(1, 2)


class SkeletonDetector(Detector):
    """Poses to segments.

    Args:
        encoder: see `PoseEncoder`.
        detector: takes (N, F, S).

    Attributes:
        strides: in frames of the input, the encoder's stride included.
    """

    def __init__(self, encoder: nn.Module, detector: Detector) -> None:
        super().__init__()
        self.encoder = encoder
        self.detector = detector
        self.num_classes = detector.num_classes
        self.stride = cast(PoseEncoder, encoder).stride
        self.strides = tuple(self.stride * stride for stride in detector.strides)

    def forward(self, x: Tensor, valid: Tensor) -> DetectorOutput:
        """Scores and boundaries; positions are frames of the input.

        Args:
            x: (N, M, T, V, C).
            valid: (N, T) whether a frame is inside of the recording.

        Raises:
            ValueError: another shape.
        """
        features = self.encoder(x, valid)  # (N, F, S)
        output: DetectorOutput = self.detector(features, valid[:, :: self.stride])
        return replace(output, position=output.position * self.stride, stride=output.stride * self.stride)


class SkeletonRecogniser(nn.Module):
    """The same encoder as a recogniser of trimmed clips: the mean over the frames, a linear layer.

    It has the verbs of the networks over skeletons, so that they and it are trained by one loop.

    Args:
        encoder: see `PoseEncoder`.
        num_classes: width of the logits.
        dropout: in front of the linear layer.
    """

    input_kind: ClassVar[str] = "graph"
    takes_position: ClassVar[bool] = False

    def __init__(self, encoder: nn.Module, num_classes: int, dropout: float = 0.2) -> None:
        super().__init__()
        self.encoder = encoder
        self.num_features = cast(PoseEncoder, encoder).num_features
        self.dropout = nn.Dropout(dropout)
        self.reset_classifier(num_classes)

    def forward_features(
        self, x: Tensor, present: Tensor | None = None, position: Tensor | None = None
    ) -> Tensor:
        """(N, M, T, V, C) to (N, F).

        Args:
            x: the clips.
            present: (N, M) who is there; None for everyone whose numbers are not all zero.
            position: not used.
        """
        if present is not None:
            x = x * present[:, :, None, None, None]
        features: Tensor = self.encoder(x, x.new_ones((len(x), x.shape[2]), dtype=torch.bool))
        return features.mean(2)

    def forward_head(self, features: Tensor) -> Tensor:
        """(N, F) to logits (N, num_classes)."""
        logits: Tensor = self.classifier(self.dropout(features))
        return logits

    def forward(self, x: Tensor, present: Tensor | None = None, position: Tensor | None = None) -> Tensor:
        """Logits (N, num_classes); arguments as in `forward_features`."""
        return self.forward_head(self.forward_features(x, present, position))

    def get_classifier(self) -> nn.Linear:
        """The last layer."""
        return self.classifier

    def reset_classifier(self, num_classes: int) -> None:
        """A new last layer with fresh weights, for `num_classes` classes."""
        self.num_classes = num_classes
        self.classifier = nn.Linear(self.num_features, num_classes)
        nn.init.normal_(self.classifier.weight, 0, 0.01)
        nn.init.zeros_(self.classifier.bias)


def pose_token_recogniser(
    *,
    num_classes: int,
    layout: Layout | str,
    in_channels: int,
    tokens: Tokens = "parts",
    token_width: int = 64,
    encoder_strides: Sequence[int] = (1, 2, 1, 1),
    width: int = 192,
    dropout: float = 0.1,
) -> SkeletonRecogniser:
    """A recogniser with a fresh `PoseTokenEncoder`, by the arguments of the networks over skeletons.

    Args:
        num_classes: width of the logits.
        layout: of the joints, or its name.
        in_channels: C of a joint.
        tokens: as the next three, those of the `skeleton_detector` that is to begin from it.
        token_width: of a token.
        encoder_strides: of the encoder's blocks.
        width: of the features.
        dropout: of the encoder.
    """
    encoder = _encoder(layout, in_channels, tokens, token_width, encoder_strides, width, dropout)
    return SkeletonRecogniser(encoder, num_classes)


def load_recogniser(model: SkeletonDetector, state: Mapping[str, Tensor]) -> None:
    """The encoder of a trained `SkeletonRecogniser` into a detector's; its classifier stays behind.

    Args:
        model: to be filled.
        state: the recogniser's, also as one of our runs stores it, behind `model.`.

    Raises:
        ValueError: no entry is an encoder's, or the encoder's do not fit one by one.
    """
    bare = {name.removeprefix("model."): tensor for name, tensor in state.items()}
    encoder = {
        name.removeprefix(_OF_ENCODER): tensor
        for name, tensor in bare.items()
        if name.startswith(_OF_ENCODER)
    }
    if not encoder.keys() & model.encoder.state_dict().keys():
        raise ValueError(
            f"none of {len(state)} entries such as {', '.join(list(state)[:3])} is of the detector's "
            "encoder; give the checkpoint of a recogniser with this encoder"
        )
    load_exactly(model.encoder, encoder)


def skeleton_detector(
    *,
    num_classes: int,
    channels: int,
    layout: Layout | str,
    encoder: nn.Module | None = None,
    tokens: Tokens = "parts",
    token_width: int = 64,
    encoder_strides: Sequence[int] = (1, 2, 1, 1),
    width: int = 192,
    arch: tuple[int, int, int] = (1, 0, 5),
    window: int = 19,
    group_of: Sequence[int] = (),
    dropout: float = 0.1,
) -> SkeletonDetector:
    """Pose tokens and ActionFormer, in sizes that two cores train.

    Args:
        num_classes: A.
        channels: C of a joint.
        layout: of the joints, or its name.
        encoder: one that there is already, see `PoseEncoder`; None for a fresh `PoseTokenEncoder`.
        tokens: what is a token.
        token_width: of a token.
        encoder_strides: of the encoder's blocks.
        width: of the features and of the pyramid.
        arch: of ActionFormer.
        window: of its attention.
        group_of: (A,) body group of each action: the network then says P(group) P(action | group).
        dropout: of encoder and detector.

    Raises:
        ValueError: an option out of range.
    """
    if encoder is None:
        encoder = _encoder(layout, channels, tokens, token_width, encoder_strides, width, dropout)
    detector = ActionFormer(
        num_classes, cast(PoseEncoder, encoder).num_features, width=width, arch=arch, window=window,
        group_of=group_of, dropout=dropout,
    )  # fmt: skip
    return SkeletonDetector(encoder, detector)


def _encoder(
    layout: Layout | str,
    channels: int,
    tokens: Tokens,
    width: int,
    strides: Sequence[int],
    num_features: int,
    dropout: float,
) -> PoseTokenEncoder:
    joints = get_layout(layout) if isinstance(layout, str) else layout
    return PoseTokenEncoder(
        joints, channels, tokens=tokens, width=width, num_features=num_features, strides=strides,
        dropout=dropout,
    )  # fmt: skip
