"""Many videos: poses of each, recognised one after the other; what is done is left alone."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from fidget.recognition.analysis import AnalysisRules, Model, layout_of
from fidget.recognition.person_recordings import PersonRecordings
from fidget.recognition.result import NOBODY, VideoResult
from fidget.recognition.video_files import OutputRules, VideoFiles, recognise_clip
from poses.cache_reader import PoseCache
from poses.cache_schema import SourceStamp

_LIVE_EVERY_S, _PLAIN_EVERY_S = 0.5, 20.0


@dataclass(frozen=True)
class Target:
    """A clip to recognise.

    Attributes:
        clip_id: in the pose cache.
        source: its video; None where it is not at hand.
    """

    clip_id: str
    source: Path | None


@dataclass
class JobResult:
    """What came of a job.

    Attributes:
        done: record and files of each clip, in order.
        kept: how many of them were there already.
        failed: one line for each that could not be recognised.
    """

    done: list[tuple[VideoResult, VideoFiles]] = field(default_factory=list)
    kept: int = 0
    failed: list[str] = field(default_factory=list)


def targets_in(
    cache: PoseCache, sources: Sequence[tuple[str, Path]], advice: str = "extract them there"
) -> tuple[list[Target], list[str]]:
    """The clips of a cache that videos are, and why others are none.

    A video is the row whose source it is; or, where the cache was made elsewhere, the row of its id if the
    file has the size that the row tells. Nothing else is taken for it.

    Args:
        cache: of the poses.
        sources: clip id and path of each video; none at all means every clip of the cache.
        advice: what to do about a video that is not in it.
    """
    stamps = cache.stamps()
    if not sources:
        return [Target(name, _there(stamp)) for name, (stamp, _) in stamps.items()], []
    by_path = {_resolved(stamp.path): name for name, (stamp, _) in stamps.items()}
    targets, problems = [], []
    for clip_id, path in sources:
        found = by_path.get(_resolved(str(path)))
        if found is None and clip_id in stamps and _size(path) == stamps[clip_id][0].bytes:
            found = clip_id
        if found is None:
            problems.append(f"{path}: its poses are not in {cache.directory}; {advice}")
        else:
            targets.append(Target(found, path))
    return targets, problems


def recognise_all(
    model: Model,
    cache: Path,
    sources: Sequence[tuple[str, Path]],
    rules: AnalysisRules,
    output: OutputRules,
    say: Callable[[str], None],
    advice: str = "extract them there",
) -> JobResult:
    """Recognise every video; one that fails does not stop the others.

    Args:
        model: that sees.
        cache: of poses, of the model's joints.
        sources: see `targets_in`.
        rules: of the analysis.
        output: what is written.
        say: told a line about each video and each warning.
        advice: what to do about a video that is not in the cache.

    Raises:
        NotACacheError: the directory holds no pose cache.
        ValueError: the cache lacks joints that the model takes; names both layouts.
        OSError: the output cannot be written.
    """
    poses = _planar(cache, layout_of(model))
    targets, problems = targets_in(poses.clips.cache, sources, advice)
    result = JobResult(failed=problems)
    for number, target in enumerate(targets, 1):
        where = f"{number}/{len(targets)} {target.clip_id}"
        if poses.status.get(target.clip_id) == "failed":
            why = poses.problems.get(target.clip_id) or "its poses could not be extracted"
            result.failed.append(f"{target.clip_id}: {why}")
            continue
        times = poses.clips.cache.row(target.clip_id).time_us
        progress = _Progress(where, (times[-1] - times[0]) / 1e6 * max(1, len(_tracks(poses, target))))
        try:
            found, files, kept = recognise_clip(
                model, poses, target.clip_id, target.source, rules, output, progress.step, progress.frames
            )
        except ValueError as error:  # of this clip: damaged rows, times that do not go on
            result.failed.append(f"{target.clip_id}: {error}")
            continue
        finally:
            progress.close()
        result.done.append((found, files))
        result.kept += kept
        say(f"{where}: {summary_of(found)}" + (" (was there already)" if kept else ""))
        for warning in found.warnings:
            say(f"  note: {warning}")
    return result


def _planar(cache: Path, layout: str) -> PersonRecordings:
    """The recordings of a cache in pixels."""
    poses = PersonRecordings(cache, layout)
    if poses.dimensions != 2:
        raise ValueError(f"{cache} holds poses in space: fidget recognize takes poses of videos, in pixels")
    return poses


def summary_of(result: VideoResult) -> str:
    """A record in one line."""
    counts = {status: 0 for status in ("sure", "unsure", "abstained")}
    for person in result.persons:
        for one in person.segments:
            counts[one.status] += 1
    people = "1 person" if len(result.persons) == 1 else f"{len(result.persons)} persons"
    if any(person.track_id == NOBODY for person in result.persons):
        people = "whole picture"
    told = ", ".join(f"{number} {status}" for status, number in counts.items())
    return f"{result.duration_s:.1f} s, {people}, segments: {told}"


def _tracks(poses: PersonRecordings, target: Target) -> list[int]:
    return [int(one) for one in poses.clips.cache.row(target.clip_id).track_ids]


def _resolved(path: str) -> str:
    try:
        return str(Path(path).resolve())
    except (OSError, ValueError):
        return path


def _there(stamp: SourceStamp) -> Path | None:
    path = Path(stamp.path)
    return path if path.is_file() else None


def _size(path: Path) -> int:
    try:
        return path.stat().st_size
    except OSError:
        return -1


class _Progress:
    """Seconds looked at, then frames drawn: a live line on a terminal, else a line now and then."""

    def __init__(self, what: str, length_s: float) -> None:
        self._what, self._length_s = what, length_s
        self._done_s, self._frames = 0.0, 0
        self._live = sys.stderr.isatty()
        self._begin_s = time.monotonic()
        self._next_s = self._begin_s + self._every_s

    @property
    def _every_s(self) -> float:
        return _LIVE_EVERY_S if self._live else _PLAIN_EVERY_S

    def step(self, seconds: float) -> None:
        """So many seconds more."""
        self._done_s = min(self._done_s + seconds, self._length_s)
        pace = self._done_s / max(time.monotonic() - self._begin_s, 1e-3)
        left_s = (self._length_s - self._done_s) / max(pace, 1e-6)
        self._tell(
            f"{self._done_s:.0f} of {self._length_s:.0f} s, {pace:.1f} x real time, {left_s:.0f} s left"
        )

    def frames(self, frames: int) -> None:
        """So many frames of the overlay more."""
        self._frames += frames
        self._tell(f"overlay, frame {self._frames}")

    def _tell(self, words: str) -> None:
        now = time.monotonic()
        if now < self._next_s:
            return
        self._next_s = now + self._every_s
        line = f"{self._what}: {words}"
        sys.stderr.write(f"\r{line[:98]:<98}" if self._live else line + "\n")
        sys.stderr.flush()

    def close(self) -> None:
        """Leave the terminal clean."""
        if self._live:
            sys.stderr.write("\r" + " " * 98 + "\r")
            sys.stderr.flush()
