"""Networks over frames as encoders of the two-branch emotion network: MANet in both, as the paper."""

from __future__ import annotations

from torch import Tensor, nn

from emotion_models.two_branch import FRAMES, TwoBranch
from rgb_models.manet import Manet, manet_r50
from rgb_models.resnet2d import FrameResNet


class FrameEncoder(nn.Module):
    """A network over frames as an encoder: features of every frame, its own head unused.

    Args:
        network: such as MANet or TSM.
    """

    def __init__(self, network: FrameResNet) -> None:
        super().__init__()
        self.network = network
        self.channels = network.num_features
        for weight in network.get_classifier().parameters():
            weight.requires_grad_(False)  # it is in no loss

    def forward(self, x: Tensor) -> Tensor:
        """(N, 3, T, H, W) normalised frames to (N, T, C)."""
        features: Tensor = self.network.frame_features(x)
        return features


class SegmentEncoder(nn.Module):
    """A network over frames as an encoder of segments: feature maps, the mean over a segment's frames.

    Args:
        network: such as TSM, for as many frames as a segment has.
    """

    def __init__(self, network: FrameResNet) -> None:
        super().__init__()
        self.network = network
        self.channels = network.num_features
        for weight in network.get_classifier().parameters():
            weight.requires_grad_(False)  # it is in no loss

    def forward(self, x: Tensor) -> Tensor:
        """(N, 3, T, H, W) normalised frames to (N, C, H', W')."""
        maps = self.network.frame_maps(x)  # (N * T, C, H', W')
        return maps.unflatten(0, (len(x), -1)).mean(1)


def ma52pro_network(
    *,
    emotions: int,
    actions: int,
    face: Manet | None = None,
    action: Manet | None = None,
    frames: int = FRAMES,
) -> TwoBranch:
    """MA-52-Pro's whole network: MANet on the face's crop and MANet on the person, T = 16.

    Args:
        emotions: E.
        actions: A.
        face: takes crops of the face; a fresh MANet with ResNet-50 where None.
        action: takes the person; the same.
        frames: T of fresh ones.
    """
    encoders = [FrameEncoder(one or manet_r50(num_classes=actions, frames=frames)) for one in (face, action)]
    return TwoBranch(
        emotions=emotions,
        actions=actions,
        face=encoders[0],
        face_channels=encoders[0].channels,
        action=encoders[1],
        action_channels=encoders[1].channels,
    )
