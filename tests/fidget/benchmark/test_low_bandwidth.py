"""Small caches: what is lost is what was said, every budget is met or refused with a number."""

from __future__ import annotations

import dataclasses
import re
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.poses.cache_samples import make_clip

from fidget.benchmark.clip_economy import FEWEST_FRAMES, Economy, frame_rows, person_size, step_of, thin_clip
from fidget.benchmark.low_bandwidth import (
    SETTINGS_KEY,
    BudgetError,
    for_budget,
    ladder,
    profile,
    shrink,
    weigh,
)
from poses.cache_check import check_cache
from poses.cache_reader import PoseCache
from poses.cache_schema import CacheMetadata, SourceStamp
from poses.cache_writer import CacheWriter
from poses.clip import PoseClip
from poses.encoding import encode_clip, failed_row
from poses.layout import get_layout

WHOLE = get_layout("coco_wholebody133")
CLIPS = 12


def write(directory: Path, clips: list[PoseClip], **metadata: object) -> Path:
    named = CacheMetadata(clips[0].layout.name, settings={"model": "none", **metadata})
    with CacheWriter(directory, named) as writer:
        for number, clip in enumerate(clips):
            writer.add(encode_clip(clip, SourceStamp(f"/videos/{number}.mp4", 50_000, 9)))
    return directory


@pytest.fixture(scope="module")
def cache(tmp_path_factory: pytest.TempPathFactory) -> Path:
    rng = np.random.default_rng(4)
    clips = [make_clip(f"clip {n}", rng, 1 + n % 2, 24 + n, WHOLE, 0.05) for n in range(CLIPS)]
    return write(tmp_path_factory.mktemp("bandwidth") / "poses", clips)


@pytest.mark.parametrize(
    ("fps", "expected"),
    [
        (0, [*range(31)]),
        (30, [*range(31)]),
        (10, [*range(0, 31, 3)]),
        (15, [*range(0, 31, 2)]),
        (1, [0, 4, 9, 13, 17, 21, 26, 30]),  # fewer than eight frames are not left of a second
    ],
)
def test_frames_of_a_slower_clock(fps: float, expected: list[int]) -> None:
    assert frame_rows(np.arange(31) / 30, fps).tolist() == expected


def test_uneven_frames_nearest_to_the_ticks() -> None:
    time_s = np.array([0, 0.1, 0.19, 0.32, 0.4, 0.52, 0.6, 0.71, 0.79, 0.9, 1.0, 1.1, 1.2, 1.31, 1.4])
    assert frame_rows(time_s, 5).tolist() == [0, 2, 4, 6, 8, 10, 12, 14]
    assert frame_rows(np.array([3.5]), 5).tolist() == [0]


@settings(max_examples=60, deadline=None)
@given(st.integers(1, 90), st.floats(0.5, 70), st.integers(0, 2**32 - 1))
def test_frames_are_few_enough_and_far_enough_apart(frames: int, fps: float, seed: int) -> None:
    time_s = np.cumsum(np.random.default_rng(seed).uniform(0.005, 0.08, frames))
    rows = frame_rows(time_s, fps)
    assert rows[0] == 0 and (np.diff(rows) > 0).all() and rows[-1] < frames
    allowed = (time_s[-1] - time_s[0]) * fps + 1 + 1e-6
    assert len(rows) <= max(allowed, min(FEWEST_FRAMES, frames))


@pytest.mark.parametrize(
    "economy",
    [
        Economy(),
        Economy(joints="micro44", fps=10, steps_across=256, score_levels=16, boxes=False),
        Economy(joints="body", xy_step_px=8.0, score_levels=2, persons=1),
        Economy(xy_step_px=0.125, score_levels=4),
    ],
)
def test_round_trip_within_the_stated_step(cache: Path, tmp_path: Path, economy: Economy) -> None:
    made = shrink(cache, tmp_path / "small", economy)
    before, after = PoseCache(cache), PoseCache(tmp_path / "small")
    assert not check_cache(tmp_path / "small").problems
    assert after.clip_ids == before.clip_ids
    assert after.metadata.settings[SETTINGS_KEY] == economy.told()
    for clip_id in before.clip_ids:
        old, new = before.read(clip_id), after.read(clip_id)
        step = step_of(old, economy, before.row(clip_id).xy_step)
        rows = frame_rows(old.time_s, economy.fps)
        joints = [old.layout.index(name) for name in new.layout.joints]
        people = slice(0, economy.persons or None)
        xy_px = old.xy_px[people][:, rows][:, :, joints]
        score = old.score[people][:, rows][:, :, joints]
        np.testing.assert_allclose(new.time_s, old.time_s[rows], atol=1e-6)
        np.testing.assert_array_equal(new.score > 0, score > 0)
        np.testing.assert_allclose(new.xy_px, xy_px, rtol=0, atol=step / 2 + 1e-3)
        level = 1 / (economy.score_levels - 1)
        assert np.abs(new.score - score).max() <= level + 1 / 255
        assert np.nanmax(np.abs(np.remainder(new.xy_px / step + 0.5, 1) - 0.5)) < 1e-3
    assert made.after.bytes == weigh(tmp_path / "small").bytes
    assert made.before.clips == made.after.clips == CLIPS


