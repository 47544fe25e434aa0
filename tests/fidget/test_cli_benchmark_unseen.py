from __future__ import annotations

import contextlib
import json
import shutil
from pathlib import Path

import numpy as np
import pytest
from tests.fidget.benchmark.benchmark_samples import TINY
from tests.fidget.training.training_samples import synthetic_rows, write_cache

from fidget.cli.main import main
from poses.cache_schema import CacheMetadata
from poses.cache_writer import CacheWriter
from protocols.label_vectors import LabelVectors, write_label_vectors
from protocols.recognition import measures_of
from protocols.scores import read_scores
from protocols.unseen_classes import generalised_measures
from protocols.unseen_split import unseen_named

NAMES = ("rubbing hands", "rubbing knee", "waving hand", "nodding", "shaking head", "touching knee")
GROUPS = ("hand", "leg", "hand", "head", "head", "leg")
CLIPS = 36
RUN = "benchmark unseen --poses cache --method tiny.toml --samples 20 --jobs 1 --device cpu"


def fidget(words: str) -> int:
    return main(words.split())


def write_labels(path: Path) -> None:
    """Six classes, of each three clips train, one validates, two are measured."""
    splits = ("train", "train", "train", "val", "test", "test")
    lines = ["clip_id,label,split,class_name,group_name"]
    for number in range(CLIPS):
        label = number % 6
        lines.append(f"clip{number:02d},{label},{splits[number // 6]},{NAMES[label]},{GROUPS[label]}")
    path.write_text("\n".join(lines) + "\n")


@pytest.fixture(scope="module")
def place(tmp_path_factory) -> Path:
    place = tmp_path_factory.mktemp("unseen")
    write_cache(place / "cache", synthetic_rows(CLIPS))
    (place / "tiny.toml").write_text(TINY)
    write_labels(place / "cache-labels.csv")
    return place


@pytest.fixture
def here(place, monkeypatch) -> Path:
    monkeypatch.chdir(place)
    return place


@pytest.fixture(scope="module")
def ran(place) -> Path:
    with contextlib.chdir(place):
        assert fidget(f"{RUN} --unseen 3 --draws 2 -o out") == 0
    return place / "out"


def cells_of(directory: Path) -> list[dict]:
    return [json.loads(path.read_text()) for path in sorted(directory.glob("cells/*.json"))]


def test_what_is_left_belongs_together(ran) -> None:
    cells = cells_of(ran)
    assert [(cell["draw"], cell["adaptation"]) for cell in cells] == [
        (0, "conse"), (0, "feature_map"), (1, "conse"), (1, "feature_map"),
    ]  # fmt: skip
    assert cells[0]["facts"]["unseen"] != cells[2]["facts"]["unseen"]
    for cell in cells:
        pure = read_scores(ran / cell["scores"])
        general = read_scores(ran / cell["facts"]["generalised_scores"])
        unseen = cell["facts"]["unseen"]
        assert list(pure.tree.actions) == unseen
        assert len(pure) == 6
        assert {NAMES[int(clip_id[4:]) % 6] for clip_id in pure.clip_ids} == set(unseen)
        assert len(general) == 12
        assert general.tree.actions == NAMES
        again = measures_of(pure) | generalised_measures(general, unseen_named(general.tree, unseen))
        own = {name: value for name, value in cell["measures"].items() if name != "seen/mean_class"}
        assert own == pytest.approx(again)


def test_the_network_never_saw_the_unseen_classes(ran) -> None:
    for cell in cells_of(ran):
        run = ran / cell["run"]
        val = read_scores(run / "scores" / "val.parquet")
        seen = [name for name in NAMES if name not in cell["facts"]["unseen"]]
        assert list(val.tree.actions) == seen
        assert {NAMES[int(clip_id[4:]) % 6] for clip_id in val.clip_ids} == set(seen)
        assert json.loads((run / "summary.json").read_text())["train_counts"] == [3, 3, 3]


def test_the_same_command_again_does_nothing_and_others_add(ran, here, capsys) -> None:
    words = f"{RUN} --unseen 3 --draws 2 -o out"
    assert fidget(words) == 0
    text = capsys.readouterr().out
    assert "0 of 2 networks to train or measure" in text
    assert "### Classes that were never trained: cache-labels\n" in text
    assert "| 3 drawn of 6 | tiny   | ConSE       |     2 |     1 |  33.33 |" in text
    assert "* vectors of all rows: words of names\n* penalty of seen classes, in all rows: 0\n" in text
    assert "(simulated" not in text
    assert (ran / "table.md").read_text() in text
    shutil.copytree(ran, here / "more")
    vectors = np.random.default_rng(0).normal(size=(6, 4)).astype(np.float32)
    write_label_vectors(here / "mine.npz", LabelVectors(NAMES[::-1], vectors[::-1].copy()))
    np.save(here / "mine.npy", vectors)
    for suffix in ("npz", "npy"):
        words = words.replace("-o out", "-o more")
        assert fidget(f"{words} --ways conse --vectors mine.{suffix}") == 0
        text = capsys.readouterr().out
        assert "| ConSE       | mine " in text
        assert ": trained" not in text  # the networks are there
        assert f"vectors: mine.{suffix}, 6 vectors of 4 numbers" in text
        assert ("'rubbing hands' first, 'touching knee' last" in text) == (suffix == "npy")
    found = [cell for cell in cells_of(here / "more") if cell["facts"]["vectors"].startswith("mine ")]
    # Two files, other orders of the same vectors, the same measures.
    assert len(found) == 4
    of_draw = {draw: [one["measures"] for one in found if one["draw"] == draw] for draw in (0, 1)}
    assert all(one == two for one, two in of_draw.values())


