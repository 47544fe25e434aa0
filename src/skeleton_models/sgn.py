"""SGN: semantics-guided neural network (Zhang et al., CVPR 2020), small enough for two CPU cores.

A joint is its position and its velocity, plus what it is (a code of its joint) and when (a code of its
frame). Three graph convolutions share one graph per frame, computed from the joints themselves (equation
3); then joints are pooled, and two temporal convolutions see the clip as twenty pieces.

The authors' code (`original`) and PYSKL's differ in four places, which `convention` switches together:

|                        | `original`                     | `pyskl`                                         |
| velocity of a frame    | from the frame before, first 0 | to the frame after; of the last: minus its pose |
| embeddings of a graph  | linear                         | behind a ReLU                                   |
| dropout                | whole channels                 | single values                                   |
| pieces of time, pooled | by their maximum               | by their mean                                   |

Axis letters: N clips, M persons, P persons computed, T frames, V joints, C channels.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any, Literal

import torch
from torch import Tensor, nn
from torch.nn import functional

from poses.layout import Layout
from skeleton_models.model import SkeletonModel, gather_persons, mean_over_persons
from weights.architectures import NameRules

Convention = Literal["original", "pyskl"]
"""Whose code to follow, see the module's docstring."""

PIECES = 20
"""Into so many pieces of time both published codes pool a clip, however long."""

PUBLISHED_NAMES: Mapping[str, NameRules] = {
    "original": (
        (r"^(joint|dif)_embed\.cnn\.0\.bn\.", r"\1_norm."),
        (r"^(joint|dif)_embed\.cnn\.1\.cnn\.", r"\1_embed.0."),
        (r"^(joint|dif)_embed\.cnn\.3\.cnn\.", r"\1_embed.2."),
        (r"^(tem|spa)_embed\.cnn\.(\d)\.cnn\.", r"\1_embed.\2."),
        (r"^dif_", "velocity_"),
        (r"^tem_embed", "frame_code"),
        (r"^spa_embed", "joint_code"),
        (r"^compute_g1\.g1\.cnn\.", "query."),
        (r"^compute_g1\.g2\.cnn\.", "key."),
        (r"^(gcn\d)\.w\.cnn\.", r"\1.neighbours."),
        (r"^(gcn\d)\.w1\.cnn\.", r"\1.own."),
        (r"^cnn\.cnn1\.", "temporal.conv."),
        (r"^cnn\.bn1\.", "temporal.conv_bn."),
        (r"^cnn\.cnn2\.", "temporal.widen."),
        (r"^cnn\.bn2\.", "temporal.widen_bn."),
    ),
    "pyskl": (
        (r"^backbone\.", ""),
        (r"^joint_bn\.", "joint_norm."),
        (r"^motion_bn\.", "velocity_norm."),
        (r"^t_embed", "frame_code"),
        (r"^s_embed", "joint_code"),
        (r"^motion_embed", "velocity_embed"),
        (r"^(\w+)\.0\.conv\.", r"\1.0."),
        (r"^(frame_code|joint_code|joint_embed|velocity_embed)\.1\.conv\.", r"\1.2."),
        (r"^compute_A1\.conv\.", "query."),
        (r"^compute_A2\.conv\.", "key."),
        (r"^(gcn\d)\.conv\.", r"\1.neighbours."),
        (r"^(gcn\d)\.residual\.", r"\1.own."),
        (r"^tcn\.1\.conv\.", "temporal.conv."),
        (r"^tcn\.1\.bn\.", "temporal.conv_bn."),
        (r"^tcn\.3\.conv\.", "temporal.widen."),
        (r"^tcn\.3\.bn\.", "temporal.widen_bn."),
        (r"^cls_head\.fc_cls\.", "fc."),
    ),
}


def _embedding(in_channels: int, hidden: int, out_channels: int) -> nn.Sequential:
    """Two pointwise layers."""
    return nn.Sequential(
        nn.Conv2d(in_channels, hidden, 1), nn.ReLU(), nn.Conv2d(hidden, out_channels, 1), nn.ReLU()
    )


