"""The videos of a simulated MMA-82 beside its pose cache: one file a clip, with the cache's clip ids.

A directory holds the videos of one combination of plan, seed, settings and size; `simulation.json` says
which, and that it is simulated. Files appear when they are whole, and a run that was stopped goes on where it
was.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable
from contextlib import closing
from dataclasses import asdict, dataclass
from functools import partial
from importlib.resources import files
from pathlib import Path

import numpy as np

from fidget.benchmark.simulator.clip import SimulationSettings
from fidget.benchmark.simulator.clip_plan import plan_clips
from fidget.benchmark.simulator.render import RenderedClip, render_clip
from fidget.benchmark.simulator.simulate import in_order, simulator_sha256
from fidget.frames.simulated_videos import MARKER
from fidget.reports.video_file import video_encoder, write_video
from poses.cache_lock import DirectoryLock
from poses.whole_file import replacing
from protocols.trees import tree

SUFFIX = ".mp4"
TITLE = "simulated, not a person"

# Path, clip id, performed action, frames, domain, subject.
_Job = tuple[str, str, int, int, str, str]


@dataclass(frozen=True)
class SimulatedVideos:
    """What a run made.

    Attributes:
        directory: of the videos.
        clips: number in it.
        made: of these, in this run.
    """

    directory: Path
    clips: int
    made: int


def videos_beside(directory: Path | str) -> Path:
    """Where the videos of a pose cache's clips go."""
    resolved = Path(directory).resolve()
    return resolved.with_name(f"{resolved.name}-videos")


def simulate_videos(
    directory: Path | str,
    scale: float = 0.05,
    seed: int = 0,
    workers: int = 1,
    settings: SimulationSettings | None = None,
    size: int = 224,
    on_start: Callable[[int, int], None] | None = None,
    on_clip: Callable[[], None] | None = None,
) -> SimulatedVideos:
    """Write the videos of a simulated MMA-82; go on with those that were begun in the same way.

    Args:
        directory: of the pose cache; the videos go to `<directory>-videos/<clip id>.mp4`.
        scale: as of `simulate`.
        seed: as of `simulate`.
        workers: processes that draw and encode; 1 does it here.
        settings: as of `simulate`; noise and labels change no picture.
        size: pixels of the shorter side, even.
        on_start: called with the number of videos to make and the number that are there.
        on_clip: called after each video.

    Raises:
        CacheLockedError: another process is writing these videos.
        ValueError: settings out of range, or a directory of other content.
        OSError: the place is read-only or full.
    """
    if workers < 1:
        raise ValueError(f"expected at least one worker, got {workers}")
    chosen = settings or SimulationSettings()
    plan = plan_clips(scale, seed, chosen.label_noise)
    root = videos_beside(directory)
    mark_videos(root, _description(scale, seed, chosen, size))
    lock = DirectoryLock(root)
    try:
        _remove_halves(root)
        jobs: list[_Job] = []
        for i, clip_id in enumerate(plan.clip_ids):
            path = root / f"{clip_id}{SUFFIX}"
            if not path.exists():
                job = clip_id, int(plan.performed[i]), int(plan.frames[i]), plan.domains[i], plan.subjects[i]
                jobs.append((str(path), *job))
        if on_start is not None:
            on_start(len(jobs), len(plan) - len(jobs))
        write = partial(_write, seed=seed, settings=chosen, size=size)
        with closing(in_order(jobs, write, workers, at_once=1)) as written:  # an error waits for open files
            for _ in written:
                if on_clip is not None:
                    on_clip()
    finally:
        lock.release()
    return SimulatedVideos(root, len(plan), len(jobs))


def write_clip(path: Path, clip: RenderedClip, what: str | None = None) -> None:
    """Draw and encode one clip; its title says that it is simulated, and `what` is done or its action."""
    seconds = clip.film.keyframe_s
    every = None if seconds is None else round(seconds * clip.fps)
    done = tree("mma82").actions[clip.label] if what is None else what
    title = f"{TITLE}: {clip.clip_id}, {done}"
    picture = np.empty((*clip.frame_hw, 3), np.uint8)
    with write_video(path, clip.frame_hw, clip.fps, keyframe_every=every, title=title) as video:
        for frame in range(clip.frames):
            clip.draw(frame, picture)
            video.add(float(frame / clip.fps), picture[..., ::-1])  # blue first


def renderer_sha256() -> str:
    """Over the source files that draw, and the simulator's: another version makes other videos."""
    digest = hashlib.sha256(simulator_sha256().encode())
    for file in sorted(files("fidget.benchmark.simulator").iterdir(), key=lambda file: file.name):
        if file.name.startswith("render") and file.name.endswith(".py"):
            digest.update(file.name.encode() + b"\0" + file.read_bytes())
    return digest.hexdigest()


def _description(scale: float, seed: int, settings: SimulationSettings, size: int) -> dict[str, object]:
    return {
        "simulated": True,
        "scale": scale,
        "seed": seed,
        "size": size,
        **asdict(settings),
        "encoder": video_encoder(),
        "renderer": renderer_sha256(),
    }


def mark_videos(root: Path, description: dict[str, object]) -> None:
    """See that the directory is new or of the same videos, and say what it holds.

    Raises:
        ValueError: it holds something else.
    """
    path = root / MARKER
    if path.exists():
        try:
            found = json.loads(path.read_text(encoding="utf-8"))
        except ValueError:
            found = None
        if not isinstance(found, dict):
            raise ValueError(f"{path}: expected the description of simulated videos; name another directory")
        other = [key for key in {**description, **found} if found.get(key) != description.get(key)]
        if other:
            differences = ", ".join(
                f"{key} is {found.get(key)} there, {description.get(key)} in this job"
                for key in sorted(other)
            )
            raise ValueError(f"{root}: videos were made otherwise: {differences}; name another directory")
        return
    if root.exists() and (not root.is_dir() or any(root.iterdir())):
        raise ValueError(
            f"{root}: expected simulated videos or no such directory, it holds something else "
            "and was left alone; name another directory"
        )
    with replacing(path) as temporary:
        temporary.write_text(json.dumps(description, indent=1) + "\n", encoding="utf-8")


def _remove_halves(root: Path) -> None:
    """What a killed run left half written; nobody else writes here now."""
    for half in root.rglob(".*.part"):
        half.unlink(missing_ok=True)


def _write(jobs: list[_Job], seed: int, settings: SimulationSettings, size: int) -> list[None]:
    """Write some videos; runs in a process of its own."""
    for path, *job in jobs:
        write_clip(Path(path), render_clip(*job, seed, settings, size))  # type: ignore[arg-type]
    return [None] * len(jobs)
