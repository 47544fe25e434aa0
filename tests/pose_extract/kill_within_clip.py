"""The job that test_partial_clip.py kills within a video: python kill_within_clip.py VIDEO OUTPUT."""

from __future__ import annotations

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[2]))

from tests.pose_extract.job_fakes import SETTINGS
from tests.pose_extract.test_partial_clip import build_counting

import pose_extract.partial_clip
from pose_extract.job import run_job
from pose_extract.sources import VideoSource
from pose_extract.workers import LocalEngine


def build_with_short_blocks(settings: object) -> object:
    """In the worker: blocks of a tenth of a second."""
    pose_extract.partial_clip.PartialClip.__init__.__defaults__ = (
        0.1,
        *pose_extract.partial_clip.PartialClip.__init__.__defaults__[1:],
    )
    return build_counting(settings)


if __name__ == "__main__":
    video, output = Path(sys.argv[1]), Path(sys.argv[2])
    engine = LocalEngine(SETTINGS, workers=1, build=build_with_short_blocks, keep=output)
    run_job([VideoSource(video, "long")], [], output, SETTINGS, {"fake": "0" * 64}, engine, quiet=True)
