"""Wrong input of the emotion commands: one line that names the file, what was expected and what came."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import numpy as np
import pytest
from tests.fidget.fidget_samples import clip_of, row_of, write_cache

from fidget.cli.main import main
from fidget.emotion.simulated import simulate_emotions
from poses.cache_schema import SourceStamp
from poses.encoding import failed_row
from protocols.detections import read_detections, write_detections
from protocols.scores import read_scores, write_scores

HEAD = "clip_id,emotion,micro_actions\n"
MMA82 = ("--set", "mma82", "--tree", "mma82")


@pytest.fixture(scope="module")
def at(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A directory of good files and of wrong ones."""
    place = tmp_path_factory.mktemp("wrong")
    simulate_emotions(place, 42, 0)
    faces, actions = read_scores(place / "faces.parquet"), read_scores(place / "actions.parquet")
    others = tuple(f"other/{name}" for name in faces.clip_ids)
    write_scores(place / "faces_of_others.parquet", dataclasses.replace(faces, clip_ids=others))
    write_scores(place / "actions_of_others.parquet", dataclasses.replace(actions, clip_ids=others))
    some = {"clip_ids": faces.clip_ids[:40], "labels": faces.labels[:40], "scores": faces.scores[:40]}
    write_scores(place / "faces_of_some.parquet", dataclasses.replace(faces, **some))
    events = read_detections(place / "events.parquet")
    names = tuple(f"other/{name}" for name in events.video_ids)
    write_detections(place / "events_of_others.parquet", dataclasses.replace(events, video_ids=names))
    (place / "picture.parquet").write_bytes(b"\x89PNG, and no table")
    one = clip_of("one", frames=30)
    seen_nobody = dataclasses.replace(
        one, clip_id="nobody", xy_px=one.xy_px[:0], score=one.score[:0], box_px=one.box_px[:0],
        track_ids=one.track_ids[:0],
    )  # fmt: skip
    write_cache(place / "body17", [row_of(one)])
    whole = clip_of("one", frames=30, persons=2, layout="coco_wholebody133")
    several = dataclasses.replace(whole, clip_id="several")
    faceless = dataclasses.replace(
        several, clip_id="faceless", xy_px=whole.xy_px[:1].copy(), score=whole.score[:1].copy(),
        box_px=whole.box_px[:1], track_ids=whole.track_ids[:1],
    )  # fmt: skip
    faceless.xy_px[:, :, 23:91], faceless.score[:, :, 23:91] = np.nan, 0
    empty = dataclasses.replace(
        seen_nobody, layout=whole.layout, xy_px=whole.xy_px[:0], score=whole.score[:0],
        box_px=whole.box_px[:0], time_s=whole.time_s, track_ids=whole.track_ids[:0],
    )  # fmt: skip
    broken = failed_row("broken", SourceStamp("/nowhere/broken.mp4", 1, 1), "it does not decode")
    rows = [row_of(several), row_of(faceless), row_of(empty), broken]
    write_cache(place / "whole133", rows, "coco_wholebody133")
    clips = ("several", "faceless", "nobody", "broken", "unheard")
    text = "".join(f"{name},{('happy', 'sad')[n % 2]},Nodding\n" for n, name in enumerate(clips))
    (place / "people.csv").write_text(HEAD + text, encoding="utf-8")
    return place


TABLES = [
    ("", "expected a first line with column names, got an empty file"),
    (HEAD, "no rows below the head"),
    ("clip,feeling\na,happy\n", "missing clip_id, emotion, micro_actions; got 'clip', 'feeling'"),
    (HEAD + "a,glee,Nodding\nb,happy,Nodding\n", "line 2, clip 'a': 'glee' is no emotion of mma82"),
    (HEAD + "a,neutral,Nodding\nb,happy,Nodding\n", "'neutral' is no emotion of mma82"),
    (
        HEAD + "a,happy,Noding\nb,sad,Nodding\n",
        "'Noding' is no micro-action of mma82; did you mean 'Nodding'",
    ),
    (HEAD + "a,,Nodding\nb,happy,Nodding\n", "line 2, clip 'a': empty emotion"),
    (HEAD + "a,happy,\nb,sad,Nodding\n", "empty micro_actions; write none where a clip has no micro-action"),
    (HEAD + " ,happy,Nodding\nb,sad,Nodding\n", "line 2, clip '': empty clip_id"),
    (HEAD + "a,happy,Nodding\na,sad,Nodding\n", "line 3, clip 'a': emotion 'sad', but 'happy' in line 2"),
]


