"""pyskl and mmaction2 pickles as those toolboxes write them."""

from __future__ import annotations

import pickle
from fractions import Fraction

import numpy as np
import pytest

from poses.formats.pyskl import read_pyskl, write_pyskl
from poses.formats.record import FormatError, RawClip
from poses.layout import LAYOUTS
from poses.restricted_pickle import UnsafePickleError

COCO = LAYOUTS["coco17"]


def annotation(name="S001C001", persons=2, frames=3, joints=17, dtype=np.float16, **changes):
    """As pyskl's own extractor writes it: float16, height first, a second person who is padding."""
    keypoint = np.zeros((persons, frames, joints, 2), dtype)
    score = np.zeros((persons, frames, joints), dtype)
    keypoint[0] = np.arange(frames * joints * 2).reshape(frames, joints, 2) + 100
    score[0] = 0.5
    keypoint[0, 1, 4], score[0, 1, 4] = 0, 0
    made = {
        "frame_dir": name,
        "label": 7,
        "img_shape": (1080, 1920),
        "original_shape": (1080, 1920),
        "total_frames": frames,
        "num_person_raw": 1,
        "keypoint": keypoint,
        "keypoint_score": score,
    }
    return {key: value for key, value in (made | changes).items() if value is not ...}


def write(tmp_path, content, name="x.pkl"):
    path = tmp_path / name
    path.write_bytes(pickle.dumps(content))
    return path


def read(tmp_path, content, layout=COCO, **options):
    return list(read_pyskl(write(tmp_path, content), layout, **options))


def test_both_forms(tmp_path):
    annotations = [annotation("a"), annotation("b", label=8)]
    splits = {"xsub_train": ["a"], "xsub_val": ["b"], "xview_val": ["a", "b"]}
    clips = read(tmp_path, {"split": splits, "annotations": annotations})
    assert [(one.clip.clip_id, one.label, one.splits) for one in clips] == [
        ("a", 7, ("xsub_train", "xview_val")),
        ("b", 8, ("xsub_val", "xview_val")),
    ]
    assert [(one.label, one.splits) for one in read(tmp_path, annotations)] == [(7, ()), (8, ())]
    assert [one.clip.clip_id for one in read(tmp_path, annotations[1])] == ["b"]


def test_values(tmp_path):
    [labelled] = read(tmp_path, [annotation()], fps=Fraction(25))
    clip = labelled.clip
    assert clip.persons == 1 and clip.frames == 3 and clip.frame_hw == (1080, 1920) and clip.fps == 25
    assert clip.xy_px[0, 0, 0].tolist() == [100, 101]
    assert np.isnan(clip.xy_px[0, 1, 4]).all() and clip.score[0, 1, 4] == 0
    assert clip.score[0, 0, 0] == 0.5
    assert clip.box_px[0, 0].tolist() == [100, 101, 132, 133]
    np.testing.assert_allclose(clip.time_s, [0, 0.04, 0.08])


def test_what_is_assumed_is_said(tmp_path):
    [labelled] = read(tmp_path, [annotation(keypoint_score=..., img_shape=..., original_shape=...)])
    notes = " | ".join(labelled.notes)
    for words in ("30 frames per second assumed", "no keypoint_score", "float16", "no frame size"):
        assert words in notes
    assert labelled.clip.score[0, 0, 0] == 1 and labelled.clip.score[0, 1, 4] == 0
    assert labelled.clip.persons == 1


def test_frame_size_by_hand_and_from_joints(tmp_path):
    bare = annotation(img_shape=..., original_shape=...)
    assert read(tmp_path, [bare], frame_hw=(700, 500))[0].clip.frame_hw == (700, 500)
    assert read(tmp_path, [bare])[0].clip.frame_hw == (202, 201)
    assert read(tmp_path, [annotation(img_shape=...)])[0].clip.frame_hw == (1080, 1920)
    assert read(tmp_path, [annotation(img_shape=np.array([10, 20, 3]))])[0].clip.frame_hw == (10, 20)


def test_scores_out_of_range_are_cut_and_noted(tmp_path):
    score = annotation()["keypoint_score"].astype(np.float32)
    score[0, 0, 0], score[0, 0, 1], score[0, 0, 2] = 1.07, -0.1, np.nan
    [labelled] = read(tmp_path, [annotation(keypoint_score=score)])
    assert labelled.clip.score[0, 0, :3].tolist() == [1, 0, 0]
    assert "scores above 1 set to 1" in labelled.notes
    assert "scores below 0 set to 0 (joint missing)" in labelled.notes


