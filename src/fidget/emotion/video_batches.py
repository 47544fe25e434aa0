"""Clips become batches of faces and persons: the same frames, the same mirror image, and their micro-actions.

Axis letters: N clips, A micro-actions, T frames, H height, W width.
"""

from __future__ import annotations

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from typing import Any, NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from fidget.emotion.face_frames import person_and_face
from fidget.emotion.video_networks import frames_of
from fidget.emotion.video_recipe import EmotionRecipe, FaceInputTable
from fidget.faces.face_tracks import FaceTrack
from fidget.frames.frame_clip import FrameClip
from fidget.training.frame_batch import FrameBatch
from fidget.training.frame_batches import FrameBatches, frame_builders
from protocols.label_tree import LabelTree
from protocols.mirror_labels import mirrored_actions
from skeleton_models.random_keys import Keys


class EmotionClip(NamedTuple):
    """One clip.

    Attributes:
        frames: of the video, with the region of the person.
        face: where the face is; None where nobody asks for it.
        actions: (A,) whether it has a micro-action.
    """

    frames: FrameClip
    face: FaceTrack | None
    actions: NDArray[np.bool_]


@dataclass(frozen=True, eq=False)
class EmotionBatch(FrameBatch):
    """A `FrameBatch` of faces, persons or both; `x` are those of the first that there is.

    Attributes:
        face: pictures of faces; None where the network has no use for them.
        person: pictures of persons; likewise.
        actions: (N, A) float32, the micro-actions of each clip, mirrored where its pictures are.
    """

    face: FrameBatch | None = None
    person: FrameBatch | None = None
    actions: Tensor | None = None

    @property
    def inputs(self) -> tuple[Tensor | None, ...]:  # type: ignore[override]
        """What `EmotionNetwork.forward` takes."""
        return tuple(None if one is None else one.x for one in (self.face, self.person))

    def to(self, device: torch.device | str, non_blocking: bool = False) -> EmotionBatch:
        """The same batch on a device."""
        face = None if self.face is None else self.face.to(device, non_blocking)
        person = None if self.person is None else self.person.to(device, non_blocking)
        actions = None if self.actions is None else self.actions.to(device, non_blocking=non_blocking)
        return _of(face, person, actions)


def _of(face: FrameBatch | None, person: FrameBatch | None, actions: Tensor | None) -> EmotionBatch:
    first = face or person
    assert first is not None
    return EmotionBatch(
        first.x, first.views, first.draws, first.flipped, face=face, person=person, actions=actions
    )


