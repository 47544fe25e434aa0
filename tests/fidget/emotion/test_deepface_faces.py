from __future__ import annotations

import sys
from fractions import Fraction

import numpy as np
import pytest

from fidget.emotion.deepface_faces import deepface_analyse, score_faces, video_frames
from fidget.reports.video_file import write_video
from protocols.emotion_sets import emotion_set

LABELS = emotion_set("deepface").emotions


def said(**percent):
    return {"emotion": {label: percent.get(label, 0.0) for label in LABELS}}


def fake(frame):
    """What the package does, by the frame's brightness: no face, several, or one."""
    kind = int(frame[0, 0, 0])
    if kind == 0:
        raise ValueError("Face could not be detected")
    return [said(happy=80.0, neutral=20.0)] * (2 if kind == 2 else 1)


def frame(kind):
    return np.full((4, 4, 3), kind, np.uint8)


def test_frames_without_a_face_or_with_several_are_counted_and_not_used():
    clips = [("a", [frame(1), frame(0), frame(2)]), ("b", [frame(0)]), ("c", [])]
    found = score_faces(clips, fake)
    assert found.scores.clip_ids == ("a",) and found.without == ("b", "c")
    assert (found.frames, found.no_face, found.several) == (4, 2, 1)
    np.testing.assert_allclose(found.scores.scores[0, LABELS.index("happy")], 0.8, rtol=1e-6)
    assert found.told() == "DeepFace: 4 frames, 2 without a face, 1 with several; 2 clips left out"


def test_no_face_at_all_and_other_labels_are_refused():
    with pytest.raises(ValueError, match="no clip has a frame with exactly one face"):
        score_faces([("a", [frame(0)])], fake)
    with pytest.raises(ValueError, match="expected the labels angry"):
        score_faces([("a", [frame(1)])], lambda _: [{"emotion": {"joy": 100.0}}])


def test_without_the_package_the_message_says_what_to_do(monkeypatch):
    monkeypatch.setitem(sys.modules, "deepface", None)
    with pytest.raises(ValueError, match="pip install deepface, or take --face POSES"):
        deepface_analyse()


def test_the_package_is_asked_for_emotions_only(monkeypatch):
    class Module:
        class DeepFace:
            @staticmethod
            def analyze(picture, actions, silent):
                assert actions == ["emotion"] and silent
                return [said(sad=100.0)]

    monkeypatch.setitem(sys.modules, "deepface", Module)
    found = score_faces([("a", [frame(1)])], deepface_analyse())
    assert found.scores.scores[0].argmax() == LABELS.index("sad")


def test_frames_are_spread_over_the_video(tmp_path):
    with write_video(tmp_path / "a.mp4", (64, 64), Fraction(25)) as video:
        for number in range(40):
            video.add(number / 25, np.full((64, 64, 3), 6 * number, np.uint8))
    frames = video_frames(tmp_path, "a", 4)
    levels = [float(one.mean()) / 6 for one in frames]
    assert len(frames) == 4 and levels[0] < 3 and levels[-1] > 30 and levels == sorted(levels)
    assert video_frames(tmp_path, "b", 4) == []
    (tmp_path / "a.txt").write_text("")
    with pytest.raises(ValueError, match=r"several videos: a\.mp4, a\.txt"):
        video_frames(tmp_path, "a")
