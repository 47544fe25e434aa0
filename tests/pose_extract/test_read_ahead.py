from __future__ import annotations

import gc
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from hostile_videos import truncated_videos, write_video

from pose_extract.read_ahead import TimedFrame, read_ahead
from pose_extract.video import VideoFrames

BATCH, DEPTH = 4, 2


def frame(index: int) -> TimedFrame:
    return index, np.full((2, 3, 3), index % 256, np.uint8)


class Source:
    """Frames that record how far they were read and whether they were closed, and by whom."""

    def __init__(self, count: int, fail_at: int | None = None) -> None:
        self.count = count
        self.fail_at = fail_at
        self.read = 0
        self.closed_by: int | None = None
        self.read_by: int | None = None

    def __iter__(self) -> Iterator[TimedFrame]:
        try:
            for index in range(self.count):
                if index == self.fail_at:
                    raise OSError("the disk is gone")
                self.read = index + 1
                self.read_by = threading.get_ident()
                yield frame(index)
        finally:
            self.closed_by = threading.get_ident()


def threads_reading() -> int:
    return sum(thread.name.startswith("read-ahead") for thread in threading.enumerate())


@pytest.fixture(autouse=True)
def no_thread_is_left() -> Iterator[None]:
    yield
    gc.collect()
    assert threads_reading() == 0


@pytest.mark.parametrize("count", [0, 1, 3, 4, 5, 8, 41])
@pytest.mark.parametrize("depth", [1, 2, 5])
def test_all_frames_come_in_order_in_batches(count: int, depth: int) -> None:
    batches = list(read_ahead(Source(count), BATCH, depth))
    assert [time_us for batch in batches for time_us, _ in batch] == list(range(count))
    assert all(len(batch) == BATCH for batch in batches[:-1])
    assert all(batches)
    assert all(picture[0, 0, 0] == index for batch in batches for index, picture in batch)


@pytest.mark.parametrize("fail_at", [0, 1, 4, 6, 9])
def test_an_error_comes_after_the_frames_before_it(fail_at: int) -> None:
    seen = []
    with pytest.raises(OSError, match="the disk is gone"):
        for batch in read_ahead(Source(20, fail_at), BATCH):
            seen.extend(time_us for time_us, _ in batch)
    assert seen == list(range(fail_at))


@pytest.mark.parametrize("taken", [0, 1, 2, 5])
def test_stopping_early_ends_the_thread_and_closes_the_frames(taken: int) -> None:
    source = Source(1000)
    batches = read_ahead(source, BATCH, DEPTH)
    for _ in range(taken):
        next(batches)
    batches.close()
    assert threads_reading() == 0
    if taken:
        assert source.closed_by is not None
        assert source.closed_by == source.read_by != threading.get_ident()
        assert source.read <= (taken + DEPTH + 2) * BATCH


def test_a_consumer_that_raises_ends_the_thread() -> None:
    source = Source(1000)
    batches = read_ahead(source, BATCH)

    def consume() -> None:
        try:
            for _ in batches:
                raise KeyError("the model failed")
        finally:
            batches.close()

    with pytest.raises(KeyError):
        consume()
    assert threads_reading() == 0
    assert source.closed_by is not None


def test_a_forgotten_reader_ends_with_its_generator() -> None:
    batches = read_ahead(Source(1000), BATCH)
    next(batches)
    assert threads_reading() == 1
    del batches
    gc.collect()
    assert threads_reading() == 0


@pytest.mark.parametrize("depth", [1, 3])
def test_it_never_runs_further_ahead_than_allowed(depth: int) -> None:
    source = Source(1000)
    batches = read_ahead(source, BATCH, depth)
    for taken in range(1, 6):
        next(batches)
        settled = -1
        while settled != source.read:  # the reader has come to rest
            settled = source.read
            time.sleep(0.02)
        assert source.read <= (taken + depth + 1) * BATCH
    batches.close()


def test_large_frames_make_short_batches() -> None:
    batches = list(read_ahead(Source(10), BATCH, batch_bytes=40))  # a frame here has 18 bytes
    assert [len(batch) for batch in batches] == [3, 3, 3, 1]
    assert [len(batch) for batch in read_ahead(Source(3), BATCH, batch_bytes=1)] == [1, 1, 1]


@pytest.mark.parametrize(("batch", "depth"), [(0, 1), (1, 0)])
def test_wrong_sizes_are_refused_at_once(batch: int, depth: int) -> None:
    with pytest.raises(ValueError, match="at least 1"):
        read_ahead(Source(1), batch, depth)


def test_frames_of_a_video_and_its_problem(tmp_path: Path) -> None:
    for path in truncated_videos(tmp_path):
        with VideoFrames(path) as plain:
            times = [time_us for time_us, _ in plain]
        with VideoFrames(path) as video:
            ahead = [time_us for batch in read_ahead(video, 7) for time_us, _ in batch]
        assert ahead == times
        assert video.problem == plain.problem


def test_a_video_may_be_closed_after_stopping_early(tmp_path: Path) -> None:
    path = write_video(tmp_path / "a.mp4", frames=60)
    for _ in range(30):
        with VideoFrames(path) as video:
            batches = read_ahead(video, 2, depth=1)
            next(batches)
            batches.close()


def test_many_readers_at_once(tmp_path: Path) -> None:
    path = write_video(tmp_path / "a.mp4", frames=30)
    videos = [VideoFrames(path) for _ in range(6)]
    readers = [read_ahead(video, 3) for video in videos]
    counts = [0] * len(readers)
    for _ in range(10):
        for index, reader in enumerate(readers):
            counts[index] += len(next(reader))
    assert counts == [30] * len(readers)
    for reader, video in zip(readers, videos, strict=True):
        reader.close()
        video.close()
