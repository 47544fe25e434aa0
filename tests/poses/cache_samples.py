"""Clips and rows that the cache's tests share."""

from __future__ import annotations

from fractions import Fraction

import numpy as np

from poses.cache_schema import CacheMetadata, CacheRow, SourceStamp
from poses.clip import PoseClip
from poses.encoding import encode_clip
from poses.layout import Layout, get_layout

METADATA = CacheMetadata(
    "coco17", {"rtmpose-m": "ab" * 32}, {"max_persons": 2, "flip_test": False, "detector": None}
)


def make_clip(
    clip_id: str,
    rng: np.random.Generator,
    persons: int = 1,
    frames: int = 12,
    layout: Layout | None = None,
    missing: float = 0.1,
) -> PoseClip:
    """Smooth motion with jitter; a share of the joints and boxes is missing."""
    layout = layout or get_layout("coco17")
    shape = (persons, frames, len(layout.joints))
    phase = rng.uniform(0, 6.3, (persons, 1, len(layout.joints), 2))
    time_s = np.cumsum(rng.uniform(0.02, 0.05, frames))
    swing = np.sin(2 * np.pi * 0.5 * time_s[None, :, None, None] + phase)
    xy_px = (500 + 100 * phase + 20 * swing + rng.normal(0, 0.35, (*shape, 2))).astype(np.float32)
    score = rng.uniform(0.001, 1, shape).astype(np.float32)
    score[rng.uniform(size=shape) < missing] = 0
    score[rng.uniform(size=shape[:2]) < missing] = 0
    xy_px[score == 0] = np.nan
    box_px = rng.uniform(0, 900, (*shape[:2], 4)).astype(np.float32)
    box_px[~(score > 0).any(axis=-1)] = np.nan
    track_ids = np.arange(persons, dtype=np.int64) * 3 + 1
    return PoseClip(
        clip_id, layout, xy_px, score, box_px, time_s, (1296, 1080), Fraction(30000, 1001), track_ids
    )


def make_row(clip_id: str, rng: np.random.Generator, persons: int = 1, frames: int = 12) -> CacheRow:
    """An encoded clip."""
    return encode_clip(
        make_clip(clip_id, rng, persons, frames), SourceStamp(f"/videos/{clip_id}.mp4", 1234, 99)
    )


def assert_close(before: PoseClip, after: PoseClip, step: float = 1 / 16) -> None:
    """Equal up to what the coding promises."""
    assert before.clip_id == after.clip_id
    assert before.layout == after.layout
    assert before.frame_hw == after.frame_hw
    assert before.fps == after.fps
    np.testing.assert_array_equal(before.track_ids, after.track_ids)
    np.testing.assert_allclose(before.time_s, after.time_s, rtol=0, atol=0.5e-6 + 1e-9)
    np.testing.assert_array_equal(before.score > 0, after.score > 0)
    np.testing.assert_allclose(before.score, after.score, rtol=0, atol=1 / 255)
    ulp = np.spacing(np.float32(np.nanmax(np.abs(before.xy_px), initial=1)))
    np.testing.assert_allclose(before.xy_px, after.xy_px, rtol=0, atol=step / 2 + ulp)
    ulp = np.spacing(np.float32(np.nanmax(np.abs(before.box_px), initial=1)))
    np.testing.assert_allclose(before.box_px, after.box_px, rtol=0, atol=step / 2 + ulp)
