"""A simulated MMA-82: its plan, its clips, its files, its command."""

from __future__ import annotations

import csv
import json
from collections import Counter
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fidget.benchmark.simulator.allocation import allocate, fill_column, share_out
from fidget.benchmark.simulator.clip import SimulationSettings, simulate_clip
from fidget.benchmark.simulator.clip_plan import count_clips, plan_clips, split_subjects
from fidget.benchmark.simulator.domains import DOMAIN_TABLE
from fidget.benchmark.simulator.simulate import LABEL_COLUMNS, labels_csv, simulate
from fidget.cli import benchmark_simulate
from fidget.cli.main import OneLineParser
from fidget.cli.usage import UsageError
from poses.cache_check import check_cache
from poses.cache_reader import PoseCache
from poses.cache_schema import CacheMismatchError
from protocols.clip_table import SPLITS
from protocols.mma82 import DOMAINS, published_sizes, read_mma82
from protocols.trees import class_counts, tree

TINY = 0.0005  # 82 clips to train in the laboratory, a few elsewhere


@pytest.fixture(scope="module")
def tiny(tmp_path_factory: pytest.TempPathFactory) -> Path:
    directory = tmp_path_factory.mktemp("simulated") / "poses"
    simulate(directory, TINY, seed=1)
    return directory


def run(*words: str) -> int:
    parser = OneLineParser(prog="fidget benchmark")
    benchmark_simulate.add_parser(parser.add_subparsers(required=True))
    args = parser.parse_args(["simulate", *words])
    status: int = args.run(args)
    return status


def test_at_scale_1_classes_and_splits_have_the_published_sizes() -> None:
    counts = count_clips(1.0)
    sizes = published_sizes()
    np.testing.assert_array_equal(counts.sum(axis=1), class_counts("mma82"))
    expected = [sizes[domain, split] for domain in DOMAINS for split in SPLITS]
    np.testing.assert_array_equal(counts.sum(axis=0), expected)
    assert counts.sum() == 39_816
    assert counts.min() >= 0
    assert (counts[:, 0] > 0).all()


@pytest.mark.parametrize("scale", [0.0005, 0.01, 0.05, 0.3])
def test_every_class_can_be_learned_at_every_scale(scale: int) -> None:
    counts = count_clips(scale)
    assert (counts[:, 0] > 0).all()
    assert (counts.sum(axis=0) > 0).all()
    sizes = published_sizes()
    street_test = counts[:, DOMAINS.index("street") * 3 + SPLITS.index("test")].sum()
    assert street_test == max(1, round(sizes["street", "test"] * scale))


def test_a_plan_at_scale_1_has_the_published_subjects_and_lengths() -> None:
    plan, sizes = plan_clips(1.0, seed=0), published_sizes()
    domains, frames = np.array(plan.domains), plan.frames
    for domain in DOMAINS:
        mine = domains == domain
        assert frames[mine].mean() / 30 == pytest.approx(sizes[domain, "mean_seconds"], abs=0.02)
        assert frames[mine].sum() / 30 / 3600 == pytest.approx(sizes[domain, "hours"], rel=0.02)
        people = {plan.subjects[i] for i in np.flatnonzero(mine)}
        assert len(people) == sizes[domain, "subjects"]
    assert len(set(plan.clip_ids)) == len(plan) == 39_816


def test_nobody_is_in_two_splits_or_two_domains() -> None:
    plan = plan_clips(0.05, seed=3)
    places: dict[str, set[tuple[str, str]]] = {}
    for subject, domain, split in zip(plan.subjects, plan.domains, plan.splits, strict=True):
        places.setdefault(subject, set()).add((domain, split))
    assert max(len(found) for found in places.values()) == 1
    assert [len(split_subjects("psychiatric")[split]) for split in SPLITS] == [11, 4, 4]


def test_label_noise_changes_labels_and_no_counts() -> None:
    clean, noisy = plan_clips(0.05, 0, 0.0), plan_clips(0.05, 0, 0.2)
    np.testing.assert_array_equal(clean.labels, clean.performed)
    np.testing.assert_array_equal(noisy.performed, clean.performed)
    # A label may change places with its like: a few of the 20 % stay right.
    assert 0.15 < (noisy.labels != noisy.performed).mean() <= 0.2
    assert Counter(noisy.labels.tolist()) == Counter(clean.labels.tolist())


