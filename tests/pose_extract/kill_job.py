"""The job that test_kill.py kills: python kill_job.py VIDEOS OUTPUT, with the fake model, two workers."""

from __future__ import annotations

import sys
from pathlib import Path

from job_fakes import SETTINGS, build_slow

from pose_extract.job import run_job
from pose_extract.sources import find_videos
from pose_extract.workers import LocalEngine

if __name__ == "__main__":
    found = find_videos([sys.argv[1]])
    engine = LocalEngine(SETTINGS, workers=2, build=build_slow)
    report = run_job(
        found.sources,
        found.problems,
        Path(sys.argv[2]),
        SETTINGS,
        {"fake": "0" * 64},
        engine,
        flush_s=(0.2, 0.2),
    )
    sys.exit(report.exit_code)