def test_normalised_coordinates_are_kept_and_noted(tmp_path):
    keypoint = annotation()["keypoint"].astype(np.float32) / 300
    [labelled] = read(tmp_path, [annotation(keypoint=keypoint)])
    assert labelled.clip.xy_px[0, 0, 0].tolist() == keypoint[0, 0, 0].tolist()
    assert any("normalised" in note for note in labelled.notes)


def test_nobody(tmp_path):
    empty = annotation(keypoint=np.zeros((1, 3, 17, 2)), keypoint_score=np.zeros((1, 3, 17)))
    none = annotation(keypoint=np.zeros((0, 3, 17, 2)), keypoint_score=np.zeros((0, 3, 17)))
    for one in read(tmp_path, [empty, none]):
        assert one.clip.persons == 0 and one.clip.frames == 3


def test_files_without_identifiers(tmp_path):
    clips = read(tmp_path, [annotation(frame_dir=...), annotation(frame_dir=..., filename="v/b.mp4")])
    assert [one.clip.clip_id for one in clips] == ["x-0", "v/b.mp4"]
    splits = {"train": ["b.mp4"]}
    both = annotation("b", filename="b.mp4")
    assert read(tmp_path, {"split": splits, "annotations": [both]})[0].splits == ("train",)


def test_directory_of_single_clips(tmp_path):
    for name in ("b", "a"):
        write(tmp_path, annotation(name, dtype=np.float32), f"{name}.pkl")
    (tmp_path / "c.pkl").write_bytes(b"no pickle")
    broken = {}
    clips = list(read_pyskl(tmp_path, COCO, on_broken=broken.__setitem__))
    assert [one.clip.clip_id for one in clips] == ["a", "b"]
    assert list(broken) == ["c"] and "not a whole pickle" in broken["c"]
    with pytest.raises(UnsafePickleError):
        list(read_pyskl(tmp_path, COCO))


def test_wrong_number_of_joints_names_both_and_what_fits(tmp_path):
    with pytest.raises(
        FormatError, match=r"layout openpose25 has 25 joints, the file has 17 \(layouts with 17: coco17\)"
    ):
        read(tmp_path, [annotation()], LAYOUTS["openpose25"])
    with pytest.raises(FormatError, match="no known layout has 9"):
        read(tmp_path, [annotation(joints=9)])
    # Nothing of such a file can be read: it is not a matter of one clip.
    with pytest.raises(FormatError):
        read(tmp_path, [annotation()], LAYOUTS["openpose25"], on_broken=lambda *_: None)


def test_points_in_space(tmp_path):
    keypoint = np.arange(1 * 3 * 25 * 3, dtype=np.float16).reshape(1, 3, 25, 3) / 64
    keypoint[0, 1, 4] = 0  # missing
    (labelled,) = read(
        tmp_path,
        [annotation(keypoint=keypoint, keypoint_score=..., img_shape=..., original_shape=...)],
        LAYOUTS["ntu25"],
    )
    clip = labelled.clip
    assert np.argwhere(clip.score == 0).tolist() == [[0, 1, 4]] and np.isnan(clip.z[0, 1, 4])
    np.testing.assert_array_equal(clip.z[clip.score > 0], keypoint[..., 2][clip.score > 0])
    np.testing.assert_array_equal(clip.xy_px[clip.score > 0], keypoint[clip.score > 0][:, :2])
    assert clip.frame_hw == (1, 1)


