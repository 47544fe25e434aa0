"""Joints in space: the third coordinate through clip, row, shard, view, merge and check."""

from __future__ import annotations

import dataclasses

import numpy as np
import pyarrow.parquet as pq
import pytest
from cache_samples import METADATA, assert_close, make_clip, make_row
from hypothesis import given, settings
from hypothesis import strategies as st

from poses.cache_check import check_cache
from poses.cache_merge import merge_caches
from poses.cache_reader import PoseCache
from poses.cache_schema import SCHEMA, CacheMetadata, CacheMismatchError, NotACacheError, SourceStamp
from poses.cache_writer import CacheWriter
from poses.encoding import decode_row, encode_clip, failed_row, fitting_step
from poses.layout import get_layout

SPACE = CacheMetadata("nwucla20", {"import:skeletons": "ab" * 32}, axes="xyz")
STAMP = SourceStamp("x.npz", 1, 2)


def spatial_clip(clip_id, rng, persons=1, frames=9, missing=0.1, metres=3.0):
    clip = make_clip(clip_id, rng, persons, frames, get_layout("nwucla20"), missing)
    scale = np.float32(metres / 1000)
    z = (rng.uniform(-metres, metres, clip.score.shape)).astype(np.float32)
    z[clip.score == 0] = np.nan
    return dataclasses.replace(clip, xy_px=clip.xy_px * scale, box_px=clip.box_px * scale, z=z)


def row_of(clip):
    return encode_clip(clip, STAMP, xy_step=fitting_step(clip.xy_px, clip.z))


@pytest.fixture
def clips():
    rng = np.random.default_rng(0)
    return [spatial_clip(f"clip{n}", rng, persons=n % 3, frames=3 + n) for n in range(6)]


@pytest.fixture
def cache(tmp_path, clips):
    with CacheWriter(tmp_path / "space", SPACE, rows_per_shard=4) as writer:
        for clip in clips:
            writer.add(row_of(clip))
        writer.add(failed_row("broken", STAMP, "no reason", "xyz"))
    return tmp_path / "space"


@settings(max_examples=40, deadline=None)
@given(
    seed=st.integers(0, 2**32 - 1),
    persons=st.integers(0, 3),
    frames=st.integers(1, 30),
    missing=st.sampled_from([0.0, 0.2, 1.0]),
    metres=st.sampled_from([1e-3, 1.0, 5.0, 4000.0]),
)
def test_a_clip_comes_back(seed, persons, frames, missing, metres):
    clip = spatial_clip("a", np.random.default_rng(seed), persons, frames, missing, metres)
    row = row_of(clip)
    back = decode_row(row, clip.layout)
    assert_close(clip, back, row.xy_step)
    ulp = np.spacing(np.float32(np.nanmax(np.abs(clip.z), initial=1e-6)))
    np.testing.assert_allclose(clip.z, back.z, rtol=0, atol=row.xy_step / 2 + ulp)
    if metres < 16 and np.isfinite(clip.z).any():  # 15 bits of the largest coordinate
        largest = max(np.nanmax(np.abs(clip.z)), np.nanmax(np.abs(clip.xy_px)))
        assert row.xy_step <= largest / 2**15


def test_cache_and_view_agree(cache, clips):
    opened = PoseCache(cache)
    view = opened.view()
    for clip in clips:
        read = opened.read(clip.clip_id)
        xyz, score = view.read_xyz(clip.clip_id)
        xy, score_again = view.read(clip.clip_id)
        assert xyz.shape == (*clip.score.shape, 3) and xyz.dtype == np.float32
        np.testing.assert_array_equal(xyz[..., :2], read.xy_px)
        np.testing.assert_array_equal(xyz[..., 2], read.z)
        np.testing.assert_array_equal(xy, read.xy_px)
        np.testing.assert_array_equal(score, read.score)
        np.testing.assert_array_equal(score_again, score)
        assert xy.flags.c_contiguous
    assert opened.table().schema.names == [*SCHEMA.names, "z", "z_checksum"]
    assert [clip.clip_id for clip in opened.clips()] == [clip.clip_id for clip in clips]
    assert opened.failed() == {"broken": "no reason"}


