from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from fidget.benchmark.byte_tables import size_told
from fidget.benchmark.cell import Cell
from fidget.benchmark.paper_tables import SIMULATED_NOTE, paper_tables
from fidget.benchmark.summaries import summarise
from fidget.benchmark.table import csv_text, html, latex, markdown
from protocols.label_tree import LabelTree
from protocols.published import published_measures
from protocols.recognition import measures_of
from protocols.scores import ScoreFile, write_scores
from protocols.trees import tree

CLIPS = 200
FACTS = {
    "clips": CLIPS, "source_clips": 1000, "source_pose_bytes": 4096_000, "source_video_bytes": 409_600_000,
    "target_clips": CLIPS, "target_pose_bytes": 200 * 1024, "target_video_bytes": 0,
}  # fmt: skip


def _scores(labels: LabelTree, right: np.ndarray, seed: int = 0) -> ScoreFile:
    """Clips of random classes, of which the given ones are recognised."""
    rng = np.random.default_rng(3)
    actions = len(labels.actions)
    truth = rng.integers(actions, size=len(right))
    told = np.where(right, truth, (truth + 1) % actions)
    scores = np.full((len(right), actions), 0.1 / actions)
    scores[np.arange(len(right)), told] += 0.9
    ids = tuple(f"clip{number}" for number in range(len(right)))
    return ScoreFile(labels, ids, truth, scores.astype(np.float32), "ours", seed=seed)


def _cell(directory: Path, labels: LabelTree, share: float, **given: object) -> Cell:
    """A cell whose first clips, this share of them, are recognised; with its score file."""
    basis = Cell(
        "mma82/cross-domain", "laboratory to street", "laboratory", "street", "ours", 0, facts=dict(FACTS)
    )
    cell = replace(basis, **given)  # type: ignore[arg-type]
    scores = _scores(labels, np.arange(CLIPS) < share * CLIPS)
    name = f"scores/{len(list(directory.glob('scores/*')))}.parquet"
    (directory / "scores").mkdir(exist_ok=True)
    write_scores(directory / name, scores)
    return replace(cell, scores=name, measures=measures_of(scores))


def _column(table, head: str) -> list[str]:
    place = table.head.index(head)
    return [row[place] for row in table.rows]


def test_published_values_stand_beside_ours_with_the_difference(tmp_path: Path) -> None:
    shots = {"shots": 5, "adaptation": "linear_probe"}
    cells = [
        _cell(tmp_path, tree("mma82"), 0.30),
        _cell(tmp_path, tree("mma82"), 0.40, seed=1),
        _cell(tmp_path, tree("mma82"), 0.50, draw=0, **shots),
        _cell(tmp_path, tree("mma82"), 0.60, draw=1, **shots),
    ]
    table, bytes_table = paper_tables("mma82/cross-domain", cells, tmp_path, 300)
    assert [row[:3] for row in table.rows] == [
        ("street", "0", "PoseC3D, published"),
        ("street", "0", "ours"),
        ("street", "0", "ours: difference to PoseC3D [95 %]"),
        ("street", "5", "PoseC3D, published"),
        ("street", "5", "ours, linear_probe"),
        ("street", "5", "ours, linear_probe: difference to PoseC3D [95 %]"),
    ]
    top1 = _column(table, "action top-1")
    assert top1[:2] == ["20.65", "35.00 ± 7.07"]
    assert top1[3:5] == ["21.58", "55.00 ± 7.07"]
    told, low, high = (float(part.strip("[],")) for part in top1[2].split())
    assert told == pytest.approx(35 - 20.65)
    assert low < told < high
    assert 100 * 2 * 1.96 * 0.05 * 0.8 < high - low < 100 * 2 * 1.96 * 0.09  # two seeds 10 points apart
    published = published_measures("mma82/cross-domain", "PoseC3D", "laboratory", "street", 5)
    for head, measure in (
        ("action top-5", "action/top5"), ("action MCA", "action/mean_class"),
        ("action macro-F1", "action/macro_f1"), ("action micro-F1", "action/micro_f1"),
        ("body top-1", "body/top1"), ("body top-5", "body/top5"), ("body MCA", "body/mean_class"),
        ("body macro-F1", "body/macro_f1"), ("body micro-F1", "body/micro_f1"),
    ):  # fmt: skip
        assert _column(table, head)[3] == f"{published[measure].value:.2f}"
    assert any(note.startswith("Published: MMA-82 (arXiv 2606.14096)") for note in table.notes)
    assert bytes_table.rows == (
        ("source laboratory", "1,000", "3.9 MiB", "4.0 KiB", "390.6 MiB", "1.00 %"),
        ("target street", "200", "200.0 KiB", "1.0 KiB", "-", "-"),
    )