@pytest.mark.parametrize(("text", "told"), TABLES)
@pytest.mark.parametrize("verb", ["associate", "train"])
def test_tables(verb: str, text: str, told: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    table = tmp_path / "t.csv"
    table.write_text(text, encoding="utf-8")
    more = ("--labels", "-o", str(tmp_path / "run")) if verb == "train" else ("-o", str(tmp_path / "r.html"))
    assert main(["emotion", verb, str(table), *MMA82, *more]) == 1
    said = capsys.readouterr().err
    assert told in said and str(table) in said and said.count("\n") == 1
    assert list(tmp_path.iterdir()) == [table]  # nothing is left behind


def test_a_table_in_which_nothing_happens(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    table = tmp_path / "t.csv"
    table.write_text(HEAD + "a,happy,none\nb,sad,none\n", encoding="utf-8")
    assert main(["emotion", "associate", str(table), *MMA82]) == 1
    assert f"{table}: mma82: no clip has a micro-action" in capsys.readouterr().err
    assert main(["emotion", "train", str(table), *MMA82, "--labels", "-o", str(tmp_path / "run")]) == 1
    assert f"{table}: expected 2 folds up to the clips of the rarest" in capsys.readouterr().err


def test_everything_wrong_is_told_at_once(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    table = tmp_path / "t.csv"
    table.write_text(HEAD + "a,glee,Nodding\nb,happy,Noding\nc,,Nodding\nd,sad,\n", encoding="utf-8")
    assert main(["emotion", "associate", str(table), *MMA82]) == 1
    said = capsys.readouterr().err
    assert all(f"line {line}, clip" in said for line in (2, 3, 4, 5))


FILES = [
    (("--face", "faces_of_others.parquet"), "42 of 42 clips of the table are missing, 'simulated_00000'"),
    (("--face", "faces_of_some.parquet"), "2 of 42 clips of the table are missing, 'simulated_00040'"),
    (
        ("--face", "faces.parquet", "--actions", "actions_of_others.parquet"),
        "42 of 42 clips of the table are",
    ),
    (
        ("--face", "faces.parquet", "--events", "events_of_others.parquet"),
        "none of the 42 clips is among the",
    ),
    (("--face", "actions.parquet"), "expected emotions as labels, got micro-actions of the table, such as"),
    (("--actions", "faces.parquet"), "expected labels that are micro-actions of mma82, such as 'Swing body'"),
    (("--events", "actions.parquet"), "no detection file: expected the columns video_id"),
    (("--actions", "events.parquet"), "no score file"),
    (("--face", "picture.parquet"), "no score file: "),
    (("--events", "picture.parquet"), "no detection file: "),
    (("--face", "body17"), "the layout coco17 has no 68 face points; take poses of coco_wholebody133"),
    (("--face", "whole133"), "no clip of the table has one person with a face: no poses: 'simulated_00000'"),
]


@pytest.mark.parametrize(("words", "told"), FILES, ids=[" ".join(words) for words, _ in FILES])
def test_files_that_do_not_fit(at: Path, words, told, tmp_path, capsys) -> None:
    given = [str(at / word) if not word.startswith("--") else word for word in words]
    line = ["emotion", "train", str(at / "table.csv"), *MMA82, *given, "-o", str(tmp_path / "run")]
    assert main(line) == 1
    said = capsys.readouterr().err
    assert told in said and given[-1] in said and said.count("\n") == 1
    assert not (tmp_path / "run").exists()


def test_people_who_are_not_there_are_told_apart(at: Path, tmp_path, capsys) -> None:
    line = ["emotion", "train", str(at / "people.csv"), *MMA82, "--face", str(at / "whole133")]
    assert main([*line, "-o", str(tmp_path / "run")]) == 1
    said = capsys.readouterr().err
    for told in ("several people", "no face: 'faceless'", "'nobody'", "'broken'", "'unheard'"):
        assert told in said, said
    assert said.count("\n") == 1


@pytest.mark.parametrize(
    ("words", "status", "told"),
    [
        (
            ("evaluate", "nowhere"),
            1,
            "expected a score file or a run of fidget emotion train, there is nothing",
        ),
        (("evaluate", "."), 1, "as fidget emotion train writes them"),
        (("evaluate", "faces.parquet"), 1, "42 of 42 clips have no label"),
        (("evaluate", "table.csv"), 1, "no score file"),
        (("evaluate", "faces.parquet", "-o", "page.txt"), 2, "expected a name that ends in .html"),
        (("associate", "table.csv", "-o", "page.pdf"), 2, "expected a name that ends in .html"),
        (("associate", "table.csv", "--tree", "mma8"), 2, "did you mean 'mma82'"),
        (("associate", "nowhere.csv"), 1, "No such file"),
        (("train", "table.csv", "-o", "run"), 2, "nothing to learn from"),
        (("train", "table.csv", "--face", "nowhere", "-o", "run"), 2, "there is nothing"),
        (("simulate", "-o", "table.csv"), 2, "expected a directory, there is a file"),
        (("simulate", "-o", "x", "--labels", "table.csv"), 1, "missing: class_name"),
    ],
)
def test_commands(at: Path, words, status, told, monkeypatch, capsys) -> None:
    monkeypatch.chdir(at)
    assert main(["emotion", *words]) == status
    said = capsys.readouterr().err
    assert told in said and said.count("\n") == 1
