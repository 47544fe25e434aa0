from __future__ import annotations

import csv
import json

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from protocols.catalogue import find_protocol
from protocols.column_map import ColumnMap, parse_columns
from protocols.mma82 import domain_named, published_sizes, read_mma82, read_mma82_detection, size_differences
from protocols.scores import NO_LABEL
from protocols.trees import class_counts, tree

ACTIONS = tree("mma82").actions
COLUMNS = parse_columns("clip=video,label=action,domain=scene,subject=who,split=part,duration=len")
ROWS = [
    {"video": "lab/a", "action": ACTIONS[3], "scene": "Lab", "who": "p1", "part": "train", "len": 2.5},
    {
        "video": "lab/b",
        "action": ACTIONS[81].upper(),
        "scene": "laboratory",
        "who": "p1",
        "part": "val",
        "len": 1,
    },
    {"video": "st/名", "action": "0", "scene": "street", "who": "p2", "part": "Training", "len": 3.25},
    {"video": "tv/d", "action": ACTIONS[5], "scene": "TV", "who": None, "part": "test", "len": None},
]


def write_csv(path, rows):
    with path.open("w", newline="", encoding="utf-8") as file:
        writer = csv.DictWriter(file, list(rows[0]))
        writer.writeheader()
        writer.writerows(rows)
    return path


@pytest.fixture(params=["csv", "json", "parquet"])
def rec(request, tmp_path):
    path = tmp_path / f"rec.{request.param}"
    if request.param == "csv":
        return write_csv(path, ROWS)
    if request.param == "json":
        path.write_text(json.dumps(ROWS, ensure_ascii=False), encoding="utf-8")
    else:
        pq.write_table(pa.Table.from_pylist(ROWS), path)
    return path


def test_any_layout_behind_a_column_map(rec):
    table = read_mma82(rec, COLUMNS)
    assert table.clip_ids == ("lab/a", "lab/b", "st/名", "tv/d")
    assert table.labels.tolist() == [3, 81, 0, 5]
    assert table.splits == ("train", "val", "train", "test")
    assert table.domains == ("laboratory", "laboratory", "street", "emotion")
    assert table.subjects == ("p1", "p1", "p2", "")
    np.testing.assert_array_equal(table.duration_s, [2.5, 1, 3.25, np.nan])
    assert table.tree == tree("mma82") and table.name == "mma82" and not table.simulated


def test_columns_that_are_not_there_are_named(rec):
    with pytest.raises(
        ValueError, match=r"clip in 'clip_id', label in 'label'.*'video', 'action'.*--columns clip=NAME"
    ):
        read_mma82(rec)
    wrong = parse_columns("clip=video,label=action,domain=scenes")
    with pytest.raises(ValueError, match=r"domain in 'scenes' \(did you mean 'scene'\?\)"):
        read_mma82(rec, wrong)


def test_the_labels_csv_of_fidget_needs_no_map(tmp_path):
    path = tmp_path / "labels.csv"
    path.write_text(
        "clip_id,label,split,class_name,group_name,domain,subject,duration_s,simulated\n"
        f"a,4,train,{ACTIONS[4]},Body,street,s1,1.5,true\n"
    )
    table = read_mma82(path)
    assert table.simulated and table.domains == ("street",) and table.duration_s.tolist() == [1.5]
    path.write_text(f"clip_id,label,class_name\na,4,{ACTIONS[5]}\n")
    with pytest.raises(ValueError, match=r"line 2: class 4 of mma82 is .*another order of classes\?"):
        read_mma82(path)
    assert read_mma82(path, parse_columns("label=class_name")).labels.tolist() == [5]
    assert not read_mma82(path, parse_columns("label=class_name")).simulated
    assert read_mma82(path, parse_columns("label=class_name"), simulated=True).simulated


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"action": "82"}, r"line 3: expected a class index 0..81 of mma82 \(counted from 0\), got 82"),
        ({"action": "Swing bodi"}, "line 3: mma82 has no class 'Swing bodi', did you mean 'Swing body'"),
        ({"action": "-1"}, "line 3: mma82 has no class '-1'"),
        ({"scene": "steet"}, "line 3: MMA-82 has no domain 'steet': did you mean 'street'"),
        ({"part": "holdout"}, "line 3: expected the split train, val or test, got 'holdout'"),
        ({"len": "long"}, "line 3: expected a duration in seconds, got 'long'"),
        ({"video": "lab/a"}, "line 3: clip 'lab/a' is in line 2 already"),
        ({"video": ""}, "line 3: expected a clip, got nothing"),
    ],
)
def test_a_bad_row_is_named(tmp_path, change, words):
    path = write_csv(tmp_path / "rec.csv", [ROWS[0], {**ROWS[1], **change}])
    with pytest.raises(ValueError, match=words):
        read_mma82(path, COLUMNS)


def test_a_directory_of_one_file_a_split(tmp_path):
    for split, row in (("train", ROWS[0]), ("validation", ROWS[1])):
        write_csv(tmp_path / f"{split}.csv", [{k: v for k, v in row.items() if k != "part"}])
    columns = parse_columns("clip=video,label=action,domain=scene")
    assert read_mma82(tmp_path, columns).splits == ("train", "val")
    (tmp_path / "val.json").write_text("[]")
    with pytest.raises(ValueError, match=r"val.json and validation.csv are both val|are both val"):
        read_mma82(tmp_path, columns)
    with pytest.raises(ValueError, match="expected files named train, val and test"):
        read_mma82(tmp_path / "..", columns)