def test_a_plane_cache_is_as_it_was(tmp_path):
    with CacheWriter(tmp_path / "plane", METADATA) as writer:
        writer.add(make_row("a", np.random.default_rng(0)))
    cache = PoseCache(tmp_path / "plane")
    assert cache.metadata.axes == "xy" and b"axes" not in METADATA.to_json()
    schema = pq.read_schema(next((tmp_path / "plane").glob("*.parquet")))
    assert schema.names == SCHEMA.names and b"axes" not in schema.metadata[b"fidget"]
    assert cache.read("a").z is None
    xy, score = cache.view().read_xyz("a")
    assert xy.shape[-1] == 2
    np.testing.assert_array_equal(xy, cache.view().read("a")[0])
    assert score.shape == xy.shape[:-1]


def test_a_program_that_knows_no_z_reads_x_and_y(cache, clips):
    """Every column of the plane format is there and means the same."""
    for row in (PoseCache(cache).row(clip.clip_id) for clip in clips):
        plane = decode_row(dataclasses.replace(row, z=None, z_checksum=0), get_layout("nwucla20"))
        np.testing.assert_array_equal(plane.xy_px, PoseCache(cache).read(row.clip_id).xy_px)


def test_merge_and_check(cache, tmp_path, clips):
    assert merge_caches([cache, cache], tmp_path / "merged").rows == 7
    before, after = PoseCache(cache), PoseCache(tmp_path / "merged")
    for clip in clips:
        np.testing.assert_array_equal(before.read(clip.clip_id).z, after.read(clip.clip_id).z)
    assert check_cache(tmp_path / "merged").problems == ()
    with CacheWriter(tmp_path / "merged", SPACE) as writer:  # rewrites a shard
        assert writer.remove(["clip1"]) == 1
    assert check_cache(tmp_path / "merged").rows == 6


def test_merge_names_other_axes(cache, tmp_path):
    plane = dataclasses.replace(SPACE, axes="xy")
    with CacheWriter(tmp_path / "plane", plane):
        pass
    with pytest.raises(CacheMismatchError, match=r"axes is xyz in .*space, xy in .*plane"):
        merge_caches([cache, tmp_path / "plane"], tmp_path / "merged")
    with pytest.raises(CacheMismatchError, match="axes is xyz in the cache, xy in this job"):
        CacheWriter(cache, plane)


def test_a_row_of_other_axes_is_refused(cache, tmp_path, clips):
    with (
        CacheWriter(cache, SPACE) as writer,
        pytest.raises(ValueError, match="has x and y, this cache holds"),
    ):
        writer.add(failed_row("new", STAMP, "x"))
    plane = dataclasses.replace(SPACE, axes="xy")
    with CacheWriter(tmp_path / "plane", plane) as writer, pytest.raises(ValueError, match="has x, y and z"):
        writer.add(row_of(clips[1]))


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"z": np.zeros(3, np.int32)}, "z holds 3 values"),
        ({"z_checksum": 1}, "z_checksum is .*, expected 00000001"),
        ({"z": np.full(4 * 20, -1, np.int32)}, "z holds a negative number"),
    ],
)
def test_a_damaged_row_is_named(clips, changes, words):
    row = dataclasses.replace(row_of(clips[1]), **changes)
    with pytest.raises(ValueError, match=words) as caught:
        decode_row(row, clips[1].layout)
    assert "clip1" in str(caught.value)


def test_numbers_out_of_range_are_refused(clips):
    z = clips[1].z.copy()
    z[0, 0] = np.inf
    with pytest.raises(ValueError, match="z must be finite where score > 0"):
        dataclasses.replace(clips[1], z=z)
    with pytest.raises(ValueError, match="z must be float32"):
        dataclasses.replace(clips[1], z=z[:, 1:])
    far = np.where(np.isfinite(clips[1].z), np.float32(1e9), np.float32(np.nan)).astype(np.float32)
    with pytest.raises(ValueError, match=r"person 0 \(z\): expected coordinates within"):
        encode_clip(dataclasses.replace(clips[1], z=far), STAMP)


def test_a_spatial_cache_without_z_is_a_broken_one(cache):
    shard = next(cache.glob("*.parquet"))
    table = pq.read_table(shard)
    pq.write_table(table.drop_columns(["z"]), shard)
    assert any("z missing" in problem for problem in check_cache(cache).problems)


def test_axes_must_be_known():
    text = SPACE.to_json().replace(b'"xyz"', b'"xyzt"')
    with pytest.raises(NotACacheError, match="axes must be xy or xyz"):
        CacheMetadata.from_json(text, "x")
