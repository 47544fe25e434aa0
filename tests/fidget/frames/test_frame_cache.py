"""Decoded frames on disk: the same pictures again, never more than the budget, whole files only."""

from __future__ import annotations

import multiprocessing as mp
import os
import signal
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from tests.pose_extract.hostile_videos import write_video

from fidget.frames import frame_cache
from fidget.frames.disk_budget import DiskBudget
from fidget.frames.frame_cache import CacheForm, FrameCache
from fidget.frames.sampled_decoding import read_frames
from fidget.frames.video_index import index_video

PLENTY = 10_000_000
NUMBERS = np.array([7, 0, 7, 3])


@pytest.mark.parametrize("form", [CacheForm("raw"), CacheForm("jpeg", 100), CacheForm("jpeg", 90)])
def test_the_second_time_comes_from_disk(
    form: CacheForm, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    entry = index_video(write_video(tmp_path / "a.mp4", 10, (96, 64)))
    cache = FrameCache(tmp_path / "cache", PLENTY, form)
    first = cache.read(entry, NUMBERS, 48)
    monkeypatch.setattr(frame_cache, "write_frames", None)  # it would fail
    again = FrameCache(tmp_path / "cache", PLENTY, form)
    assert np.array_equal(again.read(entry, NUMBERS, 48), first)
    assert np.array_equal(again.read(entry, np.array([3]), 48), first[3:])
    assert (cache.hits, cache.misses, again.hits, again.misses) == (0, 1, 2, 0)
    assert "2 of 2 reads (100.0%)" in again.summary()
    direct = read_frames(entry, NUMBERS, 48).astype(int)
    error = np.abs(direct - first).mean()
    assert error == 0 if form.kind == "raw" else 0 < error < 8
    assert (first[:, :10, :10, 2] > first[:, :10, :10, 0]).all()  # its corner is blue, and red comes first


def test_a_changed_video_size_or_form_is_another_file(tmp_path: Path) -> None:
    path = write_video(tmp_path / "a.mp4", 10)
    cache = FrameCache(tmp_path / "cache", PLENTY, CacheForm("raw"))
    cache.read(index_video(path), NUMBERS, None)
    cache.read(index_video(path), NUMBERS, 24)
    write_video(path, 11)
    entry = index_video(path)
    assert np.array_equal(cache.read(entry, NUMBERS, None), read_frames(entry, NUMBERS))
    FrameCache(tmp_path / "cache", PLENTY).read(entry, NUMBERS, None)
    assert (cache.hits, cache.misses) == (0, 3)
    assert len(list((tmp_path / "cache").glob("*.frames"))) == 4


@pytest.mark.parametrize("damage", ["cut", "empty", "header", "pictures", "offsets"])
def test_a_damaged_file_is_made_anew(damage: str, tmp_path: Path) -> None:
    entry = index_video(write_video(tmp_path / "a.mp4", 10))
    cache = FrameCache(tmp_path / "cache", PLENTY)
    expected = cache.read(entry, NUMBERS, None)
    (file,) = (tmp_path / "cache").glob("*.frames")
    content = file.read_bytes()
    begin = frame_cache._HEADER.size
    file.write_bytes(
        {
            "cut": content[: len(content) // 3],
            "empty": b"",
            "header": b"x" * 30 + content[30:],
            "pictures": content[: begin + 88] + bytes(len(content) - begin - 88),
            "offsets": content[:begin] + b"\xff" * 88 + content[begin + 88 :],
        }[damage]
    )
    assert np.array_equal(cache.read(entry, NUMBERS, None), expected)
    assert cache.misses == 2
    assert np.array_equal(cache.read(entry, NUMBERS, None), expected)
    assert (cache.hits, file.read_bytes()) == (1, content)


def test_the_longest_unused_leaves(tmp_path: Path) -> None:
    entries = [index_video(write_video(tmp_path / f"{n}.mp4", 4 + n)) for n in range(4)]
    directory = tmp_path / "cache"
    sizes = [4 + n for n in range(4)]
    one = 64 * 48 * 3
    cache = FrameCache(directory, sum(sizes[:3]) * one + 3000, CacheForm("raw"))
    frame = np.array([0])
    for number in (0, 1, 2, 0):
        cache.read(entries[number], frame, None)
        time.sleep(0.01)
    later = FrameCache(directory, sum(sizes[:3]) * one + 3000, CacheForm("raw"))
    later.read(entries[3], frame, None)  # 1 was used longest ago, then 2
    assert _bytes(directory) <= later._budget.budget_bytes
    for number in (0, 3):
        later.read(entries[number], frame, None)
    assert (later.hits, later.misses) == (2, 1)
    later.read(entries[1], frame, None)
    assert (later.hits, later.misses) == (2, 2)


def test_what_is_in_use_stays(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Epochs over more clips than fit: those that are there are found, of others only samples are decoded."""
    entries = [index_video(write_video(tmp_path / f"{n}.mp4", 5, fps=20 + n)) for n in range(4)]
    cache = FrameCache(tmp_path / "cache", 2 * 5 * 64 * 48 * 3 + 1000, CacheForm("raw"))
    decoded: list[int] = []
    real = frame_cache.write_frames

    def counting(entry, numbers, *rest):
        decoded.append(len(numbers))
        return real(entry, numbers, *rest)

    monkeypatch.setattr(frame_cache, "write_frames", counting)
    for _ in range(3):
        for entry in entries:
            assert np.array_equal(cache.read(entry, np.array([2]), None), read_frames(entry, np.array([2])))
    assert decoded == [5, 5, 5] + 5 * [1]  # two are kept, one found no room
    assert (cache.hits, cache.misses) == (4, 8)
    assert cache.summary().endswith("MB of 0.1, full")


def test_what_never_fits_is_not_kept(tmp_path: Path) -> None:
    entry = index_video(write_video(tmp_path / "a.mp4", 10))
    cache = FrameCache(tmp_path / "cache", 1000, CacheForm("raw"))
    pictures = cache.read(entry, NUMBERS, None)
    assert np.array_equal(pictures, read_frames(entry, NUMBERS))
    assert _bytes(tmp_path / "cache") == 0


def test_a_very_long_video_is_read_alike(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    entry = index_video(write_video(tmp_path / "a.mp4", 10))
    kept = FrameCache(tmp_path / "kept", PLENTY).read(entry, NUMBERS, None)
    monkeypatch.setattr(frame_cache, "_FRAMES_AT_MOST", 9)
    assert np.array_equal(FrameCache(tmp_path / "not", PLENTY).read(entry, NUMBERS, None), kept)
    assert _bytes(tmp_path / "not") == 0


def test_a_smaller_budget_makes_room_at_once(tmp_path: Path) -> None:
    entry = index_video(write_video(tmp_path / "a.mp4", 10))
    FrameCache(tmp_path / "cache", PLENTY, CacheForm("raw")).read(entry, NUMBERS, None)
    (tmp_path / "cache" / "notes.txt").write_text("not ours")
    FrameCache(tmp_path / "cache", 10_000)
    assert _bytes(tmp_path / "cache") == 0
    assert (tmp_path / "cache" / "notes.txt").exists()


def test_a_disk_that_cannot_be_written_is_said(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    entry = index_video(write_video(tmp_path / "a.mp4", 10))
    cache = FrameCache(tmp_path / "cache", PLENTY, CacheForm("raw"))

    def full(*_: object) -> bool:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(cache._budget, "put", full)
    for _ in range(2):
        assert np.array_equal(cache.read(entry, NUMBERS, None), read_frames(entry, NUMBERS))
    assert "nothing more is kept" in cache.summary() and "No space left" in cache.summary()


def test_wrong_questions_are_named(tmp_path: Path) -> None:
    path = write_video(tmp_path / "a.mp4", 5)
    cache = FrameCache(tmp_path / "cache", PLENTY)
    for _ in range(2):  # decoded, and from disk
        with pytest.raises(ValueError, match=r"a\.mp4.*no frame 5, there are 0 to 4"):
            cache.read(index_video(path), np.array([5]), None)
        cache.read(index_video(path), np.array([0]), None)
    with pytest.raises(ValueError, match="expected a video file, got nothing"):
        cache.read(index_video(tmp_path / "absent.mp4"), np.array([0]), None)
    with pytest.raises(ValueError, match="jpeg or raw"):
        CacheForm("png")  # type: ignore[arg-type]
    with pytest.raises(ValueError, match="1 to 100"):
        CacheForm("jpeg", 0)
    with pytest.raises(ValueError, match="budget of at least 1"):
        FrameCache(tmp_path / "cache", 0)


def _bytes(directory: Path) -> int:
    sizes = []
    for path in directory.iterdir():
        if path.suffix == ".frames" or path.name.startswith(".writing-"):
            try:
                sizes.append(path.stat().st_size)
            except FileNotFoundError:
                continue
    return sum(sizes)


def _put_many(directory: Path, seed: int, budget: int, count: int) -> None:
    rng = np.random.default_rng(seed)
    for number in range(count):
        if number % 5 == 0:  # so that what was written may leave
            store = DiskBudget(directory, budget, ".frames")
        store.put(f"{seed}-{number}.frames", bytes(int(rng.integers(1000, 30_000))))


def test_several_processes_keep_the_budget_and_one_is_killed(tmp_path: Path) -> None:
    context = mp.get_context("fork")
    budget = 200_000
    jobs = [(1, 30), (2, 30), (3, 1_000_000)]
    processes = [context.Process(target=_put_many, args=(tmp_path, n, budget, count)) for n, count in jobs]
    for process in processes:
        process.start()
    most = 0
    while any(process.is_alive() for process in processes[:2]):
        most = max(most, _bytes(tmp_path))
    assert processes[2].pid is not None
    os.kill(processes[2].pid, signal.SIGKILL)
    for process in processes:
        process.join()
    assert [process.exitcode for process in processes[:2]] == [0, 0]
    assert most <= budget
    store = DiskBudget(tmp_path, budget, ".frames")  # the lock of the killed one is gone
    left = sum(
        path.stat().st_size for path in tmp_path.glob(".writing-*")
    )  # what it was writing still counts
    assert left < 30_000  # one entry at most
    room = (budget - left) // 20_000
    wrote = [store.put(f"{number}.frames", bytes(20_000)) for number in range(30)]
    assert wrote == [True] * room + [False] * (30 - room)
    assert store.used() == 20_000 * room
    assert _bytes(tmp_path) == store.used() + left <= budget


def test_leftovers_of_killed_writers_count_and_leave_in_the_end(tmp_path: Path) -> None:
    left = tmp_path / ".writing-0123"
    left.write_bytes(bytes(50_000))
    store = DiskBudget(tmp_path, 100_000, ".frames")
    assert left.exists()  # it may be being written
    store.put("a.frames", bytes(40_000))
    store.put("b.frames", bytes(40_000))
    assert _bytes(tmp_path) <= 100_000
    old = time.time() - 7200
    os.utime(left, (old, old))
    DiskBudget(tmp_path, 100_000, ".frames")
    assert not left.exists()


def test_an_entry_of_other_content_finds_nothing(tmp_path: Path) -> None:
    entry = index_video(write_video(tmp_path / "a.mp4", 10))
    cache = FrameCache(tmp_path / "cache", PLENTY)
    cache.read(entry, NUMBERS, None)
    cache.read(replace(entry, checksum="0" * 32), NUMBERS, None)
    assert cache.hits == 0


def test_several_threads_read_the_same(tmp_path: Path) -> None:
    entries = [index_video(write_video(tmp_path / f"{n}.mp4", 4 + n)) for n in range(4)]
    expected = [read_frames(entry, np.array([3, 1])) for entry in entries]
    cache = FrameCache(tmp_path / "cache", 100_000, CacheForm("raw"))  # room for one or two

    def read(turn: int) -> bool:
        which = turn * 7 % 4
        return np.array_equal(cache.read(entries[which], np.array([3, 1]), None), expected[which])

    with ThreadPoolExecutor(4) as pool:
        assert all(pool.map(read, range(40)))
    assert cache.hits + cache.misses == 40
    assert _bytes(tmp_path / "cache") <= 100_000
