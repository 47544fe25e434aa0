"""`fidget recognize` as a new user gives it, right and wrong."""

from __future__ import annotations

import csv
import dataclasses
import json
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pytest
from tests.fidget.benchmark.shifted_samples import limb_clip, tiny
from tests.fidget.fidget_samples import GREY, decode, row_of, write_cache, write_grey_video

from fidget.cli import main as command
from fidget.recognition.result import from_json
from fidget.training.loop import train
from fidget.training.run import Machines
from poses.cache_schema import SourceStamp
from poses.encoding import failed_row
from protocols.label_tree import LabelTree
from protocols.protocol import Protocol, Split

TREE = LabelTree("limbs (simulated)", ("nodding", "bowing head", "waving"), ("head", "arms"), (0, 0, 1))
HOSTILE = "../<b>&'=1"


class Made(NamedTuple):
    """A cache with one recording of each kind, its video, and a run."""

    poses: Path
    video: Path
    run: Path


@pytest.fixture(scope="module")
def made(tmp_path_factory) -> Made:
    """Two epochs on six clips, validated on 24: enough for a temperature."""
    directory = tmp_path_factory.mktemp("recognize")
    rng = np.random.default_rng(0)
    train_ids, val_ids = ([f"{split}{n}" for n in range(many)] for split, many in (("t", 6), ("v", 24)))
    labels = {name: number % 3 for ids in (train_ids, val_ids) for number, name in enumerate(ids)}
    clips = [limb_clip(name, label + 2, "laboratory", rng) for name, label in labels.items()]
    cache = write_cache(directory / "clips", [row_of(clip) for clip in clips])
    splits = {
        name: Split(tuple(ids), tuple(labels[one] for one in ids))
        for name, ids in (("train", train_ids), ("val", val_ids))
    }
    recipe = tiny("train.epochs=2", 'eval.splits=["val"]')
    train(
        recipe,
        cache,
        Protocol("limbs", TREE, splits, simulated=True),
        directory / "run",
        Machines("cpu"),
        say=lambda _: 0,
    )

    one = clips[0]
    long = dataclasses.replace(
        one, clip_id="talk", xy_px=np.tile(one.xy_px, (2, 2, 1, 1)), score=np.tile(one.score, (2, 2, 1)),
        box_px=np.tile(one.box_px, (2, 2, 1)), time_s=2 + np.arange(2 * one.frames) / 25,
        track_ids=np.array([4, 9]), frame_hw=(300, 300),
    )  # fmt: skip
    nobody = dataclasses.replace(
        one, clip_id=HOSTILE, xy_px=one.xy_px[:0], score=one.score[:0], box_px=one.box_px[:0],
        track_ids=one.track_ids[:0],
    )  # fmt: skip
    video = write_grey_video(directory / "talk.mp4", long)
    broken = failed_row("broken", SourceStamp("/nowhere/b.mp4", 1, 1), "no frame decodes")
    poses = write_cache(directory / "poses", [row_of(long, video), row_of(nobody), broken])
    return Made(poses, video, directory / "run")


@pytest.fixture
def fidget(monkeypatch):
    monkeypatch.setitem(command.COMMANDS, "recognize", "own videos to micro-actions over time")
    return lambda *words: command.main(["recognize", *map(str, words)])


SHORT = ("--window", "0.5", "--step", "0.25", "--device", "cpu", "--threshold", "0.3")


def test_every_file_of_every_clip_is_written_and_kept(made, tmp_path, fidget, capsys) -> None:
    words = ("--poses", made.poses, "--run", made.run, "-o", tmp_path, *SHORT)
    assert fidget(*words) == 1  # one clip failed at extraction; the others are done
    said = capsys.readouterr()
    assert "failed: broken: no frame decodes" in said.err
    assert "no person was found, so nothing was recognised" in said.err
    assert "trained on simulated data" in said.err and "person 4" in said.out
    suffixes = (".json", ".csv", ".eaf", ".html", "-boris.csv", "-boris-import.csv", "-overlay.mp4")
    assert all((tmp_path / f"talk{suffix}").stat().st_size for suffix in suffixes)
    result = from_json(json.loads((tmp_path / "talk.json").read_text()))
    assert [one.track_id for one in result.persons] == [4, 9] and result.calibrated and result.simulated
    assert result.start_s == 2 and result.persons[0].segments[0].start_s == 2
    np.testing.assert_allclose(result.persons[0].curves.probability.sum(0), 1, atol=1e-4)
    times, pictures = decode(tmp_path / "talk-overlay.mp4")
    assert len(times) == 32 and abs(int(np.median(pictures[3])) - GREY) < 6  # the picture is behind
    assert not list(tmp_path.parent.glob("*<b>*")) and len(list(tmp_path.rglob("*.json"))) == 2

    before = {path: path.stat().st_mtime_ns for path in tmp_path.rglob("*") if path.is_file()}
    assert fidget(*words) == 1
    assert "was there already" in capsys.readouterr().err
    assert before == {path: path.stat().st_mtime_ns for path in tmp_path.rglob("*") if path.is_file()}


