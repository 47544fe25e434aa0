"""Trimmed clips pasted into motionless tracks."""

from __future__ import annotations

from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest

from fidget.detection.pasted_cache import write_pasted
from fidget.detection.pasted_clips import NOTE, PREFIX, paste_clips, pasted_tracks, table_of_tracks
from poses.cache_reader import PoseCache
from poses.cache_schema import CacheMetadata, CacheMismatchError, SourceStamp
from poses.cache_writer import CacheWriter
from poses.clip import PoseClip
from poses.encoding import encode_clip
from poses.layout import get_layout
from protocols.clip_table import ClipTable
from protocols.detection_tables import read_detection_table
from protocols.label_tree import LabelTree

LAYOUT = get_layout("coco17")
WRIST = LAYOUT.index("right_wrist")


def clip(
    clip_id: str, frames: int, size: float = 1.0, at: float = 0.0, fps: int = 30, tremble: float = 0.0
) -> PoseClip:
    """Somebody of a size at a place, whose right wrist goes up and down once; an ankle is never seen."""
    rng = np.random.default_rng(frames)
    v = len(LAYOUT.joints)
    xy = np.zeros((1, frames, v, 2), np.float32)
    xy[0] = at + size * np.stack([np.arange(v) * 7 % 50, np.arange(v) * 11 % 60], axis=1)
    xy[0, :, WRIST, 1] -= size * 40 * np.sin(np.pi * np.arange(frames) / (frames - 1))
    xy += tremble * rng.standard_normal(xy.shape)
    score = np.full((1, frames, v), 0.8, np.float32)
    ankle = LAYOUT.index("left_ankle")
    score[:, :, ankle], xy[:, :, ankle] = 0, np.nan
    return PoseClip(
        clip_id,
        LAYOUT,
        xy.astype(np.float32),
        score,
        np.zeros((1, frames, 4), np.float32),
        np.arange(frames) / fps,
        (240, 320),
        Fraction(fps),
        np.zeros(1, np.int64),
    )


def test_clips_keep_their_motion_and_the_rest_is_still() -> None:
    clips = [clip("a", 30), clip("b", 45, size=2.0, at=100.0)]
    track = paste_clips("pasted/x", clips, [3, 5], 240, np.random.default_rng(1))
    assert track.clip.frames == 240 and track.pasted == ("a", "b")
    assert [one.label for one in track.instances] == [3, 5]
    xy = track.clip.xy_px[0]
    busy = np.zeros(240, bool)
    for one, source in zip(track.instances, clips, strict=True):
        start, end = round(one.t_start_s * 30), round(one.t_end_s * 30)
        assert end - start == source.frames
        busy[max(start - 13, 0) : end + 13] = True
        # The second person is twice as large and stands elsewhere, yet reaches as high on the track.
        lifted = xy[start, WRIST, 1] - xy[start:end, WRIST, 1].min()
        assert lifted == pytest.approx(40, abs=0.5)
        shoulder = LAYOUT.index("left_shoulder")
        np.testing.assert_allclose(
            xy[start:end, shoulder], np.tile(xy[0, shoulder], (end - start, 1)), atol=0.5
        )
    assert busy.any() and not busy.all()
    found = track.clip.score[0, 0] > 0
    spread = np.ptp(xy[~busy][:, found], axis=0).max(axis=1)
    assert (spread > 0.01).sum() == 1 and spread.max() < 1  # the wrist's swing looks a little like a tremble


def test_gliding_leaves_no_jump() -> None:
    held = clip("held", 20)
    held.xy_px[0, :, WRIST, 1] = held.xy_px[0, 0, WRIST, 1] - 60  # up from the first frame to the last
    track = paste_clips("pasted/x", [clip("a", 30), held], [0, 1], 160, np.random.default_rng(0), glide_s=0.5)
    step = np.abs(np.diff(track.clip.xy_px[0, :, WRIST, 1])).max()
    assert 2 < step < 8


def test_the_jitter_is_that_of_the_first_clip() -> None:
    track = paste_clips("pasted/x", [clip("a", 90, tremble=1.5)], [0], 600, np.random.default_rng(0))
    (one,) = track.instances
    still = np.ones(600, bool)
    still[round(one.t_start_s * 30) - 13 : round(one.t_end_s * 30) + 13] = False
    nose = track.clip.xy_px[0, still, 0]
    assert 1.1 < nose.std(axis=0).mean() < 1.9