@settings(max_examples=40, deadline=None)
@given(st.integers(2, 9), st.integers(2, 6), st.integers(0, 10_000))
def test_allocation_keeps_both_sums(rows: int, columns: int, seed: int) -> None:
    rng = np.random.default_rng(seed)
    column_sums = rng.integers(1, 60, columns)
    row_sums = share_out(int(column_sums.sum()), rng.uniform(0.05, 1, rows))
    counts = allocate(row_sums, column_sums, rng.uniform(0.01, 1, (rows, columns)))
    for table in (counts, fill_column(counts, 0)):
        np.testing.assert_array_equal(table.sum(axis=1), row_sums)
        np.testing.assert_array_equal(table.sum(axis=0), column_sums)
        assert table.min() >= 0


def test_shares_by_largest_remainder() -> None:
    assert share_out(10, np.array([1, 1, 1])).tolist() == [4, 3, 3]
    assert share_out(7, np.array([5.5, 1.5, 0.0])).tolist() == [6, 1, 0]
    assert share_out(4, np.array([100, 1, 1]), at_least=1).tolist() == [2, 1, 1]
    with pytest.raises(ValueError, match="at least 3 clips for 3 shares, got 2"):
        share_out(2, np.ones(3), at_least=1)
    with pytest.raises(ValueError, match="of one sum, got 3 and 4"):
        allocate(np.array([1, 2]), np.array([4]), np.ones((2, 1)))


def test_a_clip_depends_on_its_id_and_the_seed_alone() -> None:
    given_ = ("street/str001/0001", 20, 40, "street", "str001")
    first, again = (simulate_clip(*given_, 5, SimulationSettings()) for _ in range(2))
    np.testing.assert_array_equal(first.xy_px, again.xy_px)
    np.testing.assert_array_equal(first.score, again.score)
    other = simulate_clip(*given_, 6, SimulationSettings())
    assert not np.array_equal(first.xy_px, other.xy_px)


@pytest.mark.parametrize("domain", [domain.name for domain in DOMAIN_TABLE])
def test_without_noise_every_domain_shows_a_plausible_body(domain: str) -> None:
    ideal = SimulationSettings(noise=0, missing=0, label_noise=0)
    for i in range(6):
        clip = simulate_clip(f"{domain}/x/{i}", 6 + i, 30, domain, f"x{i}", 0, ideal)
        score = clip.score[0]
        assert (score[:, 0] > 0).mean() > 0.9  # the nose is in the picture
        eyes, shoulders = clip.xy_px[0, :, 1:3], clip.xy_px[0, :, 5:7]
        assert np.nanmedian(shoulders[..., 1] - eyes[..., 1]) > 0  # y is down
        found = np.isfinite(clip.xy_px[0]).all(axis=2)
        inside = (clip.xy_px[0] > -12) & (clip.xy_px[0] < np.array(clip.frame_hw[::-1]) + 12)
        assert inside.all(axis=2)[found].all()


def test_domains_differ_as_the_real_ones_do() -> None:
    def seen(domain: str, joints: slice) -> float:
        clips = [
            simulate_clip(f"{domain}/s/{i}", 16, 30, domain, f"s{i}", 0, SimulationSettings())
            for i in range(12)
        ]
        return float(np.mean([(clip.score[0, :, joints] > 0).mean() for clip in clips]))

    knees, feet = slice(13, 15), slice(17, 23)
    assert seen("laboratory", knees) > 0.9
    assert seen("emotion", knees) < 0.05
    assert seen("psychiatric", feet) < 0.5 < seen("laboratory", feet)


def test_errors_grow_with_noise_and_confidence_knows() -> None:
    def clip(noise: float, missing: float = 0.0):
        chosen = SimulationSettings(noise=noise, missing=missing)
        return simulate_clip("laboratory/a/1", 0, 60, "laboratory", "a", 0, chosen)

    true, usual, bad = clip(0.0), clip(1.0), clip(3.0)
    error = [np.nanmean(np.linalg.norm(one.xy_px - true.xy_px, axis=-1)) for one in (usual, bad)]
    assert 0.5 < error[0] < 15
    assert error[1] > 2 * error[0]
    score = [one.score[one.score > 0].mean() for one in (true, usual, bad)]
    assert score[0] > score[1] > score[2]
    off = np.linalg.norm(bad.xy_px - true.xy_px, axis=-1)[0]
    body = off[:, 5:17][np.isfinite(off[:, 5:17])]
    sure = bad.score[0][:, 5:17][np.isfinite(off[:, 5:17])]
    assert np.corrcoef(body, sure)[0, 1] < -0.3
    assert (clip(1.0, 20.0).score == 0).mean() > (usual.score == 0).mean()


