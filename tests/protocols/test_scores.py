from __future__ import annotations

import dataclasses
import json

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from score_samples import TREE, make_scores

from protocols.score_fusion import fuse
from protocols.scores import NO_LABEL, ScoreFile, aligned, expect_labels, read_scores, write_scores


@pytest.fixture
def scores():
    return make_scores(np.random.default_rng(0))


def shuffled(scores, rng, **changes):
    order = rng.permutation(len(scores))
    return dataclasses.replace(
        scores,
        clip_ids=tuple(scores.clip_ids[row] for row in order),
        labels=scores.labels[order],
        scores=scores.scores[order],
        **changes,
    )


def with_scores(scores, values):
    return dataclasses.replace(scores, scores=np.asarray(values, np.float32))


def test_a_file_comes_back(tmp_path, scores):
    labels = scores.labels.copy()
    labels[3] = NO_LABEL
    scores = dataclasses.replace(scores, labels=labels)
    write_scores(tmp_path / "sub" / "test.parquet", scores)
    back = read_scores(tmp_path / "sub" / "test.parquet")
    for field in dataclasses.fields(ScoreFile):
        before, after = getattr(scores, field.name), getattr(back, field.name)
        assert np.array_equal(before, after) if isinstance(before, np.ndarray) else before == after
    assert [path.name for path in (tmp_path / "sub").iterdir()] == ["test.parquet"]
    table = pq.read_table(tmp_path / "sub" / "test.parquet")  # a reader that does not know us
    assert table["label"].null_count == 1
    assert table.schema.types == [pa.string(), pa.int32(), pa.list_(pa.float32())]
    assert json.loads(table.schema.metadata[b"fidget"])["groups"] == ["head", "limb"]


def test_a_file_without_clips(tmp_path):
    empty = ScoreFile(TREE, (), np.empty(0, np.int64), np.empty((0, 5), np.float32))
    write_scores(tmp_path / "x.parquet", empty)
    assert len(read_scores(tmp_path / "x.parquet")) == 0
    with pytest.raises(ValueError, match="no clips"):
        expect_labels(empty)


def test_a_file_that_names_no_actions_is_read(tmp_path):
    table = pa.table({"clip_id": ["a", "b"], "label": [1, None], "scores": [[0.5, 0.5], [1.0, 0.0]]})
    pq.write_table(table.replace_schema_metadata({"fidget": '{"tree": "x"}'}), tmp_path / "x.parquet")
    back = read_scores(tmp_path / "x.parquet")
    assert back.tree.actions == ("class 0", "class 1")
    assert back.labels.tolist() == [1, NO_LABEL]


@pytest.mark.parametrize(
    ("columns", "metadata", "words"),
    [
        ({"clip_id": ["a"], "label": [0]}, '{"tree": "x"}', "scores"),
        ({"clip_id": ["a"], "label": [0], "scores": [[1.0]]}, None, "metadata"),
        ({"clip_id": ["a"], "label": [0], "scores": [[1.0]]}, "no json", "no score file"),
        ({"clip_id": ["a"], "label": [0], "scores": [[1.0]]}, "[]", "no score file"),
        ({"clip_id": ["a"], "label": [5], "scores": [[1.0]]}, '{"tree": "x"}', "got \\[5\\]"),
        ({"clip_id": ["a", "a"], "label": [0, 0], "scores": [[1.0]] * 2}, '{"tree": "x"}', "twice"),
        ({"clip_id": ["a", "b"], "label": [0, 0], "scores": [[1.0], []]}, '{"tree": "x"}', "as many"),
        ({"clip_id": ["a"], "label": [0], "scores": [[None]]}, '{"tree": "x"}', "nulls"),
        ({"clip_id": ["a"], "label": [0], "scores": [None]}, '{"tree": "x"}', "null"),
        ({"clip_id": [None], "label": [0], "scores": [[1.0]]}, '{"tree": "x"}', "null"),
        ({"clip_id": ["a"], "label": [0], "scores": [[2.0, 3.0]]}, '{"tree": "x"}', "softmax"),
        ({"clip_id": ["a"], "label": [0], "scores": [[float("nan"), 1.0]]}, '{"tree": "x"}', "softmax"),
        ({"clip_id": ["a"], "label": [0], "scores": [[-0.5, 1.5]]}, '{"tree": "x"}', "softmax"),
    ],
)  # fmt: skip
def test_what_is_no_score_file_is_refused_by_name(tmp_path, columns, metadata, words):
    table = pa.table(columns)
    table = table.replace_schema_metadata({"fidget": metadata} if metadata else None)
    pq.write_table(table, tmp_path / "bad.parquet")
    with pytest.raises(ValueError, match=words) as caught:
        read_scores(tmp_path / "bad.parquet")
    assert "bad.parquet" in str(caught.value)


def test_no_parquet_and_no_file(tmp_path):
    (tmp_path / "x.parquet").write_bytes(b"PAR1 no")
    with pytest.raises(ValueError, match="no score file"):
        read_scores(tmp_path / "x.parquet")
    with pytest.raises(FileNotFoundError):
        read_scores(tmp_path / "absent.parquet")


