from __future__ import annotations

import json

import numpy as np
import pytest
from tests.poses.cache_samples import METADATA, make_row

from fidget.cli.benchmark_audit import add_parser
from fidget.cli.main import OneLineParser
from fidget.cli.usage import UsageError
from poses.cache_writer import CacheWriter


def audit(*words):
    parser = OneLineParser(prog="fidget benchmark")
    add_parser(parser.add_subparsers(required=True))
    args = parser.parse_args(["audit", *map(str, words)])
    return args.run(args)


@pytest.fixture
def labels(tmp_path):
    path = tmp_path / "mine.csv"
    rows = [
        f"c{n},{n % 2},{'train' if n < 12 else 'test'},{'nod' if n % 2 == 0 else 'tap'},s{n % 3}"
        for n in range(24)
    ]
    path.write_text("\n".join(["clip_id,label,split,class_name,subject", *rows]))
    return path


@pytest.fixture
def poses(tmp_path):
    with CacheWriter(tmp_path / "poses", METADATA) as writer:
        for n in range(23):
            writer.add(make_row(f"c{n}", np.random.default_rng(n), frames=3))
    return tmp_path / "poses"


def test_counts_and_notes_as_text(labels, capsys):
    assert audit(labels) == 0
    lines = [" ".join(line.split()) for line in capsys.readouterr().out.splitlines()]
    assert lines[0] == "mine: 24 clips, 2 classes; as listed in mine.csv"
    assert "clips train test all" in lines and "0 nod 6 6 12" in lines and "s1 4 4 8" in lines
    assert any(line.startswith("note: train and test share all 3 subjects") for line in lines)
    assert lines[-1] == "no problem, 1 note"


def test_problems_end_with_1_and_are_named(labels, poses, capsys):
    assert audit(labels, "--poses", poses) == 1
    out = capsys.readouterr().out
    assert "problem: 1 clip of 24 without poses" in out and "    c23\n" in out
    assert out.splitlines()[-1] == "1 problem, 1 note"


def test_json_has_every_subject(labels, poses, capsys):
    assert audit(labels, "--poses", poses, "--json") == 1
    found = json.loads(capsys.readouterr().out)
    assert found["subjects"]["s0"] == {"train": 4, "test": 4} and found["problems"] == 1
    assert {one["check"] for one in found["findings"]} == {"without_poses", "shared_subjects"}


def test_a_users_own_columns(tmp_path, capsys):
    path = tmp_path / "rec.json"
    path.write_text(json.dumps([{"video": "a", "action": "Swing body", "scene": "lab", "sim": True}]))
    columns = "clip=video,label=action,domain=scene,simulated=sim"
    assert audit(f"mma82:{path}", "--columns", columns) == 0
    out = capsys.readouterr().out
    assert out.startswith("mma82 (simulated): 1 clip, 82 classes")
    assert "laboratory, clips: 1 here, 27,509 published" in out
    path.write_text(json.dumps([{"video": "a", "action": 1, "from": 0, "to": 3}]))
    columns = ("clip=video,label=action", "start=from,end=to")
    assert audit(f"mma82_detection:{path}", "--columns", columns[0], "--columns", columns[1]) == 0
    assert capsys.readouterr().out.startswith("mma82-det: 1 video, 1 instance, 82 classes")
    assert audit(path, "--columns", ",".join(columns)) == 0  # known by its columns of times


def test_names_do_not_steer_the_terminal(tmp_path, capsys):
    path = tmp_path / "mine.csv"
    path.write_text("clip_id,label,split,subject\n\x1b[31mred,nod\u202e,train,\x07s\n", encoding="utf-8")
    assert audit(path) == 0
    out = capsys.readouterr().out
    assert "\\x1b[31mred" in out and "nod\\u202e" in out
    assert all(one.isprintable() or one == "\n" for one in out)


def test_detection_files_are_known_by_what_they_hold(tmp_path, capsys):
    (tmp_path / "val.csv").write_text(
        "id,video_id,start_frame,end_frame,class,total_frames\n0,a_L,0,30,1,60\n"
    )
    assert audit(tmp_path) == 0
    assert "val.csv states no frame rate, 30 was taken" in capsys.readouterr().out
    assert audit(tmp_path / "val.csv", "--fps", "29") == 0
    assert "29 was taken" in capsys.readouterr().out
    path = tmp_path / "anno.json"
    database = {
        "v": {"subset": "training", "duration": 3, "annotations": [{"segment": [1, 4], "label": "nod"}]}
    }
    path.write_text(json.dumps({"database": database}))
    assert audit(path) == 1
    assert "1 instance outside their video" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (["nothing.csv"], "no data set 'nothing.csv', and no such file"),
        (["ma52"], "ma52 is read from files"),
        (["nw_ucla"], "add --poses DIR"),
        (["{labels}", "--poses", "none"], "--poses none: expected a pose cache"),
        (["{labels}", "--columns", "clp=a"], "--columns: no column means 'clp'"),
        (["{labels}", "--fps", "0"], "--fps: expected a rate above 0"),
        (["mma52:none"], "there is no such file"),
    ],
)
def test_wrong_usage(labels, words, told):
    with pytest.raises(UsageError, match=told):
        audit(*(word.format(labels=labels) for word in words))


def test_an_unreadable_file_is_a_failure(labels):
    labels.write_text("clip_id,label\na,0\na,1\n")
    with pytest.raises(ValueError, match="line 3: clip 'a' is in line 2 already") as caught:
        audit(labels)
    assert not isinstance(caught.value, UsageError)


@pytest.mark.shared
def test_the_real_lists(shared_dir, capsys):
    annotations = shared_dir / "data" / "annotations"
    assert audit(annotations / "ma52") == 0
    assert "train and val share all 186 subjects" in capsys.readouterr().out
    assert audit(annotations / "mma52" / "old_release") == 1
    assert "43 names are shared by videos that differ only in case" in capsys.readouterr().out
