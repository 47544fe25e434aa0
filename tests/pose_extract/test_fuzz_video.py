"""Mutated videos through VideoFrames, in processes of their own so that a native crash or hang is seen."""

from __future__ import annotations

import multiprocessing as mp
from collections.abc import Sequence
from concurrent.futures import ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from itertools import pairwise
from pathlib import Path

import pytest
from hostile_videos import mutated_videos

from pose_extract.read_ahead import read_ahead
from pose_extract.video import UnreadableVideoError, VideoFrames

SECONDS_PER_VIDEO = 30.0


def read_one(path: Path) -> str:
    """`unreadable`, `damaged` or `clean`; anything unlawful is an exception."""
    try:
        with VideoFrames(path) as video:
            times_us = []
            for batch in read_ahead(video, 4):
                for time_us, frame in batch:
                    times_us.append(time_us)
                    if frame.shape != (video.info.height, video.info.width, 3):
                        raise AssertionError(f"{path.name}: frame {frame.shape}, info {video.info}")
            if any(later <= earlier for earlier, later in pairwise(times_us)):
                raise AssertionError(f"{path.name}: times do not increase: {times_us}")
            if not times_us and not video.problem:
                raise AssertionError(f"{path.name}: no frame, and not a word about it")
            return "damaged" if video.problem else "clean"
    except UnreadableVideoError as error:
        if "\n" in str(error) or "expected a video" not in str(error):
            raise AssertionError(f"{path.name}: {error}") from error
        return "unreadable"


def read_all(paths: Sequence[Path]) -> dict[str, str]:
    """What became of each, or how it failed; a process that dies or hangs counts against its video."""
    outcome: dict[str, str] = {}
    waiting = list(paths)
    while waiting:
        pool = ProcessPoolExecutor(1, mp_context=mp.get_context("spawn"))
        workers = []
        try:
            for path in list(waiting):
                result = pool.submit(read_one, path)
                workers = list((pool._processes or {}).values())
                waiting.remove(path)
                try:
                    outcome[path.name] = result.result(SECONDS_PER_VIDEO)
                except (TimeoutError, BrokenProcessPool) as error:
                    outcome[path.name] = f"FAILED {type(error).__name__}"
                    break
                except Exception as error:  # noqa: BLE001 - whatever it is, it is the finding
                    outcome[path.name] = f"FAILED {type(error).__name__}: {error}"
        finally:
            for worker in workers:
                if waiting and worker.is_alive():
                    worker.kill()
            pool.shutdown()
    return outcome


def assert_all_lawful(directory: Path, count: int, seed: int) -> None:
    outcome = read_all(mutated_videos(directory, count, seed))
    failed = {name: what for name, what in outcome.items() if what.startswith("FAILED")}
    tally = {what: list(outcome.values()).count(what) for what in ("clean", "damaged", "unreadable")}
    print(f"seed {seed}: {len(outcome)} mutated videos, {tally}, {len(failed)} failed")
    assert failed == {}
    assert len(outcome) == count
    assert all(tally.values()), f"the mutations are too mild or too wild: {tally}"


def test_mutated_videos(tmp_path: Path) -> None:
    assert_all_lawful(tmp_path, 60, seed=1)


@pytest.mark.long
def test_five_hundred_mutated_videos(tmp_path: Path) -> None:
    assert_all_lawful(tmp_path, 500, seed=2)


def test_the_same_seed_gives_the_same_files(tmp_path: Path) -> None:
    first = [path.read_bytes() for path in mutated_videos(tmp_path / "a", 8, seed=3)]
    again = [path.read_bytes() for path in mutated_videos(tmp_path / "b", 8, seed=3)]
    other = [path.read_bytes() for path in mutated_videos(tmp_path / "c", 8, seed=4)]
    assert first == again
    assert first != other