def test_shapes_are_checked(scores):
    with pytest.raises(ValueError, match="labels must be int64"):
        dataclasses.replace(scores, labels=scores.labels[:-1])
    with pytest.raises(ValueError, match=r"float32 \(12, 5\)"):
        dataclasses.replace(scores, scores=scores.scores[:, :4])


def test_placeholder_labels_are_refused(scores):
    zeros = dataclasses.replace(scores, labels=np.zeros(len(scores), np.int64))
    with pytest.raises(ValueError, match="labels are 0"):
        expect_labels(zeros)
    one = ScoreFile(TREE, ("a",), np.zeros(1, np.int64), np.full((1, 5), 0.2, np.float32))
    assert expect_labels(one).tolist() == [0]
    labels = scores.labels.copy()
    labels[2] = NO_LABEL
    with pytest.raises(ValueError, match="clip/002é"):
        expect_labels(dataclasses.replace(scores, labels=labels))


def test_rows_are_joined_by_id(scores):
    rng = np.random.default_rng(1)
    other = make_scores(rng, method="other")
    other = dataclasses.replace(other, labels=scores.labels)
    straight = fuse([scores, other])
    crossed = fuse([scores, shuffled(other, rng)])
    assert crossed.clip_ids == scores.clip_ids
    np.testing.assert_array_equal(straight.scores, crossed.scores)
    np.testing.assert_allclose(straight.scores, (scores.scores + other.scores) / 2, atol=1e-6)


def test_files_that_do_not_fit_are_named(scores):
    rng = np.random.default_rng(1)
    fewer = make_scores(rng, clips=11)
    with pytest.raises(ValueError, match=r"1 missing.*clip/011é"):
        aligned([scores, fewer])
    with pytest.raises(ValueError, match=r"1 more.*clip/011é"):
        aligned([dataclasses.replace(fewer, labels=scores.labels[:11]), scores])
    with pytest.raises(ValueError, match=r"clip/000é.*3 more differ"):
        labels = scores.labels.copy()
        labels[:4] = (labels[:4] + 1) % 5
        aligned([scores, dataclasses.replace(scores, labels=labels)])
    with pytest.raises(ValueError, match="same actions"):
        tree = dataclasses.replace(TREE, actions=("nod", "shake", "tap", "kick", "wave"))
        aligned([scores, dataclasses.replace(scores, tree=tree)])
    with pytest.raises(ValueError, match="at least one"):
        fuse([])


@pytest.mark.parametrize("weights", [[1], [1, -1], [0, 0], [float("nan"), 1], [float("inf"), 1]])
def test_weights_that_cannot_be_meant(scores, weights):
    with pytest.raises(ValueError, match="weights"):
        fuse([scores, scores], weights)


def test_means_of_a_known_table():
    tree = dataclasses.replace(TREE, actions=("a", "b"), groups=(), group_of=())
    base = ScoreFile(tree, ("x",), np.array([1]), np.array([[0.5, 0.5]], np.float32), "m")
    files = [with_scores(base, [[0.9, 0.1]]), with_scores(base, [[0.2, 0.8]])]
    np.testing.assert_allclose(fuse(files).scores, [[0.55, 0.45]], atol=1e-6)
    np.testing.assert_allclose(fuse(files, [3, 1]).scores, [[0.725, 0.275]], atol=1e-6)
    np.testing.assert_allclose(fuse(files, [0, 5]).scores, [[0.2, 0.8]], atol=1e-6)
    geometric = np.sqrt([0.9 * 0.2, 0.1 * 0.8])
    np.testing.assert_allclose(fuse(files, mean="log").scores[0], geometric / geometric.sum(), atol=1e-6)
    certain = [with_scores(base, [[1, 0]]), with_scores(base, [[0, 1]])]
    np.testing.assert_allclose(fuse(certain, mean="log").scores, [[0.5, 0.5]])
    assert fuse(files, [3, 1]).method == "3 m + 1 m"
    assert fuse(files).seed is None and fuse(files).recipe_hash == ""


def test_a_label_that_one_file_lacks_comes_from_the_other(scores):
    labels = scores.labels.copy()
    labels[5] = NO_LABEL
    fused = fuse([dataclasses.replace(scores, labels=labels), scores])
    assert fused.labels.tolist() == scores.labels.tolist()
    assert fused.seed == 7


def test_the_split_is_kept_where_it_is_known(scores, tmp_path):
    path = tmp_path / "val.parquet"
    write_scores(path, dataclasses.replace(scores, split="val"))
    assert read_scores(path).split == "val"
    write_scores(path, scores)
    assert read_scores(path).split == ""
    assert b"split" not in pq.read_schema(path).metadata[b"fidget"]
    val, test = (dataclasses.replace(scores, split=split) for split in ("val", "test"))
    assert fuse([val, val]).split == "val" and fuse([val, test]).split == ""
    assert [one.split for one in aligned([val, test])] == ["val", "test"]
