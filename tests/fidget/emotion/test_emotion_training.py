from __future__ import annotations

import numpy as np
import pytest
from emotion_samples import EMOTIONS, TREE, face_cache, table_of

from emotion_models.fitting import Schedule
from fidget.emotion.inputs import action_events, action_labels, action_scores, face_scores, pose_series
from fidget.emotion.training import TrainingSettings, parts_of, train_emotions
from protocols.detections import Detections
from protocols.emotion_sets import emotion_set
from protocols.label_tree import LabelTree
from protocols.scores import ScoreFile

QUICK = Schedule(epochs=6, rate=0.02)


def accuracy(scores):
    return float((scores.scores.argmax(1) == scores.labels).mean())


def score_file(table, tree, values, method="m"):
    order = np.arange(len(table))[::-1]  # joined by id, never by position
    ids = tuple(table.clip_ids[row] for row in order)
    return ScoreFile(tree, ids, np.full(len(ids), -1), values[order].astype(np.float32), method)


@pytest.fixture(scope="module")
def poses(tmp_path_factory):
    table = table_of()
    return table, face_cache(tmp_path_factory.mktemp("poses") / "cache", table)


def test_linear_models_of_all_three_conditions():
    table = table_of()
    values = np.where(table.present, 1.0, 0.05)
    actions = action_scores(table, score_file(table, TREE, values / values.sum(1, keepdims=True), "tsm"))
    np.testing.assert_allclose(actions.features[3], values[3] / values[3].sum(), rtol=1e-5)
    faces = np.full((40, 2), 0.5)
    face = face_scores(table, score_file(table, LabelTree("f", ("a", "b")), faces, "face net"))
    trained = train_emotions(table, TrainingSettings(), face, actions)
    assert list(trained.scores) == ["face", "actions", "both"]
    assert accuracy(trained.scores["actions"]) > 0.7 and accuracy(trained.scores["both"]) > 0.7
    both = trained.scores["both"]
    assert both.clip_ids == table.clip_ids and both.tree.actions == EMOTIONS
    assert both.method == "both: face net + tsm, linear (simulated)"
    again = train_emotions(table, TrainingSettings(), face, actions)
    np.testing.assert_array_equal(again.scores["both"].scores, both.scores)


def test_deepface_is_taken_as_it_is_and_melancholy_is_named():
    mma82, deepface = emotion_set("mma82"), emotion_set("deepface")
    table = table_of(42)
    table = type(table)(
        "mma82", mma82.emotions, TREE, table.clip_ids, np.arange(42) % 7, table.present, simulated=True
    )
    values = np.full((42, 7), 0.05)
    values[:, deepface.emotions.index("happy")] = 0.7
    face = face_scores(table, score_file(table, deepface.tree, values, "DeepFace"))
    trained = train_emotions(table, TrainingSettings(folds=3), face)
    assert (trained.scores["face"].scores.argmax(1) == mma82.emotions.index("happy")).all()
    assert any("melancholy: never predicted" in line for line in trained.notes)


def test_splits_of_the_table_are_kept():
    table = table_of(splits=("train",) * 30 + ("test",) * 10)
    trained = train_emotions(table, TrainingSettings(), None, action_labels(table))
    assert (
        trained.scores["actions"].clip_ids == table.clip_ids[30:]
        and trained.scores["actions"].split == "test"
    )
    assert trained.notes == ("fitted on train, scored on test",)
    with pytest.raises(ValueError, match="got 40 train, 0 val, 0 test"):
        parts_of(table_of(splits=("train",) * 40), TrainingSettings())


def test_events_teach_an_attention_network():
    table = table_of(60)
    rows = [(clip, 0.5, 1.5, int(a), 0.8) for clip, own in zip(table.clip_ids, table.present, strict=True)
            for a in np.flatnonzero(own)]  # fmt: skip
    names, start, end, actions, scores = zip(*rows, strict=True)
    found = Detections(
        TREE, names, np.array(start), np.array(end), np.array(actions), np.array(scores), "det"
    )
    source = action_events(table, found)
    np.testing.assert_allclose(source.features, 0.8 * table.present, rtol=1e-6)
    trained = train_emotions(table, TrainingSettings("attention", 2, 0, QUICK), None, source)
    assert accuracy(trained.scores["actions"]) > 0.7
    other = Detections(TREE, ("x",), np.array([0.0]), np.array([1.0]), np.array([1]), np.array([0.5]))
    with pytest.raises(ValueError, match="none of the 60 clips is among the videos, such as 'c0' and 'x'"):
        action_events(table, other)


def test_faces_come_from_the_cache_and_what_lacks_is_named(poses):
    table, cache = poses
    series = pose_series(table, cache)
    assert series.table.clip_ids == table.clip_ids[3:]
    assert series.left_out == (
        "no poses: 'c0'",
        "several people, of whom the table names none: 'c1'",
        "no face: 'c2'",
    )
    assert series.face.series.shape == (37, 16, 16) and series.body.shape == (37, 16, 54)
    trained = train_emotions(series.table, TrainingSettings(), series.face)
    assert accuracy(trained.scores["face"]) > 0.9 and "stand-in" in trained.scores["face"].method


def test_two_branches_over_a_cache(poses):
    table, cache = poses
    series = pose_series(table, cache)
    settings = TrainingSettings("two_branch", 2, 0, QUICK)
    trained = train_emotions(series.table, settings, series.face, None, series.body)
    assert set(trained.scores) == set(trained.micro_action_map) == {"face", "actions", "both"}
    assert all(0 < value <= 1 for value in trained.micro_action_map.values())
    with pytest.raises(ValueError, match="give --face a pose cache"):
        train_emotions(series.table, settings)


def test_files_that_do_not_fit_are_refused():
    table = table_of()
    part = ScoreFile(TREE, ("c0",), np.array([-1]), np.full((1, 4), 0.25, np.float32), "short")
    with pytest.raises(ValueError, match="scores of 'short': 39 of 40 clips of the table are missing, 'c1'"):
        action_scores(table, part)
    other = LabelTree("other", ("nod", "wave"))
    with pytest.raises(ValueError, match="'shrug', 'bow', 'turn' of the table are not among the 2 of other"):
        action_scores(table, score_file(table, other, np.full((40, 2), 0.5)))
    with pytest.raises(ValueError, match="nothing to learn from"):
        train_emotions(table, TrainingSettings())
