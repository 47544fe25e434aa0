from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from fidget_samples import clip_of, row_of, write_cache, write_grey_video

from fidget.demo_clips import make_demo_clips
from fidget.reports.readme_picture import picture_of
from poses.cache_reader import PoseCache


def test_the_picture_shows_each_clip_with_its_skeleton(tmp_path: Path) -> None:
    rows = []
    for clip_id in ("nodding__portrait", "shaking__astronaut", "tilting__astronaut"):
        clip = clip_of(clip_id, frames=60, hw=(512, 512), at=(100, 100))
        rows.append(row_of(clip, write_grey_video(tmp_path / "videos" / f"{clip_id}.mp4", clip)))
    picture = picture_of(tmp_path / "videos", write_cache(tmp_path / "cache", rows))
    assert picture.shape == (288, 3 * 288, 3)
    for tile in np.hsplit(picture, 3):
        coloured = np.ptp(tile[:240].astype(int), axis=-1) > 25  # above the label, the video is grey
        assert 10 < coloured.sum() < 2000


@pytest.mark.weights
def test_the_demo_heads_move_as_their_names_say(tmp_path: Path) -> None:
    from pose_extract.command import main as extract
    from weights.fetch import find_weight, is_present

    if not (is_present("demo_portrait") and is_present("demo_astronaut")):
        pytest.skip("the demo pictures are absent: fidget weights fetch demo")
    make_demo_clips(tmp_path / "videos", find_weight)
    words = ["--layout", "coco17", "--workers", "1", "--quiet"]
    assert extract([str(tmp_path / "videos"), "-o", str(tmp_path / "poses"), *words]) == 0
    cache = PoseCache(tmp_path / "poses")
    assert len(cache) == 6
    for clip in cache.clips():
        assert (clip.score[0] > 0).any(axis=-1).all()  # a person in every frame
        eyes = clip.xy_px[0][:, [1, 2]]  # (T, 2, 2): the left and the right eye
        x_px, y_px = np.ptp(eyes.mean(axis=1), axis=0)
        roll = np.degrees(np.ptp(np.arctan2(*(eyes[:, 0] - eyes[:, 1]).T[::-1])))
        if clip.clip_id.startswith("nodding"):
            assert y_px > 2 * x_px
        elif clip.clip_id.startswith("shaking"):
            assert x_px > 2 * y_px
        else:
            assert roll > 6
        assert max(x_px, y_px) > 8