def test_simulated_results_are_marked_and_never_beside_published_ones(tmp_path: Path) -> None:
    cells = [
        _cell(tmp_path, tree("mma82"), 0.3, simulated=True),
        _cell(tmp_path, tree("mma82"), 0.4, simulated=True, setting="transductive-prior"),
    ]
    found = paper_tables("mma82/cross-domain", cells, tmp_path, 100)
    ours, transductive, published, bytes_table = found
    for table in (ours, transductive):
        assert "simulated" in table.title
        assert SIMULATED_NOTE in table.notes
        assert not any("published" in row[2] or "difference" in row[2] for row in table.rows)
        for form in (markdown, latex, html, csv_text):
            for row in table.rows:
                assert "simulated" in row[2]
                assert row[2].split(":")[0] in form(table)
    assert [row[2] for row in published.rows] == ["PoseC3D, published"]
    assert "simulated results cannot be compared with them" in published.title
    assert "simulated" in bytes_table.title


def test_other_classes_are_not_compared(tmp_path: Path) -> None:
    own = LabelTree("own", ("a", "b", "c", "d", "e", "f"), ("g", "h"), (0, 0, 0, 1, 1, 1))
    ours, bytes_table = paper_tables("mma82/cross-domain", [_cell(tmp_path, own, 0.3)], tmp_path, 50)
    assert [row[2] for row in ours.rows] == ["ours", "ours: 95 % interval"]
    assert any(note.startswith("No published values") for note in ours.notes)
    assert "poses beside video" in bytes_table.title


def test_targets_come_in_the_papers_order_and_k_by_size(tmp_path: Path) -> None:
    cells = [
        replace(
            _cell(tmp_path, tree("mma82"), 0.3), task=f"laboratory to {target}", target_domain=target, shots=k
        )
        for target in ("emotion", "cinema", "street", "psychiatric")
        for k in (10, 5, 1)
    ]
    table = paper_tables("mma82/cross-domain", cells, tmp_path, 0)[0]
    assert list(dict.fromkeys(row[:2] for row in table.rows)) == [
        (target, str(k)) for target in ("psychiatric", "street", "emotion", "cinema") for k in (1, 5, 10)
    ]


def test_without_score_files_there_are_means_and_no_intervals(tmp_path: Path) -> None:
    cell = replace(_cell(tmp_path, tree("mma82"), 0.3), scores="scores/gone.parquet")
    ours = paper_tables("mma82/cross-domain", [cell], tmp_path, 50)[0]
    assert [row[2] for row in ours.rows] == ["ours"]
    assert _column(ours, "action top-1") == ["30.00"]


def test_transductive_rows_have_a_table_of_their_own(tmp_path: Path) -> None:
    cells = [
        _cell(tmp_path, tree("mma82"), 0.3),
        _cell(tmp_path, tree("mma82"), 0.4, setting="transductive-prior"),
    ]
    ours, transductive, _ = paper_tables("mma82/cross-domain", cells, tmp_path, 0)
    assert "ours" in _column(ours, "method")
    assert not any("transductive" in way for way in _column(ours, "method"))
    assert "ours, transductive-prior" in _column(transductive, "method")
    assert "looked at together" in transductive.title


def test_ma52_has_its_papers_columns_and_the_other_macro_f1_once(tmp_path: Path) -> None:
    cell = _cell(
        tmp_path, tree("ma52"), 0.6, benchmark="ma52", task="test", source_domain="", target_domain=""
    )
    table = paper_tables("ma52", [cell], tmp_path, 50)[0]
    assert table.head[3:] == (
        "action top-1", "action top-5", "body top-1", "body macro-F1", "body micro-F1", "action macro-F1",
        "action micro-F1", "F1mean",
    )  # fmt: skip
    assert len(table.rows) == 12
    manet = next(row for row in table.rows if row[2] == "MANet, published")
    assert manet[-1] == "65.59"
    assert table.rows[-1][2] == "ours: difference to MANet [95 %]"
    assert table.rows[-1][-1].startswith(f"{100 * cell.measures['f1_mean'] - 65.59:+.2f} [")
    (note,) = [note for note in table.notes if "equation 5" in note]
    assert f"{100 * cell.measures['f1_mean_of_means']:.2f}" in note
    val = paper_tables("ma52", [replace(cell, task="val")], tmp_path, 50)
    assert not any("difference" in row[2] for row in val[0].rows)  # published numbers are of test


def test_in_domain_prints_both_published_methods(tmp_path: Path) -> None:
    cell = _cell(
        tmp_path,
        tree("mma82"),
        0.6,
        benchmark="mma82/in-domain",
        task="all",
        source_domain="all",
        target_domain="all",
    )
    table = paper_tables("mma82/in-domain", [cell], tmp_path, 0)[0]
    assert [(row[2], row[3]) for row in table.rows] == [
        ("PoseC3D, published", "56.62"), ("GC-TSM, published", "60.43"), ("ours", "60.00"),
        ("ours: difference to PoseC3D [95 %]", "+3.38"),
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("benchmark", "recipe", "told"),
    [
        ("ma52", "tsm", "TSM"), ("ma52", "swin3d_tiny", "VSwinT"), ("ma52", "manet_released", "MANet"),
        ("ma52", "gc_tsm", "MANet"), ("ma52", "stgcnpp", "MANet"),
        ("mma82/in-domain", "mma82_gc_tsm_small", "GC-TSM"), ("mma82/in-domain", "manet", "PoseC3D"),
    ],
)  # fmt: skip
def test_a_recipe_is_compared_with_its_own_published_row(tmp_path: Path, benchmark, recipe, told) -> None:
    where = {"source_domain": "", "target_domain": "", "task": "test"}
    if benchmark != "ma52":
        where = dict.fromkeys(where, "all")
    labels = tree(benchmark.partition("/")[0])
    cell = _cell(tmp_path, labels, 0.6, benchmark=benchmark, method=recipe, **where)
    table = paper_tables(benchmark, [cell], tmp_path, 0)[0]
    assert table.rows[-1][2] == f"{recipe}: difference to {told} [95 %]"
    theirs = next(row for row in table.rows if row[2] == f"{told}, published")
    place = table.head.index("action top-1")
    assert float(table.rows[-1][place]) == pytest.approx(60 - float(theirs[place]), abs=0.006)


