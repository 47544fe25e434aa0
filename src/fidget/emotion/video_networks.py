"""Emotion networks over videos, by their recipe: what they look at, and what they say.

Axis letters: N clips, E emotions, A micro-actions, T frames, K segments, C channels, H W of maps.
"""

from __future__ import annotations

from pathlib import Path

import torch
from torch import Tensor, nn
from torch.nn import functional

from emotion_models.emotion_fan import EmotionFan
from emotion_models.two_branch import TwoBranch, TwoBranchOutput, two_branch_loss
from emotion_models.vaanet import VaaNet, polarity_loss
from fidget.emotion.frame_encoder import FrameEncoder, SegmentEncoder
from fidget.emotion.video_recipe import EmotionRecipe, EncoderTable
from fidget.training.initial_weights import load_initial
from rgb_models import zoo
from rgb_models.resnet2d import FrameResNet

Said = tuple[Tensor, Tensor | None]


class EmotionNetwork(nn.Module):
    """A network of a recipe: face and person in, emotions and, where it has such a head, micro-actions out.

    Args:
        model: one of the emotion models, its encoders over frames.
        segments: K that VAANet is given the frames in.
    """

    def __init__(self, model: TwoBranch | VaaNet | EmotionFan, segments: int = 1) -> None:
        super().__init__()
        self.model = model
        self.segments = segments

    def forward(self, face: Tensor | None = None, person: Tensor | None = None) -> Said:
        """Logits of emotions (N, E), of which one is true, and of micro-actions (N, A) or None.

        Args:
            face: (N, 3, T, H, W) of the face; None where the network has no use for it.
            person: the same of the person.
        """
        if isinstance(self.model, TwoBranch):
            out = self.model(face, person)
            return out.emotions, out.actions
        if isinstance(self.model, EmotionFan):
            return self.model(face), None
        assert person is not None
        parts = person.unflatten(2, (self.segments, -1)).transpose(1, 2)  # (N, K, 3, F, H, W)
        return self.model(parts), None


class EmotionLoss(nn.Module):
    """What a recipe's network minimises.

    Args:
        recipe: whose loss.
        emotions: names; those of positive polarity must be among them.

    Raises:
        ValueError: a positive emotion that the table has not.
    """

    def __init__(self, recipe: EmotionRecipe, emotions: tuple[str, ...]) -> None:
        super().__init__()
        table = recipe.loss
        unknown = [name for name in table.positive if name not in emotions]
        if unknown:
            raise ValueError(
                f"loss.positive: {', '.join(map(repr, unknown))} not among the emotions {', '.join(emotions)}"
            )
        self.weight = table.emotion_weight
        self.polarity_weight = table.polarity_weight
        self.positive = [name in table.positive for name in emotions] if table.positive else None

    def forward(self, said: Said, emotions: Tensor, actions: Tensor) -> Tensor:
        """One number.

        Args:
            said: of the network.
            emotions: (N,) int64.
            actions: (N, A) in 0..1.
        """
        felt, done = said[0].float(), said[1]
        if done is not None:
            return two_branch_loss(TwoBranchOutput(felt, done.float()), emotions, actions, self.weight)
        if self.positive is not None:
            return polarity_loss(felt, emotions, self.positive, self.polarity_weight)
        return functional.cross_entropy(felt, emotions)


def make_network(recipe: EmotionRecipe, emotions: int, actions: int) -> EmotionNetwork:
    """The network of a recipe, with fresh weights from torch's generator.

    Args:
        recipe: names the network and its encoders.
        emotions: E.
        actions: A.

    Raises:
        ValueError: an encoder that does not exist or has no features of every frame, options that it has not,
            or frames that cannot be shared out to the segments.
    """
    head, frames = recipe.head, frames_of(recipe)
    face = _encoder(recipe.face, frames, "face") if recipe.looks_at_faces else None
    if recipe.network == "vaanet":
        segments = head.segments
        if frames % segments:
            raise ValueError(f"head.segments: {frames} frames cannot be shared out to {segments} segments")
        trunk = SegmentEncoder(_encoder(recipe.action, frames // segments, "action").network)
        return EmotionNetwork(VaaNet(trunk, trunk.channels, emotions, head.hidden), segments)
    if recipe.network == "emotion_fan":
        assert face is not None
        return EmotionNetwork(EmotionFan(face, face.channels, emotions, head.relation, head.dropout))
    action = _encoder(recipe.action, frames, "action") if recipe.looks_at_persons else None
    return EmotionNetwork(
        TwoBranch(
            emotions=emotions,
            actions=actions,
            face=face,
            face_channels=0 if face is None else face.channels,
            action=action,
            action_channels=0 if action is None else action.channels,
            heads=head.attention_heads,
            dropout=head.dropout,
        )
    )


def frames_of(recipe: EmotionRecipe) -> int:
    """T of a recipe: what it says, else the published 16."""
    return recipe.input.frames or 16


def _encoder(table: EncoderTable, frames: int, which: str) -> FrameEncoder:
    network = zoo.create_model(table.name, num_classes=1, frames=frames, **table.options)
    if not isinstance(network, FrameResNet):
        raise ValueError(
            f"[{which}] name {table.name!r} gives no features of every frame; "
            "expected manet_r50, tsm_r50, tsn_r50, tin_r50 or gc_tsm_r50"
        )
    return FrameEncoder(network)


def begin_with(network: EmotionNetwork, recipe: EmotionRecipe, checkpoint: Path | str) -> str:
    """Pretrained weights into every encoder; whose names they had.

    Args:
        network: whose encoders are filled; what stands on them stays fresh.
        recipe: names the encoders.
        checkpoint: a file, or the name of a published weight.

    Raises:
        MissingWeightError: the weight is not on this machine.
        ValueError: no such file or weight, or tensors that do not fit.
    """
    whose = ""
    for name, module in network.named_modules():
        if isinstance(module, FrameEncoder | SegmentEncoder):
            table = recipe.face if name.endswith("face") or recipe.network == "emotion_fan" else recipe.action
            whose = load_initial(module.network, table.name, checkpoint)
    return whose


def trained_numbers(network: nn.Module) -> int:
    """How many numbers are trained."""
    return sum(weight.numel() for weight in network.parameters() if weight.requires_grad)


def softmax_and_sigmoid(said: Said) -> Tensor:
    """(N, E + A) probabilities of emotions, which sum to 1, and of micro-actions beside them; float32."""
    felt, done = said
    likely = felt.float().softmax(1)
    return likely if done is None else torch.cat([likely, done.float().sigmoid()], 1)