def test_another_frame_rate_is_taken_to_the_first_ones() -> None:
    clips = [clip("a", 30), clip("b", 15, fps=15)]
    track = paste_clips("pasted/x", clips, [0, 0], 200, np.random.default_rng(0))
    assert [round((one.t_end_s - one.t_start_s) * 30) for one in track.instances] == [30, 30]


def test_what_cannot_be_pasted_is_named() -> None:
    rng = np.random.default_rng(0)
    with pytest.raises(ValueError, match="expected at least 54 frames for 1 clips"):
        paste_clips("pasted/x", [clip("a", 30)], [0], 50, rng)
    assert paste_clips("pasted/x", [clip("a", 30)], [0], 54, rng).clip.frames == 54
    with pytest.raises(ValueError, match="a label for each; got 1 and 2"):
        paste_clips("pasted/x", [clip("a", 30)], [0, 1], 50, rng)
    empty = clip("nobody", 5)
    empty.score[:], empty.xy_px[:] = 0, np.nan
    with pytest.raises(ValueError, match="nobody is in 'nobody'"):
        paste_clips("pasted/x", [empty], [0], 50, rng)


@pytest.fixture
def trimmed(tmp_path: Path) -> tuple[PoseCache, ClipTable]:
    """Eight clips of two people, six to train with."""
    clips = [clip(f"c{i}", 20 + i) for i in range(8)]
    with CacheWriter(tmp_path / "poses", CacheMetadata(layout="coco17", models={}, settings={})) as writer:
        for one in clips:
            writer.add(encode_clip(one, SourceStamp("x", 0, 0)))
    table = ClipTable(
        "mine",
        LabelTree("two", ("up", "down")),
        tuple(one.clip_id for one in clips),
        np.arange(8) % 2,
        ("train",) * 6 + ("val",) * 2,
        ("lab",) * 8,
        tuple("ab"[i % 2] for i in range(8)),
        simulated=True,
    )
    return PoseCache(tmp_path / "poses"), table


def test_tracks_of_a_cache(trimmed: tuple[PoseCache, ClipTable]) -> None:
    cache, table = trimmed
    tracks = list(pasted_tracks(cache, table, 12, seed=4))
    again = list(pasted_tracks(cache, table, 3, seed=4))
    for one, other in zip(tracks, again, strict=False):
        np.testing.assert_array_equal(one.clip.xy_px, other.clip.xy_px)
        assert one.instances == other.instances
    for one in tracks:
        people = {table.subjects[table.clip_ids.index(clip_id)] for clip_id in one.pasted}
        assert len(people) == 1 and len(set(one.pasted)) == len(one.pasted)
        assert not {"c6", "c7"} & set(one.pasted)  # of the validation split
        assert [i.label for i in one.instances] == [int(clip_id[1:]) % 2 for clip_id in one.pasted]
        ends = [0.0, *(i.t_end_s for i in one.instances)]
        assert all(i.t_start_s >= end for i, end in zip(one.instances, ends, strict=False))
    found = table_of_tracks(tracks, table)
    assert found.simulated and found.note == NOTE and len(found.instances_of("train")) >= 20
    assert all(video_id.startswith(PREFIX) for video_id in found.video_ids)
    with pytest.raises(ValueError, match="no labelled clip of 'test'"):
        next(pasted_tracks(cache, table, 1, split="test"))
    with pytest.raises(ValueError, match="1 <= fewest <= most"):
        next(pasted_tracks(cache, table, 1, (3, 2)))


def test_tracks_on_disk(trimmed: tuple[PoseCache, ClipTable], tmp_path: Path) -> None:
    cache, table = trimmed
    found = write_pasted(tmp_path / "pasted", cache, table, 5, seed=4)
    again = write_pasted(tmp_path / "pasted", cache, table, 5, seed=4)
    assert found.instances == again.instances and len(found) == 5
    written = PoseCache(tmp_path / "pasted")
    assert written.metadata.settings["pasted"] == 5 and written.metadata.settings["simulated"] == "true"
    read = read_detection_table("instances", tmp_path / "pasted-detection.csv")
    assert read.simulated and read.video_ids == found.video_ids and read.instances == found.instances
    assert set(read.splits) == {"train"}
    for track in pasted_tracks(cache, table, 5, seed=4):
        clip = written.read(track.clip.clip_id)
        assert clip.frames == track.clip.frames
        np.testing.assert_allclose(clip.xy_px, track.clip.xy_px, atol=0.1)
    with pytest.raises(CacheMismatchError, match="pasted_seed is 4 in the cache, 5 in this job"):
        write_pasted(tmp_path / "pasted", cache, table, 5, seed=5)