def test_tasks_with_one_target_are_told_apart_by_their_names(tmp_path: Path) -> None:
    given = {"benchmark": "nw_ucla/cross-camera", "target_domain": "camera 3"}
    cells = [
        _cell(tmp_path, tree("mma82"), 0.3, task=f"{source} to camera 3", source_domain=source, **given)
        for source in ("camera 1", "camera 2")
    ]
    table = paper_tables("nw_ucla/cross-camera", cells, tmp_path, 0)[0]
    assert _column(table, "target") == ["camera 1 to camera 3", "camera 2 to camera 3"]
    assert "Clips measured: camera 1 to camera 3 200, camera 2 to camera 3 200." in table.notes


def test_failures_and_short_classes_are_told(tmp_path: Path) -> None:
    facts = {**FACTS, "short_classes": ["nodding", "waving"]}
    cells = [
        _cell(tmp_path, tree("mma82"), 0.3, shots=5, adaptation="linear_probe", facts=facts),
        Cell(
            "mma82/cross-domain",
            "laboratory to street",
            "laboratory",
            "street",
            "bad",
            2,
            status="failed",
            error="no",
        ),
    ]
    notes = paper_tables("mma82/cross-domain", cells, tmp_path, 0)[0].notes
    assert "street, K 5: 2 classes with fewer clips or none: nodding, waving." in notes
    assert "Failed, and missing here: 1 cell, such as laboratory to street, bad, seed 2: no" in notes
    only_failed = paper_tables("mma82/cross-domain", cells[1:], tmp_path, 0)[0]
    assert only_failed.rows == ()


def test_budgets_are_lined_up_from_few_bytes_to_all(tmp_path: Path) -> None:
    def small(kib: float, share: float) -> Cell:
        facts = {
            **FACTS,
            "budget_kib": kib,
            "source_pose_bytes": 1000 * kib * 1000,
            "target_pose_bytes": 200 * kib * 1000,
        }
        return _cell(tmp_path, tree("mma82"), share, facts=facts)

    cells = [_cell(tmp_path, tree("mma82"), 0.5), small(16, 0.4), small(1, 0.2)]
    tables = paper_tables("mma82/cross-domain", cells, tmp_path, 0)
    budgets = tables[-1]
    assert [row[2:5] for row in budgets.rows] == [
        ("1", "1,000", "20.00"), ("16", "16,000", "40.00"), ("whole", "3,584", "50.00"),
    ]  # fmt: skip
    assert not any("KiB" in row[2] for row in tables[0].rows)
    assert len([row for row in tables[0].rows if row[2] == "ours"]) == 1


def test_the_spread_of_seeds_is_in_the_interval_as_its_standard_error(tmp_path: Path) -> None:
    cells = [_cell(tmp_path, tree("mma82"), 0.6), _cell(tmp_path, tree("mma82"), 0.4, seed=1)]
    (row,) = summarise(cells, tmp_path, 4000)
    assert row.means["action/top1"] == pytest.approx(0.5)
    assert row.deviations["action/top1"] == pytest.approx(np.sqrt(0.02))
    of_seeds, of_clips = 0.02 / 2, 0.2 / CLIPS  # a clip is right in both, in one, or in none
    assert row.drawn["action/top1"].std() == pytest.approx(np.sqrt(of_seeds + of_clips), rel=0.05)
    assert (row.seeds, row.draws) == (2, 1)


def test_one_cells_interval_is_that_of_its_clips(tmp_path: Path) -> None:
    (row,) = summarise([_cell(tmp_path, tree("mma82"), 0.3)], tmp_path, 4000)
    low, high = row.interval("action/top1") or (0, 0)
    half = 1.96 * np.sqrt(0.3 * 0.7 / CLIPS)
    assert (low, high) == pytest.approx((0.3 - half, 0.3 + half), abs=0.01)
    assert np.isnan(row.deviations["action/top1"])


@pytest.mark.parametrize(
    ("number", "told"),
    [(0, "0 B"), (1023, "1,023 B"), (1024, "1.0 KiB"), (1.5 * 2**20, "1.5 MiB"), (2**44, "16,384.0 GiB")],
)
def test_sizes(number: float, told: str) -> None:
    assert size_told(number) == told
