"""The videos of simulated untrimmed recordings beside their pose cache: one file a recording.

The same bodies before the same cameras, as `render_videos` has them for trimmed clips; a directory goes on
where it was, and one of other content is refused.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import asdict
from functools import partial
from pathlib import Path

from fidget.benchmark.simulator.clip import SimulationSettings
from fidget.benchmark.simulator.render import RenderedClip
from fidget.benchmark.simulator.render_videos import (
    SUFFIX,
    SimulatedVideos,
    mark_videos,
    renderer_sha256,
    videos_beside,
    write_clip,
)
from fidget.benchmark.simulator.simulate import in_order
from fidget.benchmark.simulator.untrimmed import untrimmed_sha256
from fidget.benchmark.simulator.untrimmed_motion import stage_recording
from fidget.benchmark.simulator.untrimmed_plan import PlannedRecording, plan_recordings
from fidget.reports.video_file import video_encoder
from protocols.trees import tree


def simulate_untrimmed_videos(
    directory: Path | str,
    recordings: int,
    seed: int = 0,
    workers: int = 1,
    settings: SimulationSettings | None = None,
    domains: Sequence[str] = ("laboratory",),
    size: int = 224,
    on_start: Callable[[int, int], None] | None = None,
    on_clip: Callable[[], None] | None = None,
) -> SimulatedVideos:
    """Write the videos of simulated recordings; go on with those that were begun in the same way.

    Args:
        directory: of the pose cache; the videos go to `<directory>-videos/<recording id>.mp4`.
        recordings: as of `simulate_untrimmed`.
        seed: as of `simulate_untrimmed`.
        workers: processes that draw and encode; 1 does it here.
        settings: as of `simulate_untrimmed`; noise and labels change no picture.
        domains: as of `simulate_untrimmed`.
        size: pixels of the shorter side, even.
        on_start: called with the number of videos to make and the number that are there.
        on_clip: called after each video.

    Raises:
        ValueError: settings out of range, or a directory of other content.
        OSError: the place is read-only or full.
    """
    if workers < 1:
        raise ValueError(f"expected at least one worker, got {workers}")
    chosen = settings or SimulationSettings()
    plan = plan_recordings(recordings, seed, chosen.label_noise, domains)
    root = videos_beside(directory)
    mark_videos(
        root,
        {
            "simulated": True,
            "untrimmed": recordings,
            "domains": ", ".join(domains),
            "seed": seed,
            "size": size,
            **asdict(chosen),
            "encoder": video_encoder(),
            "renderer": renderer_sha256(),
            "recordings": untrimmed_sha256(),
        },
    )
    jobs = [one for one in plan if not video_of(root, one).exists()]
    if on_start is not None:
        on_start(len(jobs), len(plan) - len(jobs))
    write = partial(_write, root=root, seed=seed, settings=chosen, size=size)
    for _ in in_order(jobs, write, workers, at_once=1):
        if on_clip is not None:
            on_clip()
    return SimulatedVideos(root, len(plan), len(jobs))


def render_recording(
    plan: PlannedRecording, seed: int, settings: SimulationSettings, size: int = 224
) -> RenderedClip:
    """The pictures of a recording."""
    return RenderedClip(stage_recording(plan, seed, settings), seed, size)


def video_of(root: Path, plan: PlannedRecording) -> Path:
    """Where a recording's video is."""
    return root / f"{plan.recording_id}{SUFFIX}"


def _write(
    pack: list[PlannedRecording], root: Path, seed: int, settings: SimulationSettings, size: int
) -> list[None]:
    """Write some videos; runs in a process of its own."""
    names = tree("mma82").actions
    for plan in pack:
        what = ", ".join(names[action.performed] for action in plan.actions)
        write_clip(video_of(root, plan), render_recording(plan, seed, settings, size), what)
    return [None] * len(pack)