def test_named_classes_and_a_penalty(ran, here, capsys) -> None:
    assert fidget(f"{RUN} --unseen rubbing_knee,Nodding --ways conse -o named --samples 0") == 0
    assert "unseen, rubbing knee, nodding: rubbing knee, nodding" in capsys.readouterr().out
    assert fidget(f"{RUN} --unseen rubbing_knee --unseen nodding --ways conse -o named --seen-penalty 2") == 0
    text = capsys.readouterr().out
    assert ": trained" not in text
    free, pressed = (cell["measures"] for cell in cells_of(here / "named"))
    # Cosines lie within -1..1: with 2 taken off, no seen class is the answer, and nothing else changes.
    assert pressed["generalised/seen"] == 0
    assert pressed["generalised/unseen"] == free["action/mean_class"]
    assert pressed["generalised/area"] == pytest.approx(free["generalised/area"])


def test_simulated_poses_make_simulated_results(here, tmp_path, capsys) -> None:
    with CacheWriter(tmp_path / "made", CacheMetadata("coco17", {}, {"simulated": "true"})) as writer:
        for row in synthetic_rows(CLIPS):
            writer.add(row)
    write_labels(tmp_path / "made-labels.csv")
    words = RUN.replace("--poses cache", f"--poses {tmp_path / 'made'}")
    assert fidget(f"{words} --unseen 2 --ways conse -o {tmp_path / 'out'}") == 0
    text = capsys.readouterr().out
    assert "the clips are simulated: so are all results" in text
    assert "### Classes that were never trained: made-labels (simulated data)" in text
    assert all(cell["simulated"] for cell in cells_of(tmp_path / "out"))


def test_a_failure_is_named_and_the_status_is_1(ran, here, capsys) -> None:
    (here / "bad.toml").write_text(TINY.replace('"tiny"', '"bad"').replace('"stgcnpp"', '"nosuch"'))
    shutil.copytree(ran, here / "partly")
    assert fidget(f"{RUN} --unseen 3 --method bad.toml --ways conse -o partly") == 1
    shown = capsys.readouterr()
    assert "fidget: failed: 3 drawn, draw 0, bad, seed 0: unknown model 'nosuch'" in shown.err
    assert "| tiny " in shown.out
    assert "failed, and missing here: 1 cells" in shown.out
    assert list(here.glob("partly/logs/*.txt"))


@pytest.mark.parametrize(
    ("words", "status", "told"),
    [
        ("--unseen nodding,wavng_hand", 2, "did you mean 'waving hand'?"),
        ("--unseen 1", 2, "--unseen: expected 2 unseen classes or more"),
        ("--unseen 4", 2, "--unseen: expected 1..3 unseen classes"),
        ("--unseen nodding", 2, "2 unseen classes or more"),
        ("--unseen 3 --unseen 2", 2, "no action '3'"),
        ("--unseen nodding,waving_hand --draws 2", 2, "--draws draws classes where --unseen is a number"),
        ("--unseen 3 --draws 0", 2, "--draws is 1 or more"),
        ("--unseen 3 --vectors gone.npz", 2, "--vectors gone.npz: no such file"),
        ("--unseen 3 --vectors tiny.toml", 1, "tiny.toml: no label vectors"),
        (
            "--unseen 3 --vectors few.npy",
            1,
            "few.npy: no label vectors: label vectors: expected vectors (6, D)",
        ),
        ("--unseen 3 --vectors other.npz", 1, "other.npz: no label vectors of 'rubbing knee'"),
        ("--unseen 3 --ways cosine", 2, "--ways: no 'cosine'"),
        ("--unseen 3 --seen-penalty -1", 2, "--seen-penalty is 0 or more"),
        ("--unseen 3 --seen-penalty nan", 2, "--seen-penalty is 0 or more"),
        ("--unseen 3 --seeds x", 2, "--seeds takes numbers"),
        ("--unseen 3 --labels gone.csv", 2, "gone.csv: no such file"),
        ("--unseen 3 --labels numbers.csv", 2, "--vectors names: numbers: 'class 0' and 'class 1' have"),
        ("--unseen waving_hand,touching_knee --vectors apart.npz", 2, "nothing relates an unseen class"),
        ("--unseen 3 -o cache", 1, "holds other files and no benchmark"),
    ],
)
def test_wrong_input_is_one_line_and_a_status(here, capsys, words, status, told) -> None:
    np.save(here / "few.npy", np.ones((4, 3), np.float32))
    write_label_vectors(here / "other.npz", LabelVectors(NAMES[:1], np.ones((1, 3), np.float32)))
    write_label_vectors(here / "apart.npz", LabelVectors(NAMES, np.eye(6, dtype=np.float32)))
    lines = [f"clip{number:02d},{number % 6},{'test' if number > 20 else 'train'}" for number in range(CLIPS)]
    (here / "numbers.csv").write_text("\n".join(["clip_id,label,split", *lines]) + "\n")
    assert fidget(f"{RUN} {words}") == status
    shown = capsys.readouterr().err
    assert told in shown
    assert shown.startswith("fidget: ")
    assert shown.count("\n") == 1


def test_no_method(here, capsys) -> None:
    assert fidget("benchmark unseen --poses cache --unseen 3") == 2
    assert "name a recipe with --method" in capsys.readouterr().err
