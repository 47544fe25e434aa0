"""A video is read once; what was found is what decodes, and is not looked for again."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

import numpy as np
import pytest
from tests.fidget.frames.odd_videos import CODED, all_frames, damaged_videos, write_coded
from tests.pose_extract import hostile_videos
from tests.pose_extract.hostile_videos import write_video

from fidget.frames import index_file, video_index
from fidget.frames.index_file import index_videos
from fidget.frames.video_index import index_video


@pytest.mark.parametrize("name", sorted(CODED))
def test_an_entry_says_what_extraction_finds(name: str, tmp_path: Path) -> None:
    path = write_coded(tmp_path / name)
    times, pictures = all_frames(path)
    entry = index_video(path)
    assert not entry.error
    assert entry.time_us.tolist() == times.tolist()
    assert entry.frame_hw == pictures.shape[1:3]
    assert entry.plan == ("seek" if path.suffix in (".mp4", ".mkv", ".webm") else "count")


def test_keyframes_are_numbered_as_they_are_shown(tmp_path: Path) -> None:
    path = write_video(tmp_path / "a.mp4", 36, options={"x264-params": "keyint=12:scenecut=0:bframes=2"})
    entry = index_video(path)
    assert entry.key_frames.tolist() == [0, 12, 24]
    assert entry.packet_pts.tolist() != sorted(entry.packet_pts.tolist())  # decoded in another order


def test_headers_are_not_believed(tmp_path: Path) -> None:
    assert index_video(hostile_videos.edit_list(tmp_path)).frames == 12  # its header says 20


def test_damage_is_named_and_what_decodes_counts(tmp_path: Path) -> None:
    for path in damaged_videos(tmp_path):
        times, _ = all_frames(path)
        entry = index_video(path)
        assert entry.time_us.tolist() == times.tolist(), path.name
        assert entry.problem, path.name


def test_odd_clocks_and_sizes_are_as_in_extraction(tmp_path: Path) -> None:
    for make in (hostile_videos.no_times, hostile_videos.changing_size, hostile_videos.repeated_times):
        path = make(tmp_path)
        times, pictures = all_frames(path)
        entry = index_video(path)
        assert (entry.time_us.tolist(), entry.frame_hw) == (times.tolist(), pictures.shape[1:3]), path.name
        assert entry.plan == "all"


def test_what_is_no_video_is_named_in_one_line(tmp_path: Path) -> None:
    wrong = {**hostile_videos.unreadable_videos(tmp_path), tmp_path / "absent.mp4": "No such file"}
    for path, word in wrong.items():
        entry = index_video(path)
        assert entry.frames == 0
        assert path.name in entry.error and word in entry.error and "\n" not in entry.error


def test_times_of_a_pose_cache_spare_the_decoding(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = write_coded(tmp_path / "b_frames.mp4")
    decoded = index_video(path)
    frames: list[object] = []
    add = video_index._add
    monkeypatch.setattr(video_index, "_add", lambda seen, frame: frames.append(frame) or add(seen, frame))
    known = index_video(path, decoded.time_us)
    assert len(frames) < 5
    assert known.packet_pts.tolist() == decoded.packet_pts.tolist()
    assert (known.plan, known.checksum, known.frame_hw) == (decoded.plan, decoded.checksum, decoded.frame_hw)

    wrong = index_video(path, decoded.time_us[:-1])  # it says otherwise, so it is not believed
    assert wrong.time_us.tolist() == decoded.time_us.tolist()
    assert len(frames) > 40


def test_a_second_run_reads_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    names = ("b_frames.mp4", "turned.mp4", "plain.avi", "portrait.mp4")
    paths = [write_coded(tmp_path / "videos" / name) for name in names]
    paths.append(tmp_path / "videos" / "empty.mp4")
    paths[-1].touch()
    file = tmp_path / "out" / "videos.parquet"
    steps: list[tuple[int, int]] = []
    first = index_videos(paths, file, workers=2, progress=lambda done, of: steps.append((done, of)))
    assert steps == [(n, 5) for n in range(1, 6)]
    assert "empty" in first[paths[-1]].error

    read: list[Path] = []
    real = index_file.index_video
    monkeypatch.setattr(index_file, "index_video", lambda path, known: read.append(path) or real(path, known))
    again = index_videos(paths, file)
    assert read == [paths[-1]]  # no video yet, perhaps a video later
    for path in paths[:-1]:
        a, b = first[path], again[path]
        for name in ("bytes", "mtime_ns", "checksum", "problem", "plan", "stored_hw", "orientation"):
            assert getattr(a, name) == getattr(b, name)
        for name in ("time_us", "packet_pts", "key_packets"):
            assert np.array_equal(getattr(a, name), getattr(b, name))


def test_a_changed_video_is_read_again(tmp_path: Path) -> None:
    path = write_video(tmp_path / "a.mp4", 5)
    file = tmp_path / "videos.parquet"
    before = index_videos([path], file)[path]
    write_video(path, 7)
    after = index_videos([path], file)[path]
    assert (before.frames, after.frames) == (5, 7)
    assert before.checksum != after.checksum
    copy = Path(shutil.copyfile(path, tmp_path / "b.mp4"))
    assert index_videos([copy], file)[copy].checksum == after.checksum
    assert set(index_videos([path, copy], file)) == {path, copy}


@pytest.mark.parametrize("content", [b"", b"PAR1 nonsense PAR1", b"x" * 100])
def test_an_index_that_cannot_be_read_is_made_anew(content: bytes, tmp_path: Path) -> None:
    path = write_video(tmp_path / "a.mp4", 5)
    file = tmp_path / "videos.parquet"
    file.write_bytes(content)
    assert index_videos([path], file)[path].frames == 5
    assert file.read_bytes()[:4] == b"PAR1"
    assert not [name for name in os.listdir(tmp_path) if name.endswith(".part")]


def test_names_that_are_no_text(tmp_path: Path) -> None:
    path = write_video(tmp_path / "a.mp4", 2)
    odd = path.rename(os.fsdecode(os.fsencode(tmp_path) + b"/\xff\n.mp4"))
    file = tmp_path / "videos.parquet"
    index_videos([odd], file)
    assert index_videos([odd], file)[odd].frames == 2
