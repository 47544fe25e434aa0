"""Windows of all people of a clip through a recogniser: each network gets what it was trained on.

Letters: M persons, T frames, W windows, A actions.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import nullcontext
from dataclasses import dataclass, replace
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from fidget.frames.frame_clip import FrameClip
from fidget.frames.person_crop import AROUND_PERSON
from fidget.frames.video_entry import VideoEntry
from fidget.recognition.person_windows import PersonWindow, cut
from fidget.recognition.recogniser import Recogniser, joints_for
from fidget.recognition.trained_network import SeenClip, TrainedNetwork
from fidget.recognition.window_frames import WindowFrames, all_frames
from fidget.training.frame_batches import FrameBatches
from fidget.training.posed_videos import PosedClip
from fidget.training.two_path_batches import TwoPathBatches
from fidget.training.videos import short_side_of
from poses.clip import PoseClip
from skeleton_models.clip_arrays import ClipArrays

Floats = NDArray[np.float64]
Progress = Callable[[float], None]  # seconds of a person looked at since the last call


class ClipWindow(NamedTuple):
    """A window of somebody.

    Attributes:
        person: place in the clip; None for whoever is in the picture.
        window: its frames and seconds.
    """

    person: int | None
    window: PersonWindow


@dataclass(frozen=True, eq=False)
class SeenVideo:
    """One clip as networks may see it.

    Attributes:
        clip: its poses as they were extracted.
        poses: the joints that the recogniser takes.
        video: its pictures; None where no network takes them.
    """

    clip: PoseClip
    poses: ClipArrays
    video: VideoEntry | None


def window_probabilities(
    recogniser: Recogniser,
    seen: SeenVideo,
    windows: Sequence[ClipWindow],
    all_views: bool,
    step: Progress,
    step_s: float,
) -> Floats:
    """Calibrated probabilities (W, A) of windows.

    Args:
        recogniser: of one network or several.
        seen: the clip; with its video where a network takes frames.
        windows: W of anybody in it, in order of their first frames, so that its video is decoded once for
            each network over frames.
        all_views: of the recipes; else one view.
        step: told the seconds that each window went on.
        step_s: from a window to the next.
    """
    share_s = step_s / len(recogniser.networks)

    def of(network: TrainedNetwork) -> Floats:
        builder = network.builder(all_views)
        with _frames(network, builder, seen, windows) as frames:

            def read(number: int) -> SeenClip:
                step(share_s)
                return _seen_by(network, recogniser, seen, windows[number], frames)

            return network.probabilities(len(windows), read, all_views)

    return recogniser.fused([of(network) for network in recogniser.networks])


def _frames(
    network: TrainedNetwork, builder: object, seen: SeenVideo, windows: Sequence[ClipWindow]
) -> WindowFrames | nullcontext[None]:
    """The pictures of the windows, for a network that takes them."""
    if not network.takes_frames:
        return nullcontext()
    assert seen.video is not None
    pictures = builder.pictures if isinstance(builder, TwoPathBatches) else builder
    assert isinstance(pictures, FrameBatches)
    wanted = [one.first + pictures.test_numbers(one.last - one.first) for _, one in windows]
    return WindowFrames(seen.video, all_frames(wanted), short_side_of(network.run.recipe), pictures.threads)


def _seen_by(
    network: TrainedNetwork,
    recogniser: Recogniser,
    seen: SeenVideo,
    window: ClipWindow,
    frames: WindowFrames | None,
) -> SeenClip:
    """What a network takes of a window."""
    person, (first, last, _) = window
    poses = None
    if network.layout is not None:
        assert person is not None
        poses = joints_for(network, recogniser, cut(seen.poses, person, first, last))
    if frames is None:
        assert poses is not None
        return poses
    region = None
    if person is not None and network.run.recipe.input.person_crop:
        region = AROUND_PERSON.region_px(part_of(seen.clip, person, first, last), frames.frame_hw)

    def read(numbers: NDArray[np.int64]) -> NDArray[np.uint8]:
        return frames.read(first + numbers)

    pictures = FrameClip(f"{seen.clip.clip_id}, frame {first}", last - first, frames.frame_hw, read, region)
    return pictures if poses is None else PosedClip(pictures, poses)


def part_of(clip: PoseClip, person: int, first: int = 0, last: int | None = None) -> PoseClip:
    """One person in some frames of a clip."""
    who, when = slice(person, person + 1), slice(first, last)
    return replace(
        clip,
        xy_px=clip.xy_px[who, when],
        score=clip.score[who, when],
        box_px=clip.box_px[who, when],
        time_s=clip.time_s[when],
        track_ids=clip.track_ids[who],
        z=None,
    )
