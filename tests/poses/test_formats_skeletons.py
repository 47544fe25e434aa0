from __future__ import annotations

import numpy as np
import pytest

from poses.formats.record import FormatError
from poses.formats.skeletons import is_skeletons, read_skeletons, skeleton_layout
from poses.layout import LAYOUTS


def arrays(v=20, c=3, **changes):
    """Three clips of 2, 1 and 3 frames; joint 4 of the first frame is missing."""
    xyz = np.random.default_rng(0).normal(size=(6, v, c)).astype(np.float32)
    xyz[0, 4] = 0
    content = {
        "xyz" if c == 3 else "xy": xyz,
        "offsets": np.array([0, 2, 3, 6]),
        "labels": np.array([1, 0, 1]),
        "split": np.array(["train", "test", "train"]),
        "names": np.array(["a", "b", "c"]),
        "class_names": np.array(["nod", "tap"]),
    } | changes
    return {key: value for key, value in content.items() if value is not None}


def write(tmp_path, content):
    np.savez(tmp_path / "x.npz", **content)
    return tmp_path / "x.npz"


def test_joints_in_space(tmp_path):
    path, content = write(tmp_path, arrays()), arrays()
    assert is_skeletons(path) and skeleton_layout(path) == "nwucla20"
    labelled = list(read_skeletons(path))
    assert [one.clip.clip_id for one in labelled] == ["a", "b", "c"]
    assert [(one.label, one.class_name, one.splits) for one in labelled] == [
        (1, "tap", ("train",)), (0, "nod", ("test",)), (1, "tap", ("train",)),
    ]  # fmt: skip
    first = labelled[0].clip
    assert np.argwhere(first.score == 0).tolist() == [[0, 0, 4]]
    found = first.score[0] > 0
    np.testing.assert_array_equal(first.xy_px[0][found], content["xyz"][:2, :, :2][found])
    np.testing.assert_array_equal(first.z[0][found], content["xyz"][:2, :, 2][found])
    assert first.frame_hw == (1, 1) and first.layout is LAYOUTS["nwucla20"]


def test_joints_in_the_plane_without_names(tmp_path):
    labelled = list(read_skeletons(write(tmp_path, arrays(15, 2, names=None))))
    assert [one.clip.clip_id for one in labelled] == ["train/tap_000", "test/nod_000", "train/tap_001"]
    assert labelled[0].clip.z is None and labelled[0].clip.layout.name == "jhmdb15"


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"offsets": np.array([0, 2, 6])}, r"offsets of shape \(4,\)"),
        ({"offsets": np.array([0, 3, 2, 6])}, "offsets that rise from 0 to 6"),
        ({"offsets": np.array([0, 2, 3, 7])}, "offsets that rise from 0 to 6"),
        ({"labels": np.array([0.0, 1, 1])}, "labels of type float64"),
        ({"split": np.array(["train"])}, "split of shape"),
        ({"names": np.array([b"a", b"b", b"c"])}, "names of type"),
        ({"xyz": np.zeros((6, 20, 4), np.float32)}, "expected xyz of shape"),
        ({"xyz": np.zeros((6, 60), np.float32)}, "expected xyz of shape"),
        ({"xyz": np.zeros((6, 21, 3), np.float32)}, "no layout is known for 21 joints"),
        ({"labels": np.array([0, 1, 9])}, "label 9, expected 0..1"),
        ({"labels": np.array([0, 1, -1])}, "label -1, expected 0..1"),
        ({"labels": np.array([{}, 1, 2], object)}, "labels"),
        ({"xyz": None}, "expected the keys"),
        ({"split": None}, "expected the keys"),
    ],
)
def test_what_does_not_fit_is_named(tmp_path, changes, words):
    path = write(tmp_path, arrays(**changes))
    with pytest.raises(FormatError, match=words) as caught:
        list(read_skeletons(path))
    assert "x.npz" in str(caught.value)


def test_one_bad_clip_among_good(tmp_path):
    broken = {}
    path = write(tmp_path, arrays(labels=np.array([0, 7, 1])))
    good = list(read_skeletons(path, on_broken=broken.__setitem__))
    assert [one.clip.clip_id for one in good] == ["a", "c"] and list(broken) == ["b"]


def test_another_layout_is_refused(tmp_path):
    with pytest.raises(FormatError, match="layout coco17 has 17 joints, the file has 20"):
        list(read_skeletons(write(tmp_path, arrays()), LAYOUTS["coco17"]))


def test_a_cut_file(tmp_path):
    path = write(tmp_path, arrays())
    path.write_bytes(path.read_bytes()[:-300])
    with pytest.raises(FormatError, match="whole NPZ"):
        is_skeletons(path)
