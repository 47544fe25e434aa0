from __future__ import annotations

import numpy as np
import pytest

from protocols.emotion_sets import DEEPFACE_TO_MMA82, emotion_set, map_scores, named_by_table
from protocols.scores import ScoreFile


def deepface_scores(*rows):
    values = np.array(rows, np.float32)
    ids = tuple(f"clip{number}" for number in range(len(rows)))
    return ScoreFile(emotion_set("deepface").tree, ids, np.full(len(rows), -1, np.int64), values, "DeepFace")


def test_every_deepface_label_has_a_pair_and_melancholy_has_none():
    assert set(DEEPFACE_TO_MMA82) == set(emotion_set("deepface").emotions)
    reached = {emotion_set("mma82").index(other) for other in DEEPFACE_TO_MMA82.values() if other}
    assert {0, 1, 2, 3, 4, 5, 6} - reached == {emotion_set("mma82").index("melancholy")}


def test_mapped_scores_leave_neutral_out_and_say_so():
    scores = deepface_scores(
        (0.1, 0, 0, 0.3, 0, 0, 0.6), (0, 0, 0, 0, 0, 0, 1), (0.5, 0.1, 0.1, 0.1, 0.1, 0.1, 0)
    )
    mapped = map_scores(scores, DEEPFACE_TO_MMA82, emotion_set("mma82"))
    np.testing.assert_allclose(mapped.scores.scores[0], [0.25, 0, 0, 0, 0, 0.75, 0], atol=1e-6)
    np.testing.assert_allclose(mapped.scores.scores[1], np.array([1, 0, 1, 1, 1, 1, 1]) / 6, atol=1e-6)
    assert mapped.never == ("melancholy",) and mapped.dropped == ("neutral",) and mapped.dropped_best == 2
    assert "melancholy: never predicted" in mapped.told()[0] and "2 of 3 clips" in mapped.told()[1]


def test_a_label_without_a_pair_is_refused():
    pairs = {name: other for name, other in DEEPFACE_TO_MMA82.items() if name != "fear"}
    with pytest.raises(ValueError, match=r"no pair for \['fear'\]"):
        map_scores(deepface_scores((1, 0, 0, 0, 0, 0, 0)), pairs, emotion_set("mma82"))


def test_sets_know_their_words():
    mma82 = emotion_set("mma82")
    assert mma82.index("Angry") == 0 and mma82.index(" SAD ") == 4 and mma82.index("neutral") is None
    with pytest.raises(ValueError, match="did you mean 'mma82'"):
        emotion_set("mma8")
    with pytest.raises(ValueError, match="expected the 5 emotions of ma52pro, got 2"):
        named_by_table(emotion_set("ma52pro"), ["b", "a", "A"])
    assert named_by_table(emotion_set("own"), ["Joy", "anger", "joy"]).emotions == ("anger", "Joy")