def test_the_compressed_form_is_refused_by_name(tmp_path):
    packed = annotation(keypoint=..., keypoint_score=..., frame_inds=np.arange(3), raw_file="k400/a.pkl")
    with pytest.raises(FormatError, match=r"compressed form.*DecompressPose"):
        read(tmp_path, {"split": {}, "annotations": [packed]})


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"total_frames": 4}, "total_frames is 4, keypoint has 3 frames"),
        ({"keypoint": np.zeros((3, 17, 2))}, r"expected keypoint \(persons, frames, joints, 2\)"),
        ({"keypoint": np.zeros((1, 3, 17, 4))}, "expected x, y or x, y, z a joint"),
        ({"keypoint": "text"}, "expected 'keypoint' to be ndarray, got str"),
        ({"keypoint": ...}, "expected the key 'keypoint'"),
        ({"keypoint": np.array([["a"]]).reshape(1, 1, 1, 1)}, "expected keypoint"),
        ({"keypoint_score": np.zeros((1, 3, 17))}, r"keypoint_score \(2, 3, 17\), got float64 \(1, 3, 17\)"),
        ({"keypoint_score": [1, 2]}, "expected 'keypoint_score' to be ndarray"),
        ({"img_shape": "1080x1920"}, r"expected img_shape \(height, width\)"),
        ({"img_shape": (0, 5)}, "expected img_shape"),
        ({"img_shape": (5.5, 5)}, "expected img_shape"),
        ({"keypoint": np.zeros((1, 0, 17, 2)), "keypoint_score": ..., "total_frames": 0}, "one frame"),
    ],
)  # fmt: skip
def test_one_broken_clip_among_good_ones(tmp_path, changes, words):
    content = [annotation("good"), annotation("bad", **changes), annotation("fine")]
    with pytest.raises(ValueError, match=words):
        read(tmp_path, content)
    broken = {}
    clips = read(tmp_path, content, on_broken=broken.__setitem__)
    assert [one.clip.clip_id for one in clips] == ["good", "fine"]
    assert list(broken) == ["bad"]


@pytest.mark.parametrize(
    "content", [5, "text", {"a": 1}, [1, 2], {"annotations": 3}, {"annotations": [], "split": 3}]
)
def test_other_content_is_no_annotation_file(tmp_path, content):
    with pytest.raises(FormatError, match=r"x\.pkl"):
        read(tmp_path, content)


def _labelled(xy, score, clip_id="clip", label=None, splits=()):
    return RawClip(clip_id, COCO, xy, score, frame_hw=(1296, 1080), fps=Fraction(30)).finish(label, splits)


def test_what_is_written_key_by_key(tmp_path):
    xy = np.full((1, 2, 17, 2), 5.25, np.float32)
    score = np.full((1, 2, 17), 0.75, np.float32)
    score[0, 1, 3] = 0
    write_pyskl(
        tmp_path / "x.pkl", [_labelled(xy, score, label=3, splits=("train",)), _labelled(xy, score, "b")]
    )
    content = pickle.loads((tmp_path / "x.pkl").read_bytes())
    assert list(content) == ["annotations", "split"] and content["split"] == {"train": ["clip"]}
    first, second = content["annotations"]
    assert {k: v for k, v in first.items() if not k.startswith("keypoint")} == {
        "frame_dir": "clip", "label": 3, "img_shape": (1296, 1080), "original_shape": (1296, 1080),
        "total_frames": 2, "num_person_raw": 1,
    }  # fmt: skip
    assert "label" not in second
    assert first["keypoint"].dtype == first["keypoint_score"].dtype == np.float32
    assert first["keypoint"][0, 1, 3].tolist() == [0, 0] and first["keypoint_score"][0, 1, 3] == 0
    assert first["keypoint"][0, 0, 0].tolist() == [5.25, 5.25]


def test_float16_only_when_asked_for(tmp_path):
    xy, score = np.full((1, 2, 17, 2), 1029.6, np.float32), np.full((1, 2, 17), 0.75, np.float32)
    write_pyskl(tmp_path / "x.pkl", [_labelled(xy, score)], dtype=np.float16)
    [one] = pickle.loads((tmp_path / "x.pkl").read_bytes())["annotations"]
    assert one["keypoint"].dtype == np.float16 and one["keypoint"][0, 0, 0, 0] == 1030


def test_two_clips_of_one_id_are_refused(tmp_path):
    one = _labelled(np.ones((1, 1, 17, 2)), np.ones((1, 1, 17)))
    with pytest.raises(ValueError, match="two clips have the id 'clip'"):
        write_pyskl(tmp_path / "x.pkl", [one, one])
    assert not list(tmp_path.iterdir())


def test_no_clips_at_all(tmp_path):
    write_pyskl(tmp_path / "d.pkl", [])
    write_pyskl(tmp_path / "l.pkl", [], form="list")
    assert pickle.loads((tmp_path / "d.pkl").read_bytes()) == {"annotations": [], "split": {}}
    assert pickle.loads((tmp_path / "l.pkl").read_bytes()) == []
