"""Videos as clips: the ids of extraction, what cannot be read by name, frames when they are asked for."""

from __future__ import annotations

import os
from dataclasses import replace
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest
from tests.fidget.fidget_samples import clip_of
from tests.fidget.frames.odd_videos import all_frames, damaged_videos, write_coded
from tests.pose_extract.hostile_videos import sound_only, write_video

from fidget.frames import index_file
from fidget.frames.frame_cache import CacheForm, FrameCache
from fidget.frames.person_crop import PersonCrop
from fidget.frames.video_clips import VideoClips
from pose_extract.sources import find_videos
from poses.cache_reader import PoseCache
from poses.cache_schema import CacheMetadata, SourceStamp
from poses.cache_writer import CacheWriter
from poses.encoding import encode_clip


@pytest.fixture(scope="module")
def videos(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A directory with videos of many kinds, and files that are none."""
    directory = tmp_path_factory.mktemp("videos")
    for name in (
        "b_frames.mp4",
        "variable.mp4",
        "portrait.mp4",
        "turned.mp4",
        "odd.mp4",
        "grey.mkv",
        "one.mp4",
    ):
        write_coded(directory / "good" / name)
    damaged_videos(directory / "hurt")
    (directory / "empty.mp4").touch()
    (directory / "text.mp4").write_text("no video at all\n" * 9)
    sound_only(directory, "sound.mp4")
    (directory / "list.csv").write_text("not looked at")
    return directory


def test_ids_are_those_of_extraction(videos: Path, tmp_path: Path) -> None:
    clips = VideoClips(videos, index_file=tmp_path / "i.parquet")
    assert list(clips.status) == [source.clip_id for source in find_videos([str(videos)]).sources]
    assert {c for c, status in clips.status.items() if status == "failed"} == {"empty", "text", "sound"}
    assert set(clips.problems) == {"empty", "text", "sound"}
    for clip_id, word in (("empty", "empty file"), ("text", "text"), ("sound", "audio but no video")):
        assert word in clips.problems[clip_id] and f"{clip_id}.mp4" in clips.problems[clip_id]
    assert {c for c in clips.remarks if c.startswith("hurt/")} == set(clips.remarks) != set()
    assert len(clips) == 11 and clips.where == str(videos)
    with pytest.raises(ValueError, match=r"empty\.mp4"):
        clips.read("empty")
    with pytest.raises(KeyError, match="no video of clip 'nobody'"):
        clips.read("nobody")


def test_frames_are_those_of_extraction(videos: Path, tmp_path: Path) -> None:
    clips = VideoClips(videos, index_file=tmp_path / "i.parquet", short_side=None)
    for clip_id, path in ((s.clip_id, s.path) for s in find_videos([str(videos)]).sources):
        if clips.status[clip_id] == "ok":
            _, pictures = all_frames(path)
            clip = clips.read(clip_id)
            assert (clip.clip_id, clip.frames, clip.frame_hw) == (clip_id, len(pictures), pictures.shape[1:3])
            numbers = np.array([clip.frames - 1, 0, 0, clip.frames // 2])
            assert np.array_equal(clip.read(numbers), pictures[numbers]), clip_id
            assert clip.person_px is None


def test_small_pictures_from_a_cache(videos: Path, tmp_path: Path) -> None:
    cache = FrameCache(tmp_path / "frames", 10**8, CacheForm("raw"))
    direct = VideoClips(videos, index_file=tmp_path / "i.parquet", short_side=32)
    cached = VideoClips(videos, index_file=tmp_path / "i.parquet", short_side=32, cache=cache)
    assert direct.cache_hash != cached.cache_hash  # pictures may differ by what JPEG loses
    for clip_id in ("good/turned", "good/portrait", "hurt/cut"):
        clip_id = next(name for name in direct.status if name.startswith(clip_id))
        clip = direct.read(clip_id)
        assert min(clip.frame_hw) == 32
        numbers = np.array([0, clip.frames - 1])
        pictures = clip.read(numbers)
        assert pictures.shape == (2, *clip.frame_hw, 3)
        for _ in range(2):
            assert np.array_equal(cached.read(clip_id).read(numbers), pictures)
    assert (cache.hits, cache.misses) == (3, 3)


def test_only_the_clips_wanted_are_read(
    videos: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    read: list[str] = []
    real = index_file.index_video
    monkeypatch.setattr(
        index_file, "index_video", lambda path, known: read.append(path.name) or real(path, known)
    )
    wanted = ["good/one", "good/absent"]
    steps: list[tuple[int, int]] = []
    clips = VideoClips(
        videos, wanted, index_file=tmp_path / "i.parquet", progress=lambda *of: steps.append(of)
    )
    assert (read, steps) == (["one.mp4"], [(1, 1)])
    assert clips.status == {"good/one": "ok"}
    VideoClips(videos, wanted, index_file=tmp_path / "i.parquet")
    assert len(read) == 1


def test_the_hash_follows_content_and_settings(tmp_path: Path) -> None:
    path = write_video(tmp_path / "v" / "a.mp4", 6)
    copy = write_video(tmp_path / "w" / "a.mp4", 6)
    os.utime(copy, (0, 0))

    def made(directory: str, **options) -> VideoClips:
        return VideoClips(tmp_path / directory, index_file=tmp_path / f"{directory}.parquet", **options)

    first = made("v")
    assert len(first.cache_hash) == 16 and int(first.cache_hash, 16) >= 0
    assert made("w").cache_hash == first.cache_hash  # equal to the byte, elsewhere, of another time
    assert made("w").checksums == first.checksums
    assert made("v", short_side=24).cache_hash != first.cache_hash
    write_video(path, 7)
    assert made("v").cache_hash != first.cache_hash


def pose_cache(directory: Path, video: Path, frames: int, hw: tuple[int, int]) -> PoseCache:
    """Poses of `good/b_frames` with a box, and of `good/portrait` without a person."""
    from fidget.frames.video_index import index_video

    status = video.stat()
    stamp = SourceStamp(str(video), status.st_size, status.st_mtime_ns)
    clip = clip_of("good/b_frames", frames, hw=hw, at=(20, 15))
    box_px = np.broadcast_to(np.array([20, 10, 40, 30], np.float32), clip.box_px.shape).copy()
    time_s = index_video(video).time_us / 1e6
    clip = replace(clip, box_px=box_px, time_s=time_s, fps=Fraction(25))
    nobody = clip_of("good/portrait", 20, persons=0, hw=(96, 48))
    with CacheWriter(directory, CacheMetadata("coco17", {}, {})) as writer:
        writer.add(encode_clip(clip, stamp))
        writer.add(encode_clip(nobody, SourceStamp("elsewhere.mp4", 1, 1)))
    return PoseCache(directory)


def test_regions_and_times_from_a_pose_cache(
    videos: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    poses = pose_cache(tmp_path / "poses", videos / "good" / "b_frames.mp4", 40, (48, 64))
    known: dict[str, object] = {}
    real = index_file.index_video
    monkeypatch.setattr(
        index_file, "index_video", lambda path, times: known.update({path.name: times}) or real(path, times)
    )
    wanted = ["good/b_frames", "good/portrait", "good/one"]
    clips = VideoClips(
        videos, wanted, index_file=tmp_path / "i.parquet", short_side=24, poses=poses,
        person_crop=PersonCrop(0),
    )  # fmt: skip
    assert known["b_frames.mp4"] is not None
    assert known["portrait.mp4"] is None and known["one.mp4"] is None  # of another file, and unknown
    np.testing.assert_allclose(clips.read("good/b_frames").person_px, (10, 5, 20, 15))
    assert clips.read("good/portrait").person_px is None
    assert set(clips.without_person) == {"good/portrait", "good/one"}
    plain = VideoClips(videos, wanted, index_file=tmp_path / "i.parquet", short_side=24, poses=poses)
    assert plain.without_person == () and plain.read("good/b_frames").person_px is None
    assert plain.cache_hash != clips.cache_hash
    with pytest.raises(ValueError, match="--poses"):
        VideoClips(videos, index_file=tmp_path / "i.parquet", person_crop=PersonCrop())


def test_a_place_without_videos_is_named(tmp_path: Path) -> None:
    (tmp_path / "nothing").mkdir()
    for place, word in (("nothing", "it is empty"), ("absent", "no such file or directory")):
        with pytest.raises(ValueError, match=word):
            VideoClips(tmp_path / place, index_file=tmp_path / "i.parquet")