def test_private_writes_no_picture_and_names_no_video(made, tmp_path, fidget, capsys) -> None:
    words = (made.video, "--poses", made.poses, "--run", made.run, "-o", tmp_path, *SHORT)
    assert fidget(*words, "--private") == 0
    assert "no face leaves this machine" in capsys.readouterr().err
    _, pictures = decode(tmp_path / "talk-overlay.mp4")
    assert all(abs(int(np.median(picture)) - GREY) > 30 for picture in pictures)
    for file in tmp_path.glob("talk*"):
        if file.suffix != ".mp4":
            assert str(made.video.parent) not in file.read_text(encoding="utf-8")
    with open(tmp_path / "talk-boris.csv", encoding="utf-8", newline="") as table:
        rows = list(csv.DictReader(table))
    assert all(row["Media file name"] == "talk-overlay.mp4" for row in rows)


def test_json_of_all_goes_to_a_program(made, tmp_path, fidget, capsys) -> None:
    words = (made.video, "--poses", made.poses, "--run", made.run, "-o", tmp_path, "--no-overlay", "--json")
    assert fidget(*words, *SHORT) == 0
    stored = json.loads(capsys.readouterr().out)
    assert stored["failed"] == [] and from_json(stored["videos"][0]).media == ""


def test_another_layout_is_named_on_both_sides(made, tmp_path, fidget, capsys) -> None:
    from tests.fidget.fidget_samples import clip_of

    cache = write_cache(tmp_path / "p", [row_of(clip_of("a", layout="jhmdb15"))], "jhmdb15")
    assert fidget("--poses", cache, "--run", made.run, "-o", tmp_path / "o", "--device", "cpu") == 1
    said = capsys.readouterr().err
    assert "coco17" in said and "jhmdb15" in said


def test_a_video_that_the_cache_lacks_is_named(made, tmp_path, fidget, capsys) -> None:
    other = tmp_path / "talk.mp4"  # the same name, another file
    other.write_bytes(b"not a video")
    words = (other, "--poses", made.poses, "--run", made.run, "-o", tmp_path / "o", "--device", "cpu")
    assert fidget(*words) == 1
    assert f"{other}: its poses are not in {made.poses}" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("words", "status", "told"),
    [
        ((), 2, "name a video"),
        (("a.mp4", "--live", "0"), 2, "--live looks at one source alone"),
        (("a.mp4", "--threshold", "2"), 2, "expected a threshold in (0, 1]"),
        (("a.mp4", "--step", "9"), 2, "expected a window of some seconds"),
        (("a.mp4", "--private", "--no-overlay"), 2, "--private writes skeletons as a video"),
        (("nowhere.mp4",), 1, "nowhere.mp4"),
        (("--live", "nowhere.mp4"), 1, "expected the number of a webcam"),
    ],
)
def test_wrong_usage_is_told_in_one_line(made, tmp_path, fidget, capsys, words, status, told) -> None:
    assert fidget(*words, "--run", made.run, "-o", tmp_path / "o") == status
    said = capsys.readouterr().err.strip()
    assert told in said and len(said.splitlines()) == 1


def test_a_directory_without_a_run_is_refused(tmp_path, fidget, capsys) -> None:
    assert fidget("a.mp4", "--run", tmp_path) == 1
    assert "expected a finished run of fidget train or of fidget detect train" in capsys.readouterr().err
    (tmp_path / "joint").mkdir()
    (tmp_path / "joint" / "recipe.toml").write_text("")
    assert fidget("a.mp4", "--run", tmp_path) == 1
    assert f"{tmp_path / 'joint'}: expected a finished run" in capsys.readouterr().err


def _stub_run(directory: Path, recipe: str, more: tuple[str, ...] = ()) -> Path:
    """What a run that was begun leaves, without weights."""
    directory.mkdir()
    (directory / "recipe.toml").write_text(recipe)
    for name in more:
        (directory / name).write_text("{}")
    return directory