class FrameGraphConvolution(nn.Module):
    """Neighbours by the frame's own graph, plus the joint itself (the paper's equation 4)."""

    def __init__(self, in_channels: int, out_channels: int) -> None:
        super().__init__()
        self.neighbours = nn.Conv2d(in_channels, out_channels, 1, bias=False)
        self.own = nn.Conv2d(in_channels, out_channels, 1)
        self.bn = nn.BatchNorm2d(out_channels)

    def forward(self, x: Tensor, graph: Tensor) -> Tensor:
        """(P, C, T, V) in channels-last memory and (P, T, V, V) to (P, C', T, V)."""
        gathered = torch.matmul(graph, x.permute(0, 2, 3, 1)).permute(0, 3, 1, 2)  # (P, C, T, V)
        return torch.relu(self.bn(self.neighbours(gathered) + self.own(x)))


class PieceConvolutions(nn.Module):
    """The clip in twenty pieces of time: a convolution over three of them, then one to twice the channels."""

    def __init__(
        self, channels: int, frames: int, joints: int, dropout: float, convention: Convention
    ) -> None:
        super().__init__()
        self.joints = joints
        self.pieces: Tensor
        self.register_buffer("pieces", _pieces(frames), persistent=False)
        self.time_last = convention == "original"  # in which of the kernel's two axes time lies
        kernel, padding = ((1, 3), (0, 1)) if self.time_last else ((3, 1), (1, 0))
        self.conv = nn.Conv2d(channels, channels, kernel, padding=padding)
        self.conv_bn = nn.BatchNorm2d(channels)
        self.drop = nn.Dropout2d(dropout) if convention == "original" else nn.Dropout(dropout)
        self.widen = nn.Conv2d(channels, channels * 2, 1)
        self.widen_bn = nn.BatchNorm2d(channels * 2)

    def forward(self, x: Tensor) -> Tensor:
        """(P, C, T, V) to (P, 2 C, 20)."""
        x = functional.max_pool2d(x, (1, self.joints))  # (P, C, T, 1)
        x = x[:, :, self.pieces].amax(3)  # (P, C, 20, longest, 1) to (P, C, 20, 1)
        if self.time_last:
            x = x.transpose(2, 3)  # (P, C, 1, 20)
        x = self.drop(torch.relu(self.conv_bn(self.conv(x))))
        return torch.relu(self.widen_bn(self.widen(x))).flatten(2)