def test_no_clips_and_simulated_ones(tmp_path: Path) -> None:
    with CacheWriter(tmp_path / "empty", CacheMetadata("coco17")):
        pass
    with pytest.raises(ValueError, match="the cache holds none"):
        for_budget(tmp_path / "empty", tmp_path / "small", 4096)
    clip = make_clip("a", np.random.default_rng(8), 1, 9)
    for number, made in enumerate(("true", None)):
        poses = write(tmp_path / f"poses{number}", [clip], simulated=made)
        lines = shrink(poses, tmp_path / f"small{number}", Economy()).lines()
        assert ("simulated" in lines[0]) == (made is not None)


def test_many_clips_share_a_row_group(tmp_path: Path) -> None:
    rng = np.random.default_rng(8)
    clips = [make_clip(f"{n}", rng, 1, 9) for n in range(70)]
    shrink(write(tmp_path / "poses", clips), tmp_path / "small", Economy(score_levels=16, boxes=False))
    (shard,) = PoseCache(tmp_path / "small").shards
    assert shard.group_ends.tolist() == [70]
    assert len(PoseCache(tmp_path / "poses").shards) == 2  # 64 and 6


def test_step_is_a_share_of_the_person() -> None:
    clip = make_clip("a", np.random.default_rng(1), 1, 20, missing=0)
    size = person_size(clip)
    spans = np.ptp(clip.xy_px[0], axis=1).max(axis=1)  # (T,)
    assert size == pytest.approx(np.median(spans))
    step = step_of(clip, Economy(steps_across=100), 1 / 16)
    assert size / 200 < step <= size / 100
    assert step_of(clip, Economy(steps_across=10**6), 1 / 16) == 1 / 16  # never finer than what is stored


def test_nobody_and_failed_clips_go_over(tmp_path: Path) -> None:
    rng = np.random.default_rng(2)
    nobody = make_clip("nobody", rng, 0, 30)
    unseen = make_clip("unseen", rng, 1, 30, missing=1.0)
    with CacheWriter(tmp_path / "poses", CacheMetadata("coco17")) as writer:
        for clip in (nobody, unseen):
            writer.add(encode_clip(clip, SourceStamp("/v.mp4", 7, 9), "a remark"))
        writer.add(failed_row("broken", SourceStamp("/w.mp4", 8, 9), "no picture in it"))
    made = for_budget(tmp_path / "poses", tmp_path / "small", 64 * 1024)
    small = shrink(tmp_path / "poses", tmp_path / "smaller", Economy(fps=5, steps_across=64, score_levels=2))
    assert made.after.clips == small.after.clips == 3
    after = PoseCache(tmp_path / "smaller")
    assert after.failed() == {"broken": "no picture in it"}
    assert after.row("nobody").status == "no_person" and after.row("nobody").error == "a remark"
    assert not after.read("unseen").score.any()


def test_skeletons_in_space(tmp_path: Path) -> None:
    clip = make_clip("a", np.random.default_rng(3), 1, 40, get_layout("nwucla20"))
    clip = dataclasses.replace(
        clip, xy_px=clip.xy_px / 1000, z=np.where(clip.score > 0, 3.0, np.nan).astype("f4")
    )
    with CacheWriter(tmp_path / "poses", CacheMetadata("nwucla20", axes="xyz")) as writer:
        writer.add(encode_clip(clip, SourceStamp("/v.npz", 7, 9), xy_step=2.0**-14))
    economy = Economy(fps=10, steps_across=64, boxes=False)
    shrink(tmp_path / "poses", tmp_path / "small", economy)
    thinned, step = thin_clip(PoseCache(tmp_path / "poses").read("a"), economy, 2.0**-14)
    after = PoseCache(tmp_path / "small").read("a")
    np.testing.assert_allclose(after.z, thinned.z)
    np.testing.assert_allclose(after.xy_px, thinned.xy_px, atol=1e-6)
    assert 2.0**-14 < step < 0.02 and np.isnan(after.box_px).all()