def test_the_cache_is_whole_and_says_that_it_is_simulated(tiny: Path) -> None:
    assert not list(check_cache(tiny).problems)
    cache = PoseCache(tiny)
    assert cache.metadata.settings["simulated"] == "true"
    assert set(cache.metadata.models) == {"simulator"}
    assert cache.layout.name == "coco_wholebody133"
    assert len(cache) > 82


def test_the_labels_file_has_a_line_for_every_clip(tiny: Path) -> None:
    with tiny.with_name("poses-labels.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    assert tuple(rows[0]) == LABEL_COLUMNS
    labels = tree("mma82")
    cache = PoseCache(tiny)
    assert {row["clip_id"] for row in rows} == set(cache.clip_ids)
    for row in rows[::10]:
        clip = cache.read(row["clip_id"])
        assert float(row["duration_s"]) == pytest.approx(clip.frames / 30, abs=1e-3)
        assert row["class_name"] == labels.actions[int(row["label"])]
        assert row["group_name"] == labels.groups[labels.group_of[int(row["label"])]]
        assert row["simulated"] == "true"
    table = read_mma82(tiny.with_name("poses-labels.csv"))
    assert len(table) == len(rows)
    assert set(table.domains) == set(DOMAINS)


def _content(directory: Path) -> dict[str, bytes]:
    return {
        clip.clip_id: clip.xy_px.tobytes() + clip.score.tobytes() for clip in PoseCache(directory).clips()
    }


def test_processes_do_not_change_the_cache(
    tiny: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from fidget.benchmark.simulator import simulate as module

    monkeypatch.setattr(module, "_PACKS_WORTH_A_PROCESS", 1)
    made = simulate(tmp_path / "poses", TINY, seed=1, workers=2)
    assert made.made == made.clips
    assert _content(tmp_path / "poses") == _content(tiny)
    assert made.labels.read_bytes() == tiny.with_name("poses-labels.csv").read_bytes()


def test_a_stopped_run_goes_on_and_another_one_is_refused(
    tmp_path: Path, capsys: pytest.CaptureFixture
) -> None:
    directory = tmp_path / "poses"

    class StoppedError(Exception):
        pass

    made = 0

    def stop() -> None:
        nonlocal made
        made += 1
        if made == 40:
            raise StoppedError

    with pytest.raises(StoppedError):
        simulate(directory, TINY, on_clip=stop)
    cache = PoseCache(directory)
    assert len(cache) == 40
    assert run("-o", str(directory), "--scale", str(TINY), "--workers", "1", "--json") == 0
    result = json.loads(capsys.readouterr().out)
    assert result["simulated"] is True
    assert result["clips"] - result["made_now"] == 40
    assert result["clips_by_domain"]["laboratory"]["train"] == 82
    with pytest.raises(CacheMismatchError, match="seed is 0 in the cache, 1 in this job"):
        simulate(directory, TINY, seed=1)


def test_labels_of_other_content_are_left_alone(tmp_path: Path) -> None:
    (tmp_path / "poses-labels.csv").write_text("mine")
    with pytest.raises(ValueError, match="other content and was left alone"):
        simulate(tmp_path / "poses", TINY)
    assert (tmp_path / "poses-labels.csv").read_text() == "mine"


@pytest.mark.parametrize(
    ("words", "problem"),
    [
        (["--scale", "0"], "--scale: expected a number above 0"),
        (["--scale", "nan"], "--scale: expected a number above 0"),
        (["--workers", "0"], "--workers: expected at least 1"),
        (["--seed", "-1"], "--seed: expected a whole number from 0"),
        (["--noise", "-1"], "--noise: expected a number within 0..20"),
        (["--label-noise", "2"], "--label-noise: expected a number within 0..1"),
    ],
)
def test_wrong_usage_is_named(words: list[str], problem: str, tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=problem.replace(".", r"\.")):
        run("-o", str(tmp_path / "poses"), *words)
    assert not (tmp_path / "poses").exists()


def test_a_file_in_the_way_is_wrong_usage(tmp_path: Path) -> None:
    (tmp_path / "poses").write_text("")
    with pytest.raises(UsageError, match="this is a file"):
        run("-o", str(tmp_path / "poses"))


def test_the_command_prints_what_it_made(tiny: Path, capsys: pytest.CaptureFixture) -> None:
    assert run("-o", str(tiny), "--scale", str(TINY), "--seed", "1") == 0
    shown = capsys.readouterr()
    assert "0 clips to make" in shown.err
    assert "simulated labels:" in shown.out
    assert "laboratory" in shown.out


def test_csv_is_plain_text() -> None:
    text = labels_csv(plan_clips(TINY, 0))
    assert "\r" not in text
    assert text.endswith("\n")
    assert text.isascii()