def _pieces(frames: int) -> Tensor:
    """(20, longest) frames of each piece, as adaptive pooling cuts them; short pieces repeat their last.

    Adaptive pooling itself cannot be exported to ONNX unless 20 divides T.
    """
    first = [piece * frames // PIECES for piece in range(PIECES)]
    last = [math.ceil((piece + 1) * frames / PIECES) - 1 for piece in range(PIECES)]
    longest = max(b - a for a, b in zip(first, last, strict=True)) + 1
    rows = [[min(a + step, b) for step in range(longest)] for a, b in zip(first, last, strict=True)]
    return torch.tensor(rows)


class SGN(SkeletonModel):
    """The network; see the module's docstring.

    Args:
        num_classes: width of the logits.
        layout: the joints; only their number matters, the graph is computed.
        in_channels: C, coordinates and, where wanted, the confidence.
        frames: T, fixed by the code of frames.
        width: channels of an embedding, 64 in the paper; all others are its multiples.
        convention: whose code to follow, see the module's docstring.
        dropout: between the two temporal convolutions.
    """

    input_kind = "graph"

    def __init__(
        self,
        *,
        num_classes: int,
        layout: Layout,
        in_channels: int = 3,
        frames: int = 20,
        width: int = 64,
        convention: Convention = "original",
        dropout: float = 0.2,
    ) -> None:
        super().__init__()
        joints = len(layout.joints)
        self.joints, self.in_channels, self.frames, self.convention = joints, in_channels, frames, convention
        self.num_features, self.num_classes = width * 8, num_classes
        self.joint_norm = nn.BatchNorm1d(in_channels * joints)
        self.velocity_norm = nn.BatchNorm1d(in_channels * joints)
        self.joint_embed = _embedding(in_channels, width, width)
        self.velocity_embed = _embedding(in_channels, width, width)
        self.joint_code = _embedding(joints, width, width)
        self.frame_code = _embedding(frames, width, width * 4)
        self.query = nn.Conv2d(width * 2, width * 4, 1)
        self.key = nn.Conv2d(width * 2, width * 4, 1)
        self.gcn1 = FrameGraphConvolution(width * 2, width * 2)
        self.gcn2 = FrameGraphConvolution(width * 2, width * 4)
        self.gcn3 = FrameGraphConvolution(width * 4, width * 4)
        self.temporal = PieceConvolutions(
            width * 4, frames=frames, joints=joints, dropout=dropout, convention=convention
        )
        self.fc = nn.Linear(width * 8, num_classes)
        self._initialise()

    def _initialise(self) -> None:
        """As both published codes: He's normal by fan-out; graph convolutions start without graph."""
        for module in self.modules():
            if isinstance(module, nn.Conv2d):
                fan_out = math.prod(module.kernel_size) * module.out_channels
                nn.init.normal_(module.weight, 0, math.sqrt(2 / fan_out))
        for gcn in (self.gcn1, self.gcn2, self.gcn3):
            nn.init.zeros_(gcn.neighbours.weight)

    def _velocity(self, x: Tensor) -> Tensor:
        """(P, T, V, C) to the same, by frame."""
        if self.convention == "original":
            return functional.pad(x[:, 1:] - x[:, :-1], (0, 0, 0, 0, 1, 0))
        return functional.pad(x[:, 1:], (0, 0, 0, 0, 0, 1)) - x

    def _normalised(self, norm: nn.Module, x: Tensor) -> Tensor:
        """(P, T, V, C) to (P, C, T, V) in channels-last memory, each coordinate of each joint normalised."""
        p, t, v, c = x.shape
        rows: Tensor = norm(x.transpose(2, 3).reshape(p * t, c * v))  # published norms count C first, then V
        return rows.view(p, t, c, v).transpose(2, 3).contiguous().permute(0, 3, 1, 2)

    def _graph(self, x: Tensor) -> Tensor:
        """(P, C, T, V) to (P, T, V, V), rows sum to 1: how much each joint hears of each other."""
        query, key = self.query(x), self.key(x)  # (P, 4 width, T, V)
        if self.convention == "pyskl":
            query, key = torch.relu(query), torch.relu(key)
        return torch.softmax(query.permute(0, 2, 3, 1) @ key.permute(0, 2, 1, 3), -1)

    def forward_features(
        self, x: Tensor, present: Tensor | None = None, position: Tensor | None = None
    ) -> Tensor:
        """(N, M, T, V, C) to (N, 8 width); `position` is ignored.

        Raises:
            ValueError: frames, joints or channels are not those of the constructor.
        """
        expected = (self.frames, self.joints, self.in_channels)
        if tuple(x.shape[2:]) != expected:
            raise ValueError(f"SGN expects (N, M, T, V, C) with T, V, C = {expected}, got {tuple(x.shape)}")
        persons, clip = gather_persons(x, present)  # (P, T, V, C)
        if clip is not None and not len(clip):
            return self.features_of_nobody(x)
        position_part = self.joint_embed(self._normalised(self.joint_norm, persons))  # (P, width, T, V)
        velocity_part = self.velocity_embed(self._normalised(self.velocity_norm, self._velocity(persons)))
        moving = position_part + velocity_part
        # A one-hot code meets a pointwise layer once per joint or frame, not once per clip, frame and joint.
        joint = self.joint_code(torch.eye(self.joints, device=x.device)[None, :, None])  # (1, width, 1, V)
        frame = self.frame_code(torch.eye(self.frames, device=x.device)[None, ..., None])  # (1, 4 w, T, 1)
        y = torch.cat([moving, joint.expand_as(moving)], 1)  # (P, 2 width, T, V)
        y = y.contiguous(memory_format=torch.channels_last)
        graph = self._graph(y)
        y = self.gcn3(self.gcn2(self.gcn1(y, graph), graph), graph)  # (P, 4 width, T, V)
        pieces = self.temporal(y + frame)  # (P, 8 width, 20)
        pooled = pieces.amax(2) if self.convention == "original" else pieces.mean(2)  # (P, 8 width)
        return mean_over_persons(pooled, clip, x.shape[0])

    def get_classifier(self) -> nn.Linear:
        """The last layer."""
        return self.fc

    def reset_classifier(self, num_classes: int) -> None:
        """A new last layer with fresh weights."""
        self.num_classes = num_classes
        self.fc = nn.Linear(self.num_features, num_classes, device=self.fc.weight.device)


def sgn(*, num_classes: int, layout: Layout, in_channels: int = 3, **options: Any) -> SGN:
    """SGN as its authors' code; `options` are those of `SGN`, among them `frames`."""
    return SGN(num_classes=num_classes, layout=layout, in_channels=in_channels, **options)