def test_labels_that_are_kept_back(tmp_path):
    rows = [
        ROWS[0],
        *({**ROWS[3], "video": f"tv/{n}", "action": "0"} for n in range(3)),
        {**ROWS[1], "action": ""},
    ]
    table = read_mma82(write_csv(tmp_path / "rec.csv", rows), COLUMNS)
    assert table.labels.tolist() == [3, NO_LABEL, NO_LABEL, NO_LABEL, NO_LABEL]
    assert "placeholders" in table.note


@pytest.mark.parametrize(
    ("text", "name"),
    [("lab", "laboratory"), ("Psychiatric domain", "psychiatric"), ("television", "emotion"), ("", "")],
)
def test_names_of_domains(text, name):
    assert domain_named(text) == name


def published_table(tmp_path, missing=0):
    """A table with exactly the published sizes; classes in the published numbers."""
    labels = np.repeat(np.arange(82), class_counts("mma82"))
    sizes = published_sizes()
    rows, at = [], 0
    for domain in ("laboratory", "psychiatric", "street", "emotion"):
        people = int(sizes[domain, "subjects"])
        for split in ("train", "val", "test"):
            for _ in range(int(sizes[domain, split])):
                rows.append(f"c{at},{labels[at]},{split},{domain},{domain}{at % people}")
                at += 1
    path = tmp_path / "rec.csv"
    path.write_text("\n".join(["clip_id,label,split,domain,subject", *rows[missing:]]))
    return read_mma82(path)


def test_published_sizes_are_compared(tmp_path):
    assert size_differences(published_table(tmp_path)) == ()
    found = {str(one) for one in size_differences(published_table(tmp_path, missing=2))}
    assert "laboratory, train clips: 15,818 here, 15,820 published (-2)" in found
    assert "all, clips: 39,814 here, 39,816 published (-2)" in found
    assert f"class {ACTIONS[0]!r}, clips: 338 here, 340 published (-2)" in found
    assert len(found) == 5


def test_one_domain_as_a_protocol(tmp_path):
    rows = [ROWS[0], ROWS[1], ROWS[2]]
    columns = {
        "video": "clip_id",
        "action": "label",
        "scene": "domain",
        "who": "subject",
        "part": "split",
        "len": "duration_s",
    }
    path = write_csv(tmp_path / "rec.csv", [{columns[k]: v for k, v in row.items()} for row in rows])
    ids = ["lab/a", "lab/b", "st/名"]
    assert len(find_protocol(f"mma82:{path}", ids).splits["train"].clip_ids) == 2
    street = find_protocol(f"mma82_street:{path}", ids)
    assert street.name == "mma82_street" and street.splits["train"].clip_ids == ("st/名",)
    with pytest.raises(ValueError, match="no clip is of the domain emotion; got laboratory, street"):
        find_protocol(f"mma82_emotion:{path}", ids)
    with pytest.raises(ValueError, match="did you mean 'mma82_street'"):
        find_protocol(f"mma82_stret:{path}", ids)


def test_the_detection_part(tmp_path):
    rows = [
        {"v": "a", "act": ACTIONS[2], "from": 0.5, "to": 2.0, "scene": "street", "part": "train", "len": 9.0},
        {"v": "a", "act": "7", "from": 1.0, "to": 3.0, "scene": "street", "part": "train", "len": 9.0},
        {"v": "b", "act": "", "from": "", "to": "", "scene": "lab", "part": "test", "len": 4.0},
    ]
    path = write_csv(tmp_path / "det.csv", rows)
    columns = parse_columns("clip=v,label=act,start=from,end=to,domain=scene,split=part,duration=len")
    table = read_mma82_detection(path, columns)
    assert table.video_ids == ("a", "b") and table.duration_s.tolist() == [9.0, 4.0]
    assert [(one.t_start_s, one.t_end_s, one.label) for one in table.instances] == [
        (0.5, 2.0, 2),
        (1.0, 3.0, 7),
    ]
    assert table.domains == ("street", "laboratory") and table.withheld == ("test",)
    write_csv(path, [rows[0], {**rows[1], "len": 8.0}])
    with pytest.raises(ValueError, match=r"line 3: video 'a' has duration_s 8.0 here, 9.0 in an earlier row"):
        read_mma82_detection(path, columns)
    with pytest.raises(ValueError, match=r"start in 't_start_s', end in 't_end_s'"):
        read_mma82_detection(path, parse_columns("clip=v,label=act"))


def test_the_detection_part_as_json(tmp_path):
    video = {"subset": "training", "duration": 9, "domain": "TV", "annotations": [{"segment": [1, 2]}]}
    video["annotations"][0]["label"] = ACTIONS[7].lower()
    (tmp_path / "det.json").write_text(json.dumps({"database": {"v": video}}))
    table = read_mma82_detection(tmp_path / "det.json")
    assert (table.name, table.tree, table.domains) == ("mma82-det", tree("mma82"), ("emotion",))
    assert table.instances[0].label == 7
    video["domain"] = "moon"
    (tmp_path / "det.json").write_text(json.dumps({"database": {"v": video}}))
    with pytest.raises(ValueError, match=r"det.json: .*no domain 'moon'"):
        read_mma82_detection(tmp_path / "det.json")


def test_detection_in_frames(tmp_path):
    path = tmp_path / "det.csv"
    path.write_text("clip_id,label,start_frame,end_frame,total_frames,fps\na,7,29,58,290,29\nb,8,30,45,,30\n")
    table = read_mma82_detection(path, ColumnMap())
    assert [(one.t_start_s, one.t_end_s) for one in table.instances] == [(1.0, 2.0), (1.0, 1.5)]
    np.testing.assert_array_equal(table.duration_s, [10.0, np.nan])
    path.write_text("clip_id,label,start_frame,end_frame,total_frames,fps\na,7,29,58,290,\n")
    with pytest.raises(ValueError, match=r"line 2: expected a frame rate .*, got ''"):
        read_mma82_detection(path, ColumnMap())