def _other_tree(made: Made, directory: Path) -> Path:
    """The same run with another name for an action."""
    import shutil

    from protocols.scores import read_scores, write_scores

    shutil.copytree(made.run, directory)
    file = directory / "scores" / "val.parquet"
    tree = dataclasses.replace(TREE, name="limbs 2", actions=("nodding", "bowing", "waving"))
    write_scores(file, dataclasses.replace(read_scores(file), tree=tree))
    return directory


@pytest.mark.parametrize(
    ("what", "told"),
    [
        ("absent", "absent: expected a run directory of fidget train or fidget detect train"),
        ("a file", "expected a run directory of fidget train or fidget detect train"),
        ("without weights", "expected a finished run of fidget train or of fidget detect train, with recipe"),
        ("detector without weights", "expected a run of fidget detect train, there is no"),
        ("pose cache", "expected a finished run of fidget train or of fidget detect train, with recipe"),
        ("two trees", "names the 3 actions of 'limbs (simulated)'"),
        ("fusion of other runs", "fuses scores of 'a', 'b', the runs are 'tiny joint', 'tiny joint'"),
        ("no fusion", "no fusion: expected what fidget fuse --save writes"),
        ("fusion of one", "fuses scores of 'a', 'b', the runs are 'tiny joint'"),
    ],
)
def test_runs_that_are_none_or_do_not_go_together(made, tmp_path, fidget, capsys, what, told) -> None:
    from fidget.fusion.rule_file import Fusion, write_fusion
    from fidget.fusion.weighted_mean import WeightedMean

    fusion = tmp_path / "fusion.json"
    write_fusion(fusion, Fusion(WeightedMean((1.0, 1.0)), TREE.name, TREE.actions, ("a", "b")))
    (tmp_path / "no.json").write_text("[]")
    (tmp_path / "file").write_text("")
    words = {
        "absent": ("--run", tmp_path / "absent"),
        "a file": ("--run", tmp_path / "file"),
        "pose cache": ("--run", made.poses),
        "fusion of other runs": ("--run", made.run, "--run", made.run, "--fusion", fusion),
        "no fusion": ("--run", made.run, "--run", made.run, "--fusion", tmp_path / "no.json"),
        "fusion of one": ("--run", made.run, "--fusion", fusion),
    }
    if what == "without weights":
        words[what] = ("--run", _stub_run(tmp_path / "begun", (made.run / "recipe.toml").read_text()))
    elif what == "detector without weights":
        words[what] = ("--run", _stub_run(tmp_path / "begun", "", ("tree.json",)))
    elif what == "two trees":
        words[what] = ("--run", made.run, "--run", _other_tree(made, tmp_path / "other"))
    status = fidget("--poses", made.poses, *words[what], "-o", tmp_path / "o", "--device", "cpu")
    said = capsys.readouterr().err
    assert status == 1 and told in said and len(said.strip().splitlines()) == 1


def test_a_file_that_is_no_video_is_named_and_the_rest_is_done(made, tmp_path, fidget, capsys) -> None:
    broken = tmp_path / "words.mp4"
    broken.write_text("these are words, not a video")
    assert fidget(broken, "--run", made.run, "-o", tmp_path / "o", *SHORT) == 1
    said = capsys.readouterr().err
    assert "words.mp4" in said and "Traceback" not in said


def test_two_streams_are_fused_into_one_result(made, tmp_path, fidget, capsys) -> None:
    import shutil

    for stream in ("bone", "joint"):
        shutil.copytree(made.run, tmp_path / "both" / stream)
    words = ("--poses", made.poses, "-o", tmp_path / "o", "--no-overlay", made.video, *SHORT)
    assert fidget(*words, "--run", tmp_path / "both") == 0
    result = from_json(json.loads((tmp_path / "o" / "talk.json").read_text()))
    assert result.calibrated and result.method.count("tiny: stgcnpp") == 2
    alone = ("--poses", made.poses, "-o", tmp_path / "a", "--no-overlay", made.video, *SHORT)
    assert fidget(*alone, "--run", made.run) == 0
    one = from_json(json.loads((tmp_path / "a" / "talk.json").read_text()))
    for person, other in zip(result.persons, one.persons, strict=True):  # the same twice is the same
        np.testing.assert_allclose(person.curves.probability, other.curves.probability, atol=1e-4)
