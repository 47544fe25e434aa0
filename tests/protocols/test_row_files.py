from __future__ import annotations

import json
from contextlib import suppress

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from protocols.activitynet import read_activitynet
from protocols.column_map import ColumnMap, meanings, parse_columns
from protocols.labels_table import read_labels_table
from protocols.mma52_detection import read_mma52
from protocols.row_files import read_rows

COLUMNS = {"clip": ("a", "b"), "label": ("3", ""), "seconds": ("1.5", "2"), "made up": ("true", "")}


def test_one_table_in_every_form(tmp_path):
    (tmp_path / "t.csv").write_bytes(b"\xef\xbb\xbfclip,label,seconds,made up\r\na,3,1.5,true\r\n\r\nb,,2,")
    (tmp_path / "t.tsv").write_text("clip\tlabel\tseconds\tmade up\na\t3\t1.5\ttrue\nb\t\t2\t\n")
    objects = [
        {"clip": "a", "label": 3, "seconds": 1.5, "made up": True},
        {"clip": "b", "label": None, "seconds": 2.0},
    ]
    (tmp_path / "t.json").write_text(json.dumps(objects))
    (tmp_path / "t.jsonl").write_text("\n".join(map(json.dumps, objects)) + "\n\n")
    pq.write_table(pa.Table.from_pylist(objects), tmp_path / "t.parquet")
    for path in sorted(tmp_path.iterdir()):
        assert dict(read_rows(path).columns) == COLUMNS, path.name
    assert read_rows(tmp_path / "t.csv").where(1) == "line 4"
    assert read_rows(tmp_path / "t.json").where(1) == "row 2"
    (tmp_path / "t.json").write_text(json.dumps({"clip": ["a", "b"], "label": [3, None]}))
    assert read_rows(tmp_path / "t.json").columns["label"] == ("3", "")
    (tmp_path / "t.json").write_text(json.dumps({"a": {"label": 3}, "b": {"label": 4}}))
    assert dict(read_rows(tmp_path / "t.json").columns) == {"(key)": ("a", "b"), "label": ("3", "4")}


@pytest.mark.parametrize(
    ("name", "content", "words"),
    [
        ("t.csv", "", "empty file"),
        ("t.csv", "a,b,a\n1,2,3\n", "columns are there twice: a"),
        ("t.csv", "a,b\n1\n1,2,3\n", r"line 2: expected 2 values as in the head, got 1; line 3: .* got 3"),
        ("t.csv", 'a,b\n"' + "x" * 140_000 + '",2\n', "line 2: no CSV: field larger"),
        ("t.json", "[1, 2]", "row 1: expected an object, got int"),
        ("t.json", "{", "no JSON"),
        ("t.json", "[" * 100_000, "no JSON"),
        ("t.json", "3", "expected a list of objects.*got int"),
        ("t.json", '{"a": {"l": 1}, "a": {"l": 2}}', "keys are there twice: 'a'"),
        ("t.json", '{"a": [1], "b": [1, 2]}', "columns of one length"),
        ("t.parquet", "PAR1", "no Parquet file"),
        ("t.xlsx", "", "expected a table ending in .csv"),
    ],
)
def test_what_is_no_table(tmp_path, name, content, words):
    (tmp_path / name).write_text(content)
    with pytest.raises(ValueError, match=words) as caught:
        read_rows(tmp_path / name)
    assert name in str(caught.value)


def test_names_that_are_no_utf8_are_written_as_in_a_cache(tmp_path):
    (tmp_path / "t.csv").write_bytes("clip,label\nM\xfcller,3\n".encode("latin-1"))
    assert read_rows(tmp_path / "t.csv").columns["clip"] == ("M\\xfcller",)


def test_columns_by_what_they_mean():
    columns = parse_columns("clip=video name, label = action,")
    assert (columns.clip, columns.label, columns.split) == ("video name", "action", "split")
    assert columns.given == {"clip", "label"}
    assert parse_columns("split=part", columns).clip == "video name"
    assert parse_columns("") == ColumnMap()


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("clp=a", "no column means 'clp': did you mean 'clip'"),
        ("given=a", "no column means 'given'"),
        ("clip", "expected what=COLUMN"),
        ("clip=", "expected what=COLUMN"),
        ("clip=a,clip=b", "'clip' is named twice: 'a' and 'b'"),
    ],
)
def test_column_maps_that_cannot_be_meant(text, words):
    with pytest.raises(ValueError, match=words):
        parse_columns(text)


name = st.text(st.characters(exclude_characters=",=", exclude_categories=("Z", "C")), min_size=1)


@given(st.dictionaries(st.sampled_from(meanings()), name))
def test_every_map_is_read_as_written(named):
    columns = parse_columns(",".join(f"{what}={column}" for what, column in named.items()))
    assert {what: getattr(columns, what) for what in named} == named
    assert columns.given == set(named)


values = st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=4)
nested = st.recursive(
    values,
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(
                ["database", "subset", "duration", "annotations", "segment", "label", "a", "fps", "frame"]
            ),
            inner,
            max_size=4,
        )
    ),
    max_leaves=12,
)


@settings(max_examples=80, deadline=None)
@given(nested)
def test_any_json_is_read_or_refused(tmp_path_factory, content):
    path = tmp_path_factory.mktemp("fuzz") / "t.json"
    path.write_text(json.dumps(content))
    columns = parse_columns("clip=a")
    for read in (read_rows, lambda path: read_labels_table(path, columns), read_activitynet):
        with suppress(ValueError):
            read(path)


@settings(max_examples=80, deadline=None)
@given(st.lists(st.text('ab01,"\r\n\x00é-.', max_size=12), max_size=5), st.binary(max_size=6))
def test_any_csv_is_read_or_refused(tmp_path_factory, lines, tail):
    path = tmp_path_factory.mktemp("fuzz") / "train.csv"
    heads = ("clip_id,label,duration_s", "id,video_id,start_frame,end_frame,class,total_frames,fps")
    for head in heads:
        path.write_bytes("\n".join([head, *lines]).encode() + tail)
        for read in (read_rows, read_labels_table, read_mma52):
            with suppress(ValueError):
                read(path)
