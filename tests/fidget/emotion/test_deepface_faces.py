from __future__ import annotations

import sys
from fractions import Fraction
from types import ModuleType

import numpy as np
import pytest
from tests.fidget.faces.face_samples import faces_at, people, squares_video

from fidget.emotion.deepface_faces import (
    deepface_analyse,
    posed_crops,
    score_faces,
    score_posed_faces,
    video_frames,
)
from fidget.faces.face_joining import TrackSettings, join_faces
from fidget.faces.head_region import head_regions
from fidget.frames.frame_clip import FrameClip
from fidget.frames.sampled_decoding import read_frames
from fidget.frames.video_index import index_video
from fidget.reports.video_file import write_video
from protocols.emotion_sets import emotion_set

LABELS = emotion_set("deepface").emotions


def said(**percent):
    return {"emotion": {label: percent.get(label, 0.0) for label in LABELS}}


def fake(frame):
    """What the package does, by the frame's brightness: no face, several, or one."""
    kind = int(frame[0, 0, 0])
    if kind == 0:
        return []
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
            def analyze(picture, actions, silent, detector_backend="its own"):
                assert actions == ["emotion"] and silent
                asked.append(detector_backend)
                if picture[0, 0, 0] == 9:
                    raise ValueError("An exception occurred while downloading weights.h5")
                if picture[0, 0, 0] == 0:
                    raise ValueError("Face could not be detected in numpy array. Please confirm that")
                return [said(sad=100.0)]

    asked = []
    monkeypatch.setitem(sys.modules, "deepface", Module)
    found = score_faces([("a", [frame(1), frame(0)])], deepface_analyse())
    assert found.scores.scores[0].argmax() == LABELS.index("sad") and found.no_face == 1
    # Where faces are given the package looks for none; what else goes wrong is no missing face.
    with pytest.raises(ValueError, match="DeepFace: An exception occurred while downloading"):
        score_faces([("a", [frame(1), frame(9)])], deepface_analyse(faces_given=True))
    assert asked == ["its own", "its own", "skip", "skip"]


def test_a_package_that_is_not_whole_is_named(monkeypatch):
    class Part(ModuleType):
        def __getattr__(self, name):
            raise ModuleNotFoundError("No module named 'werkzeug'", name="werkzeug")

    monkeypatch.setitem(sys.modules, "deepface", Part("deepface"))
    with pytest.raises(ValueError, match="which needs werkzeug and does not find it; pip install werkzeug"):
        deepface_analyse()


class Square:
    """A face on the only person's head in frames 2 to 7; clips of other names have nobody or no poses."""

    def __init__(self, path):
        self.poses = type("Poses", (), {"directory": "poses", "__contains__": lambda _, c: c != "new"})()
        self.videos = self
        self._entry = index_video(path)

    def one(self, clip_id):
        if clip_id == "nobody":
            raise ValueError("clip 'nobody': expected one person, its poses have nobody")
        face = [faces_at((40, 40)) if 2 <= n < 8 else faces_at() for n in range(10)]
        clip = people([[(40, 40)] * 10], clip_id=clip_id, hw=(80, 80))
        return join_faces(clip, np.arange(10), [face], head_regions(clip), TrackSettings())[0]

    def read(self, clip_id):
        return FrameClip(clip_id, 10, (80, 80), lambda numbers: read_frames(self._entry, numbers))


def test_faces_on_the_heads_of_the_poses_people(tmp_path):
    squares_video(tmp_path / "a.mp4", [[(40, 40)]] * 10, hw=(80, 80))
    faces = Square(tmp_path / "a.mp4")
    crops = posed_crops(faces, "a", 4)
    assert crops.shape == (4, 224, 224, 3) and crops[:, 112, 112].min() > 240 and crops[:, 2].max() < 60
    seen = []
    found = score_posed_faces(["a", "nobody", "new"], faces, lambda p: seen.append(p) or [said(fear=100.0)])
    assert len(seen) == 6 and found.scores.clip_ids == ("a",) and found.without == ("nobody", "new")
    assert found.left_out == (
        "clip 'nobody': expected one person, its poses have nobody",
        "clip 'new': no poses of it in poses",
    )


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
