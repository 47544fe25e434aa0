"""Poses as tokens: one a frame and part of the body, and an encoder that joins them over body and time.

An encoder of our own, made for long recordings on a processor: a learnt graph over the parts, as adaptive
graph convolutions have it (Shi et al., 2s-AGCN, CVPR 2019, equation 3), then a convolution over time.

Axis letters: N windows, M persons, P = N * M, T frames, V joints, C channels of a joint, K tokens of a frame,
D width of a token, S = T / stride features.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal, get_args

import torch
from torch import Tensor, nn
from torch.nn import functional

from poses.layout import Layout

Tokens = Literal["parts", "joints", "whole"]
"""One token a part of the body, one a joint, or a single one."""

_OF_HEAD = ("nose", "eye", "ear", "mouth", "head", "face")
_OF_HAND = ("hand", "thumb", "finger", "pinky", "left_index", "right_index")
_OF_ARM = ("shoulder", "elbow", "wrist")
_OF_LEG = ("hip", "knee", "ankle", "foot", "toe", "heel")
_ENDS_OF_TORSO = ("shoulder", "hip")


def body_parts(layout: Layout) -> dict[str, tuple[int, ...]]:
    """Parts of the body -> their joints, by the joints' names; parts without a joint are left out.

    Shoulders and hips belong to the torso and to a limb, every other joint to one part.

    Args:
        layout: any joint set.
    """
    parts: dict[str, list[int]] = {}
    for number, joint in enumerate(layout.joints):
        for part in _parts_of(joint):
            parts.setdefault(part, []).append(number)
    return {part: tuple(joints) for part, joints in parts.items()}


def _parts_of(joint: str) -> list[str]:
    side = next((name for name in ("left", "right") if joint.startswith(f"{name}_")), "")
    if joint.startswith("face-"):
        return ["face"]
    if side and any(name in joint for name in _OF_HAND):
        return [f"{side}_hand"]
    limbs = ("arm", _OF_ARM), ("leg", _OF_LEG)
    found = [f"{side}_{limb}" for limb, names in limbs if side and any(name in joint for name in names)]
    if found:
        return [*found, "torso"] if any(name in joint for name in _ENDS_OF_TORSO) else found
    # After the limbs, since "ear" is in no limb's name but "head" in none either.
    return ["head"] if any(name in joint for name in _OF_HEAD) else ["torso"]


def token_joints(layout: Layout, tokens: Tokens) -> list[tuple[int, ...]]:
    """The joints of each token.

    Raises:
        ValueError: there is no such kind of tokens.
    """
    joints = range(len(layout.joints))
    kinds: dict[str, list[tuple[int, ...]]] = {
        "parts": list(body_parts(layout).values()),
        "joints": [(joint,) for joint in joints],
        "whole": [tuple(joints)],
    }
    if tokens not in kinds:
        raise ValueError(f"tokens must be one of {', '.join(get_args(Tokens))}, got {tokens!r}")
    return kinds[tokens]


class PoseTokens(nn.Module):
    """Joints to tokens: each channel normalised over the frames seen, and a linear layer for every token.

    Args:
        joints: V.
        channels: C.
        groups: joints of each token, K of them.
        width: D.
    """

    def __init__(self, joints: int, channels: int, groups: Sequence[Sequence[int]], width: int) -> None:
        super().__init__()
        self.norm = nn.BatchNorm1d(joints * channels)
        self.layers = nn.ModuleList(nn.Linear(len(group) * channels, width) for group in groups)
        self.groups = [list(group) for group in groups]

    def forward(self, x: Tensor, seen: Tensor) -> Tensor:
        """Tokens of all frames.

        Args:
            x: (P, T, V, C).
            seen: (P, T) whether the person is there, and the frame inside of the recording.

        Returns:
            (P, T, K, D).
        """
        flat = x.flatten(2)  # (P, T, V * C)
        if self.training and seen.any():
            normed = torch.zeros_like(flat)
            normed[seen] = self.norm(flat[seen]).to(flat.dtype)
        else:
            scale = self.norm.weight * torch.rsqrt(self.norm.running_var + self.norm.eps)
            normed = flat * scale + (self.norm.bias - self.norm.running_mean * scale)
        normed = normed.reshape(x.shape)
        tokens = [
            layer(normed[:, :, group].flatten(2))
            for layer, group in zip(self.layers, self.groups, strict=True)
        ]
        return torch.stack(tokens, dim=2)


class TokenBlock(nn.Module):
    """Tokens of a frame learn of one another by a learnt graph, then each of its own past and future.

    Args:
        tokens: K.
        width: D.
        graphs: learnt graphs; each mixes its share of the channels.
        kernel: frames that the convolution over time sees, an odd number.
        stride: frames in for one out.
        dilation: distance of those frames.
        dropout: behind the convolution.
    """

    def __init__(
        self, tokens: int, width: int, graphs: int, kernel: int, stride: int, dilation: int, dropout: float
    ) -> None:
        super().__init__()
        self.stride, self.graphs = stride, graphs
        self.graph = nn.Parameter(torch.eye(tokens).repeat(graphs, 1, 1))  # (graphs, K, K)
        self.graph_norm, self.time_norm = nn.LayerNorm(width), nn.LayerNorm(width)
        self.before, self.after = nn.Linear(width, width), nn.Linear(width, width)
        self.time = nn.Conv2d(
            width, width, (kernel, 1), (stride, 1), (kernel // 2 * dilation, 0), (dilation, 1)
        )
        self.out = nn.Linear(width, width)
        self.dropout = nn.Dropout(dropout)

    def forward(self, x: Tensor, seen: Tensor) -> tuple[Tensor, Tensor]:
        """(P, T, K, D) and (P, T) to (P, S, K, D) and (P, S)."""
        y = self.before(self.graph_norm(x)).unflatten(3, (self.graphs, -1))  # (P, T, K, graphs, D / graphs)
        y = torch.einsum("glk,ptkgd->ptlgd", self.graph, y).flatten(3)  # (P, T, K, D)
        x = x + self.after(functional.gelu(y))
        y = self.time_norm(x) * seen[:, :, None, None]
        # In memory the tokens are a picture T high and K wide with its channels last.
        y = self.time(y.permute(0, 3, 1, 2)).permute(0, 2, 3, 1)  # (P, S, K, D)
        x, seen = x[:, :: self.stride], seen[:, :: self.stride]
        return x + self.out(self.dropout(functional.gelu(y))), seen


class PoseTokenEncoder(nn.Module):
    """Poses to a sequence of features.

    Args:
        layout: of the joints.
        channels: C of a joint, as the builder of the input says.
        tokens: what is a token.
        width: D.
        num_features: of the features.
        strides: of the blocks, as many as there are; their product is frames in for one feature out.
        kernel: frames that a block's convolution sees.
        graphs: learnt graphs of a block.
        dropout: in the blocks.

    Attributes:
        num_features: as given.
        stride: frames for one feature; feature i stands for frame i * stride.

    Raises:
        ValueError: an even kernel, or a width that the graphs do not divide.
    """

    def __init__(
        self,
        layout: Layout,
        channels: int,
        *,
        tokens: Tokens = "parts",
        width: int = 64,
        num_features: int = 256,
        strides: Sequence[int] = (1, 2, 1, 1),
        kernel: int = 9,
        graphs: int = 4,
        dropout: float = 0.1,
    ) -> None:
        super().__init__()
        if kernel < 1 or not kernel % 2 or width % graphs:
            raise ValueError(
                f"pose tokens: expected an odd kernel and a width that {graphs} graphs divide, "
                f"got kernel {kernel} and width {width}"
            )
        groups = token_joints(layout, tokens)
        self.joints, self.channels = len(layout.joints), channels
        self.num_features = num_features
        self.stride = 1
        self.tokens = PoseTokens(self.joints, channels, groups, width)
        blocks = []
        for number, stride in enumerate(strides):
            dilation = 1 if stride > 1 else 1 + number % 2
            blocks.append(TokenBlock(len(groups), width, graphs, kernel, stride, dilation, dropout))
            self.stride *= stride
        self.blocks = nn.ModuleList(blocks)
        self.norm = nn.LayerNorm(len(groups) * width)
        self.project = nn.Linear(len(groups) * width, num_features)

    def forward(self, x: Tensor, valid: Tensor) -> Tensor:
        """Features of each window, of its persons the greatest.

        Args:
            x: (N, M, T, V, C); a person who is not there has zeros only.
            valid: (N, T) whether a frame is inside of the recording.

        Returns:
            (N, num_features, S); zeros where there is nobody.

        Raises:
            ValueError: another shape.
        """
        check_poses(x, valid, self.joints, self.channels)
        seen = person_is_there(x)[:, :, None] & valid[:, None]  # (N, M, T)
        n, m = seen.shape[:2]
        seen = seen.flatten(0, 1)  # (P, T)
        y = self.tokens(x.flatten(0, 1), seen)  # (P, T, K, D)
        for block in self.blocks:
            y, seen = block(y, seen)
        y = self.project(self.norm(y.flatten(2)))  # (P, S, num_features)
        return greatest_of_persons(y.unflatten(0, (n, m)), seen.unflatten(0, (n, m))).transpose(1, 2)


def check_poses(x: Tensor, valid: Tensor, joints: int, channels: int) -> None:
    """See that poses fit an encoder.

    Args:
        x: (N, M, T, V, C).
        valid: (N, T).
        joints: V wanted.
        channels: C wanted.

    Raises:
        ValueError: another shape; what was expected and what came.
    """
    if x.ndim != 5 or x.shape[3:] != (joints, channels):
        raise ValueError(f"expected poses (N, M, T, {joints}, {channels}), got {tuple(x.shape)}")
    if valid.shape != (x.shape[0], x.shape[2]) or valid.dtype != torch.bool:
        raise ValueError(
            f"expected valid as booleans {(x.shape[0], x.shape[2])}, got {valid.dtype} {tuple(valid.shape)}"
        )


def person_is_there(x: Tensor) -> Tensor:
    """(N, M) whether any number of a person in (N, M, T, V, C) is not zero."""
    return (x != 0).flatten(2).any(2)


def greatest_of_persons(features: Tensor, seen: Tensor) -> Tensor:
    """(N, S, F) of (N, M, S, F): of the persons seen the greatest, zeros where nobody is.

    Args:
        features: (N, M, S, F).
        seen: (N, M, S).
    """
    if features.shape[1] == 1:
        return features[:, 0] * seen[:, 0, :, None]
    least = torch.finfo(features.dtype).min
    greatest = features.masked_fill(~seen[..., None], least).amax(1)  # (N, S, F)
    return greatest * seen.any(1)[..., None]