def test_sizes_fall_along_the_ladder(cache: Path, tmp_path: Path) -> None:
    rungs = ladder(WHOLE)
    assert rungs[3].joints == "micro44" and len(rungs) > 10
    chosen = rungs[::3]
    sizes = [shrink(cache, tmp_path / str(n), rung).after.bytes for n, rung in enumerate(chosen)]
    assert sizes == sorted(sizes, reverse=True) and sizes[0] > 10 * sizes[-1]


@pytest.mark.parametrize("kib", [2, 4, 16, 64])  # twelve clips cost 1 KiB each for the file alone
def test_every_budget_is_met(cache: Path, tmp_path: Path, kib: int) -> None:
    made = for_budget(cache, tmp_path / "small", kib * 1024)
    assert made.after.per_clip <= kib * 1024
    assert made.after.per_clip == weigh(tmp_path / "small").bytes / CLIPS
    rungs = ladder(WHOLE)
    if made.economy != rungs[0]:  # one rung richer would have cost too much
        richer = rungs[rungs.index(made.economy) - 1]
        assert shrink(cache, tmp_path / "richer", richer).after.per_clip > kib * 1024
    said = "\n".join(made.lines())
    assert made.economy.told() in said and f"{made.after.per_clip:,.0f} bytes a clip" in said
    assert "50,000 bytes a clip" in said  # of the videos


def test_a_budget_too_small_says_what_the_smallest_is(cache: Path, tmp_path: Path) -> None:
    with pytest.raises(BudgetError, match=r"at most 100 bytes.*smallest settings cost \d+") as caught:
        for_budget(cache, tmp_path / "small", 100)
    assert not (tmp_path / "small").exists()
    smallest = float(re.search(r"cost ([\d,]+)", str(caught.value))[1].replace(",", ""))
    assert for_budget(cache, tmp_path / "small", smallest + 1).economy == ladder(WHOLE)[-1]


def test_small_caches_shrink_again_and_parts_of_parts(cache: Path, tmp_path: Path) -> None:
    shrink(cache, tmp_path / "one", profile("low-bandwidth", WHOLE))
    first = PoseCache(tmp_path / "one")
    assert first.layout.name == "coco_wholebody133/micro44"
    made = shrink(tmp_path / "one", tmp_path / "two", Economy(joints="body", fps=5))
    assert made.layout == "coco_wholebody133/body"
    assert len(PoseCache(tmp_path / "two").layout.joints) == 17


def test_what_cannot_be_meant_is_refused(cache: Path, tmp_path: Path) -> None:
    (tmp_path / "taken").mkdir()
    (tmp_path / "taken" / "thesis.txt").touch()
    with pytest.raises(ValueError, match="new or an empty directory"):
        shrink(cache, tmp_path / "taken", Economy())
    with pytest.raises(ValueError, match="outside the cache"):
        for_budget(cache, cache / "small", 4096)
    with pytest.raises(ValueError, match=r"no part 'hend'.*hands"):
        shrink(cache, tmp_path / "small", Economy(joints="hend"))
    with pytest.raises(ValueError, match="above 0 bytes"):
        for_budget(cache, tmp_path / "small", float("nan"))
    with pytest.raises(ValueError, match="no profile 'tiny'; expected one of low-bandwidth"):
        profile("tiny", WHOLE)
    assert list(tmp_path.iterdir()) == [tmp_path / "taken"]


@pytest.mark.parametrize(
    ("wrong", "told"),
    [
        ({"fps": float("inf")}, "fps of 0"),
        ({"xy_step_px": 3.0}, "power of two"),
        ({"xy_step_px": 2.0, "steps_across": 5}, "got both"),
        ({"score_levels": 1}, "score_levels of 2"),
        ({"persons": -1}, "0 or more"),
        ({"zstd_level": 23}, "zstd_level"),
    ],
)
def test_settings_check_themselves(wrong: dict[str, float], told: str) -> None:
    with pytest.raises(ValueError, match=told):
        Economy(**wrong)  # type: ignore[arg-type]


@pytest.mark.shared
def test_real_skeletons(shared_dir: Path, tmp_path: Path) -> None:
    from fidget.cli.main import main

    source = shared_dir / "data" / "skeletons" / "jhmdb_gt_split1.npz"
    assert main(["poses", "import", str(source), "-o", str(tmp_path / "jhmdb")]) == 0
    made = shrink(tmp_path / "jhmdb", tmp_path / "small", profile("low-bandwidth", get_layout("jhmdb15")))
    assert made.after.per_clip < made.before.per_clip / 3
    assert len(PoseCache(tmp_path / "small")) == 609