@dataclass(frozen=True)
class EmotionBatches:
    """An `InputBuilder` of faces (N, 3, T, S, S) and persons (N, 3, T, H, W).

    Attributes:
        face: makes faces; None for networks without.
        person: makes persons; likewise. Both draw the same frames from the same keys.
        face_input: how faces are cut out.
        action_mirror: (A,) the micro-action that each one's mirror image shows.
        threads: that read; each has clips of its own.
        pinned: batches lie in memory that a GPU reads without the processor.
    """

    face: FrameBatches | None
    person: FrameBatches | None
    face_input: FaceInputTable
    action_mirror: tuple[int, ...]
    threads: int = 1
    pinned: bool = False

    @property
    def _first(self) -> FrameBatches:
        first = self.face or self.person
        assert first is not None
        return first

    @property
    def test_clips(self) -> int:
        """Temporal clips of a clip in evaluation."""
        return self._first.test_clips

    @property
    def flips(self) -> int:
        """Views of a temporal clip."""
        return self._first.flips

    @property
    def mirrored(self) -> tuple[int, ...]:
        """Nobody: emotions stay; micro-actions of mirror images change sides in `batch`."""
        return ()

    def channels(self, dimensions: int) -> int:
        """Red, green, blue."""
        return 3

    def batch(self, clips: Sequence[EmotionClip], keys: Keys | None) -> EmotionBatch:
        """See `InputBuilder.batch`.

        Raises:
            ValueError: a picture cannot be had; names the video and the frame.
        """
        return self._made(clips, keys, 0, self.test_clips)

    def part(self, clip: EmotionClip, first: int, last: int) -> EmotionBatch:
        """See `InputBuilder.part`."""
        return self._made([clip], None, first, last)

    def finish(self, batch: Any) -> EmotionBatch:
        """Both as `FrameBatches` finishes them."""
        face = None if batch.face is None or self.face is None else self.face.finish(batch.face)
        person = None if batch.person is None or self.person is None else self.person.finish(batch.person)
        return _of(face, person, batch.actions)

    def _made(self, clips: Sequence[EmotionClip], keys: Keys | None, first: int, last: int) -> EmotionBatch:
        def one(number: int) -> tuple[FrameBatch | None, FrameBatch | None]:
            return self._one(clips[number], None if keys is None else keys[number : number + 1], first, last)

        if self.threads == 1 or len(clips) == 1:
            made = [one(number) for number in range(len(clips))]
        else:
            with ThreadPoolExecutor(min(self.threads, len(clips)), thread_name_prefix="fidget-faces") as pool:
                made = list(pool.map(one, range(len(clips))))
        face, person = (self._together([pair[which] for pair in made]) for which in (0, 1))
        actions = np.stack([clip.actions for clip in clips])  # (N, A)
        batch = _of(face, person, None)
        if keys is not None and batch.flipped is not None and self.action_mirror:
            mirrored = actions[:, np.array(self.action_mirror)]
            actions = np.where(batch.flipped[:, None], mirrored, actions)
        return replace(batch, actions=torch.from_numpy(actions.astype(np.float32)))

    def _one(
        self, clip: EmotionClip, keys: Keys | None, first: int, last: int
    ) -> tuple[FrameBatch | None, FrameBatch | None]:
        """One clip's face and person; its frames are forgotten behind it."""
        side = 0 if self.face is None else self.face.preprocessing.resize_short
        both = self.face is not None and self.person is not None
        person, face = person_and_face(
            clip.frames, clip.face if self.face is not None else None, self.face_input, side, both
        )
        made: list[FrameBatch | None] = []
        for builder, source in ((self.face, face), (self.person, person)):
            if builder is None or source is None:
                made.append(None)
            elif keys is None:
                made.append(builder.part(source, first, last))
            else:
                made.append(builder.batch([source], keys))
        return made[0], made[1]

    def _together(self, parts: Sequence[FrameBatch | None]) -> FrameBatch | None:
        there = [one for one in parts if one is not None]
        if not there:
            return None
        x = torch.cat([one.x for one in there])
        draws = [one.draws for one in there if one.draws is not None]
        turned = [one.flipped for one in there if one.flipped is not None]
        return FrameBatch(
            x.pin_memory() if self.pinned else x,
            there[0].views,
            np.concatenate(draws) if draws else None,
            np.concatenate(turned) if turned else None,
        )


def emotion_builders(
    recipe: EmotionRecipe, tree: LabelTree, device_type: str
) -> tuple[EmotionBatches, EmotionBatches, EmotionBatches]:
    """The builders of training, of validation (one view a clip) and of the measured split.

    Args:
        recipe: says what the network looks at.
        tree: of the micro-actions.
        device_type: `cpu` or `cuda`, where the network is.

    Raises:
        ValueError: no such encoder, or settings that do not fit each other.
    """
    face: tuple[FrameBatches | None, ...] = (None, None, None)
    person = face
    if recipe.looks_at_faces:
        face = frame_builders(recipe.of_face(), None, device_type)
    if recipe.looks_at_persons:
        person = frame_builders(recipe.of_person(), None, device_type)
    mirror = mirrored_actions(tree)
    frames = frames_of(recipe)
    built = []
    for of_face, of_person in zip(face, person, strict=True):
        built.append(
            EmotionBatches(
                None if of_face is None else replace(of_face, frames=frames, threads=1, pinned=False),
                None if of_person is None else replace(of_person, frames=frames, threads=1, pinned=False),
                recipe.face_input,
                () if mirror == tuple(range(len(mirror))) else mirror,
                recipe.input.threads,
                device_type == "cuda",
            )
        )
    training, seen, measured = built
    return training, seen, measured
