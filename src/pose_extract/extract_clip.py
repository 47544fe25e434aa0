"""One clip, from path to cache row: the function every engine runs."""

from __future__ import annotations

import hashlib
import itertools
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from pose_extract.clip_ids import utf8_safe
from pose_extract.estimator import FrameBgr, FramePeople, ResumableClip
from pose_extract.partial_clip import PartialClip, partial_directory
from pose_extract.read_ahead import read_ahead
from pose_extract.sources import VideoSource
from pose_extract.tracking import ClipTracker, Tracks
from pose_extract.video import UnreadableVideoError, VideoFrames, VideoInfo
from poses.cache_schema import CacheRow, SourceStamp
from poses.clip import PoseClip
from poses.encoding import encode_clip, failed_row
from poses.layout import Layout, convert

if TYPE_CHECKING:
    from pose_extract.estimator import PoseEstimator

_SIGN_EVERY_FRAMES = 100


def stamp_of(path: Path) -> SourceStamp:
    """Size and modification time of a file now; zeros where it cannot be asked."""
    name = utf8_safe(str(path))
    try:
        status = path.stat()
    except OSError:
        return SourceStamp(name, 0, 0)
    return SourceStamp(name, status.st_size, status.st_mtime_ns)


def extract_clip(
    source: VideoSource,
    estimator: PoseEstimator,
    layout: Layout,
    max_persons: int,
    on_frames: Callable[[int], None] = lambda frames: None,
    partial: PartialClip | None = None,
) -> CacheRow:
    """Decode a video, find its people and encode the row.

    A video that cannot be read gives a row of status `failed` whose error says why; so does one that
    changes while it is read. A damaged one gives the frames that decode, and says so in the row.

    Args:
        source: the file and its clip id.
        estimator: a loaded model.
        layout: what the cache holds; the model's answers are converted to it.
        max_persons: people kept, main subject first.
        on_frames: called with the number of frames finished since the last call.
        partial: keeps what is found on the way, and goes on where it was kept before.
    """
    before = stamp_of(source.path)
    try:
        with VideoFrames(source.path) as video:
            tracks, times_us = _follow(video, estimator, layout, max_persons, on_frames, partial)
            info, problem = video.info, video.problem
    except BrokenPipeError:
        raise
    except (UnreadableVideoError, OSError, MemoryError) as error:
        return failed_row(source.clip_id, before, _one_line(error))
    if stamp_of(source.path) != before:
        return failed_row(
            source.clip_id, before, "the file changed while it was read: run again when it is complete"
        )
    if not times_us:
        return failed_row(source.clip_id, before, problem or "no frame decodes")
    return encode_clip(_clip(source.clip_id, layout, info, tracks, times_us), before, problem)


def extract_clip_safely(
    source: VideoSource,
    estimator: PoseEstimator,
    layout: Layout,
    max_persons: int,
    on_frames: Callable[[int], None] = lambda frames: None,
    partial: PartialClip | None = None,
) -> CacheRow:
    """`extract_clip` at the edge of a worker: whatever a clip throws becomes its row, and the job goes on.

    A BrokenPipeError or EOFError is not the clip's: it says that whoever asked is gone, and passes.
    """
    try:
        return extract_clip(source, estimator, layout, max_persons, on_frames, partial)
    except (BrokenPipeError, EOFError):
        raise
    except Exception as error:  # noqa: BLE001 - the one place where a job is shielded from a clip
        reason = f"unexpected {type(error).__name__}: {_one_line(error)}"[:500]
        return failed_row(source.clip_id, stamp_of(source.path), reason)


def partial_of(cache: Path, source: VideoSource, estimator: PoseEstimator, settings: str) -> PartialClip:
    """Where what is found of a clip on the way lies, under the key of whatever decides it.

    Args:
        cache: directory of the pose cache.
        source: the video; one that changed begins anew.
        estimator: the loaded model.
        settings: in words, all of them.
    """
    from importlib.metadata import version

    told = (stamp_of(source.path), settings, sorted(estimator.weights.items()), estimator.runtime)
    key = hashlib.sha256(repr((told, version("fidget"), version("av"))).encode()).hexdigest()
    return PartialClip(partial_directory(cache, source.clip_id), key)


def _follow(
    video: VideoFrames,
    estimator: PoseEstimator,
    layout: Layout,
    max_persons: int,
    on_frames: Callable[[int], None],
    partial: PartialClip | None,
) -> tuple[Tracks, list[int]]:
    tracker = ClipTracker(layout, (video.info.height, video.info.width), max_persons)
    estimation = estimator.start_clip()
    if not isinstance(estimation, ResumableClip):
        partial = None
    times_us: list[int] = []

    def take(found: Sequence[FramePeople]) -> None:
        answers = [_in_layout(people, estimator.layout, layout) for people in found]
        for people in answers:
            tracker.update(people)
        if answers:
            on_frames(len(answers))
        if partial is not None and isinstance(estimation, ResumableClip):
            partial.add(answers, estimation.state)

    frames = iter(video)
    if partial is not None and isinstance(estimation, ResumableClip):
        answered = _taken_up(partial, estimation, tracker)
        times_us += _passed_over(frames, answered, on_frames)
    batches = read_ahead(frames, estimator.batch)
    try:
        for batch in batches:
            times_us.extend(time_us for time_us, _ in batch)
            take(estimation.push([frame for _, frame in batch]))
    finally:
        batches.close()
    take(estimation.finish())
    return tracker.finish(), times_us


def _taken_up(partial: PartialClip, estimation: ResumableClip, tracker: ClipTracker) -> int:
    """Tell the tracker the answers that were kept, and the model its state; returns how many frames."""
    answered, state = 0, None
    for answers, state in partial.answers():  # noqa: B007 - the last one's state is wanted
        for people in answers:
            tracker.update(people)
        answered += len(answers)
    if state is not None:
        estimation.restore(state)
    return answered


def _passed_over(
    frames: Iterator[tuple[int, FrameBgr]], count: int, on_frames: Callable[[int], None]
) -> Iterator[int]:
    """Times of the first frames, decoded, not looked at; a sign of life now and then."""
    for number, (time_us, _) in enumerate(itertools.islice(frames, count), 1):
        yield time_us
        if number % _SIGN_EVERY_FRAMES == 0 or number == count:
            on_frames((number - 1) % _SIGN_EVERY_FRAMES + 1)


def _in_layout(people: FramePeople, source: Layout, target: Layout) -> FramePeople:
    if source.name == target.name:
        return people
    xy_px, score = convert(people.xy_px, people.score, source, target)
    return FramePeople(xy_px, score, people.box_px, people.box_score)


def _clip(clip_id: str, layout: Layout, info: VideoInfo, tracks: Tracks, times_us: Sequence[int]) -> PoseClip:
    return PoseClip(
        clip_id=clip_id,
        layout=layout,
        xy_px=tracks.xy_px,
        score=tracks.score,
        box_px=tracks.box_px,
        time_s=np.asarray(times_us, np.float64) / 1e6,
        frame_hw=(info.height, info.width),
        fps=info.fps,
        track_ids=tracks.track_ids,
    )


def _one_line(error: BaseException) -> str:
    text = " ".join(str(error).split())
    return text or type(error).__name__
