"""Fidget's NPZ: its keys as documented, and files that are damaged or not ours."""

from __future__ import annotations

import zipfile
from fractions import Fraction

import numpy as np
import pytest

from poses.clip import PoseClip
from poses.formats.npz import archive_headers, layout_name, read_npz, write_npz
from poses.formats.record import FormatError, LabelledClip, boxes_around
from poses.layout import LAYOUTS

COCO = LAYOUTS["coco17"]


def make_clip(clip_id, persons, frames):
    rng = np.random.default_rng(len(clip_id))
    xy_px = rng.random((persons, frames, 17, 2), np.float32) * 100
    score = np.full((persons, frames, 17), 0.5, np.float32)
    time_s = np.arange(frames) * 0.1
    return PoseClip(
        clip_id, COCO, xy_px, score, boxes_around(xy_px), time_s, (40, 30), Fraction(10), np.arange(persons)
    )


@pytest.fixture
def path(tmp_path):
    clips = [
        LabelledClip(make_clip("a", 2, 3), 4, ("train",)),
        LabelledClip(make_clip("bé", 0, 5)),
        LabelledClip(make_clip("c", 1, 1)),
    ]
    write_npz(tmp_path / "x.npz", clips, COCO)
    return tmp_path / "x.npz"


def test_keys_as_documented(path):
    with np.load(path) as arrays:  # allow_pickle is False
        assert str(arrays["layout"]) == "coco17" and int(arrays["version"]) == 1
        assert tuple(arrays["joints"]) == COCO.joints
        assert arrays["clip_id"].tolist() == ["a", "bé", "c"]
        assert arrays["persons"].tolist() == [2, 0, 1] and arrays["frames"].tolist() == [3, 5, 1]
        assert arrays["frame_hw"].tolist() == [[40, 30]] * 3 and arrays["fps"].tolist() == [[10, 1]] * 3
        assert arrays["track_ids"].tolist() == [0, 1, 0]
        assert arrays["label"].tolist() == [4, -1, -1] and arrays["has_label"].tolist() == [
            True,
            False,
            False,
        ]
        assert arrays["splits"].tolist() == ['["train"]', "[]", "[]"]
        assert arrays["xy_px"].shape == (2 * 3 + 0 + 1, 17, 2) and arrays["xy_px"].dtype == np.float32
        assert arrays["score"].shape == (7, 17) and arrays["box_px"].shape == (7, 4)
        assert arrays["time_s"].shape == (3 + 5 + 1,) and arrays["time_s"].dtype == np.float64
        first = make_clip("a", 2, 3)
        np.testing.assert_array_equal(arrays["xy_px"][:6].reshape(2, 3, 17, 2), first.xy_px)


def rewritten(path, **changes):
    with np.load(path) as arrays:
        content = dict(arrays)
    content.update(changes)
    np.savez(path, **{key: value for key, value in content.items() if value is not None})
    return path


def test_a_file_that_numpy_wrote_again(path):
    before = list(read_npz(path))
    after = list(read_npz(rewritten(path)))
    assert [one.clip.clip_id for one in after] == ["a", "bé", "c"]
    np.testing.assert_array_equal(before[0].clip.xy_px, after[0].clip.xy_px)
    with np.load(path) as arrays:
        np.savez_compressed(path, **dict(arrays))
    assert len(list(read_npz(path))) == 3


def test_layout_comes_from_the_file(path):
    assert layout_name(path) == "coco17"
    assert next(read_npz(path)).clip.layout is COCO
    with pytest.raises(FormatError, match="layout openpose25 has 25 joints, the file has 17"):
        next(read_npz(path, LAYOUTS["openpose25"]))
    with pytest.raises(FormatError, match="another definition"):
        next(read_npz(rewritten(path, joints=np.array(list(reversed(COCO.joints))))))


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"score": None}, "expected the keys .* found"),
        ({"score": np.full((6, 17), 0.5, np.float32)}, "score ends before its last clip"),
        ({"score": np.zeros((7, 17))}, "score: expected float32, got float64"),
        ({"xy_px": np.zeros((1, 17, 2), np.float32)}, "xy_px ends before"),
        ({"persons": np.array([2, 0])}, r"expected persons of shape \(3,\)"),
        ({"persons": np.array([3, -1, 1])}, "negative number of persons|ends before|track_ids"),
        ({"frames": np.array([3, 5, 10**15])}, "ends before its last clip"),
        ({"frames": np.array([3.0, 5, 1])}, "frames of type float64"),
        ({"track_ids": np.array([0])}, r"expected track_ids \(3,\)"),
        ({"fps": np.array([[1, 0]] * 3)}, "fps must be a fraction"),
        ({"fps": np.array([[0, 1]] * 3)}, "fps must be positive"),
        ({"splits": np.array(["3", "[]", "[]"])}, "splits must be a JSON list"),
        ({"splits": np.array(["[", "[]", "[]"])}, r"x\.npz"),
        ({"time_s": np.zeros(9)}, "strictly increasing"),
        ({"layout": np.array("nonsense")}, "unknown layout"),
        ({"clip_id": np.array([b"a", b"b", b"c"])}, "clip_id of type"),
    ],
)
def test_wrong_arrays(path, changes, words):
    with pytest.raises(ValueError, match=words):
        list(read_npz(rewritten(path, **changes)))


def test_one_broken_clip_among_good_ones(path):
    time_s = np.array([0, 0.1, 0.2, 0, 0.1, 0.2, 0.3, 0.3, 7])
    broken = {}
    clips = list(read_npz(rewritten(path, time_s=time_s), on_broken=broken.__setitem__))
    assert [one.clip.clip_id for one in clips] == ["a", "c"] and list(broken) == ["bé"]


def test_pickled_objects_are_not_read(path):
    np.savez(path, **{**dict(np.load(path)), "label": np.array([{}, None, 1], dtype=object)})
    with pytest.raises(FormatError, match="label as a plain"):
        list(read_npz(path))


def test_a_header_is_not_believed(path):
    """A member of a few bytes that claims to hold an exabyte."""
    with zipfile.ZipFile(path) as archive:
        members = {name: archive.read(name) for name in archive.namelist()}
    members["label.npy"] = members["label.npy"].replace(b"(3,)", b"(9999999999999999,)")[:120] + b" " * 8
    with zipfile.ZipFile(path, "w") as archive:
        for name, content in members.items():
            archive.writestr(name, content)
    with pytest.raises(FormatError, match="label"):
        list(read_npz(path))


def test_damaged_files(path):
    content = path.read_bytes()
    for length in [0, 10, len(content) // 2, len(content) - 5]:
        path.write_bytes(content[:length])
        with pytest.raises(FormatError, match=r"x\.npz"):
            list(read_npz(path))
    at = content.index(b"\x93NUMPY", len(content) // 2) + 200
    path.write_bytes(content[:at] + bytes([content[at] ^ 255]) + content[at + 1 :])
    with pytest.raises(FormatError):
        list(read_npz(path))


@pytest.mark.shared
def test_an_npz_of_somebody_else_is_named_by_its_keys(shared_dir):
    path = shared_dir / "data" / "skeletons" / "jhmdb_gt_split1.npz"
    with pytest.raises(FormatError, match=r"not a Fidget NPZ.*found .*class_names"):
        list(read_npz(path))
    assert archive_headers(path)["xy"][1][1:] == (15, 2)
