"""Whatever a file holds, a reader yields sound clips or says in one error what is wrong."""

from __future__ import annotations

import copy
import json
import pickle

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from poses.clip import PoseClip
from poses.formats.coco import read_coco
from poses.formats.coco_writing import write_coco, write_coco_results
from poses.formats.describe import describe_csv, describe_json
from poses.formats.describe_pickle import describe_pickle
from poses.formats.long_csv import read_csv, write_csv
from poses.formats.mmpose_video import is_mmpose_video, read_mmpose_video
from poses.formats.npz import read_npz, write_npz
from poses.formats.openpose import read_openpose, write_openpose
from poses.formats.pyskl import read_pyskl, write_pyskl
from poses.formats.record import LabelledClip, RawClip
from poses.layout import LAYOUTS

COCO = LAYOUTS["coco17"]
_settings = settings(
    max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)

_odd = st.one_of(
    st.none(), st.booleans(), st.integers(-3, 3), st.just(10**30), st.floats(), st.text(max_size=3),
    st.just([]), st.just({}), st.just([[]]), st.lists(st.integers(0, 2), max_size=3), st.just({"id": 1}),
)  # fmt: skip


def clips() -> list[LabelledClip]:
    rng = np.random.default_rng(0)
    made = []
    for name in ("a", "b"):
        raw = RawClip(name, COCO, rng.random((2, 3, 17, 2)) * 100, np.full((2, 3, 17), 0.5))
        raw.frame_hw = (100, 100)
        made.append(raw.finish(3, ("train",)))
    return made


def paths_of(value, prefix=()):
    """Every place in nested dicts and lists."""
    yield prefix
    for key, inner in (
        value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    ):
        yield from paths_of(inner, (*prefix, key))


def damaged(data, content, odd=_odd):
    """The content with a few of its places replaced, removed or doubled."""
    content = copy.deepcopy(content)
    for _ in range(data.draw(st.integers(1, 3))):
        places = sorted(paths_of(content), key=len)
        place = data.draw(st.sampled_from(places[: max(len(places) // 8, 60)]))
        if not place:
            return data.draw(odd)
        parent = content
        for key in place[:-1]:
            parent = parent[key]
        action = data.draw(st.sampled_from(["replace", "replace", "remove", "double"]))
        if action == "replace":
            parent[place[-1]] = copy.deepcopy(data.draw(odd))
        elif action == "remove":
            del parent[place[-1]]
        elif isinstance(parent, list):
            parent.append(parent[place[-1]])
    return content


def consume(reader) -> None:
    """Only ValueError may come out, and only sound clips."""
    try:
        for labelled in reader:
            assert isinstance(labelled.clip, PoseClip)
            assert labelled.label is None or isinstance(labelled.label, int)
            assert all(isinstance(split, str) for split in labelled.splits)
    except ValueError as error:
        assert str(error)


@pytest.fixture(scope="module")
def written(tmp_path_factory):
    folder = tmp_path_factory.mktemp("written")
    write_coco(folder / "truth.json", clips(), COCO)
    write_coco_results(folder / "results.json", clips(), COCO)
    write_pyskl(folder / "x.pkl", clips())
    write_csv(folder / "x.csv", clips())
    write_npz(folder / "x.npz", clips(), COCO)
    write_openpose(folder / "openpose", clips())
    return folder


@_settings
@given(data=st.data())
@pytest.mark.parametrize("name", ["truth.json", "results.json"])
def test_coco(tmp_path, written, name, data):
    path = tmp_path / "x.json"
    path.write_text(json.dumps(damaged(data, json.loads((written / name).read_text()))))
    consume(read_coco(path, COCO))
    consume(read_coco(path, COCO, on_broken=lambda *_: None))
    describe_json(path)


@_settings
@given(data=st.data())
def test_mmpose(tmp_path, data):
    one = {
        "keypoints": [[1.0, 2.0]] * 17,
        "keypoint_scores": [0.5] * 17,
        "bbox": [[1, 2, 3, 4]],
        "bbox_score": 1,
    }
    frames = [{"frame_id": n, "instances": [one, one]} for n in range(3)]
    content = data.draw(st.sampled_from([frames, {"meta_info": {}, "instance_info": frames}]))
    path = tmp_path / "x.json"
    path.write_text(json.dumps(damaged(data, content)))
    is_mmpose_video(path)
    consume(read_mmpose_video(path, COCO))
    describe_json(path)


@_settings
@given(data=st.data())
def test_openpose(tmp_path, written, data):
    content = json.loads((written / "openpose" / "a" / "a_000000000000_keypoints.json").read_text())
    (tmp_path / "v_000000000000_keypoints.json").write_text(json.dumps(damaged(data, content)))
    (tmp_path / "v_000000000001_keypoints.json").write_text(json.dumps(content))
    consume(read_openpose(tmp_path, COCO))


_arrays = st.sampled_from([
    np.zeros(0), np.zeros((1, 3, 17, 2)), np.full((1, 3, 17, 2), np.nan), np.full((1, 3, 17, 2), np.inf),
    np.zeros((2, 3, 17)), np.array("a"), np.zeros((1, 3, 17, 2), complex), np.zeros((0, 0, 0, 0)),
    np.int64(3),
    np.array([None, 1], dtype=object), np.array([[1]]), (1, 2), b"x", np.full((2, 3, 17), -1e30),
])  # fmt: skip


@_settings
@given(data=st.data())
def test_pyskl(tmp_path, written, data):
    content = pickle.loads((written / "x.pkl").read_bytes())
    path = tmp_path / "x.pkl"
    path.write_bytes(pickle.dumps(damaged(data, content, _odd | _arrays)))
    consume(read_pyskl(path, COCO))
    consume(read_pyskl(path, COCO, on_broken=lambda *_: None))
    describe_pickle(path)


@_settings
@given(data=st.data())
@pytest.mark.parametrize("name", ["x.csv", "x.npz", "x.pkl", "truth.json"])
def test_changed_bytes(tmp_path, written, name, data):
    content = bytearray((written / name).read_bytes())
    for _ in range(data.draw(st.integers(1, 8))):
        content[data.draw(st.integers(0, len(content) - 1))] = data.draw(st.integers(0, 255))
    path = tmp_path / name
    path.write_bytes(
        content[: data.draw(st.integers(0, len(content)))] if data.draw(st.booleans()) else content
    )
    readers = {"x.csv": read_csv, "x.npz": read_npz, "x.pkl": read_pyskl, "truth.json": read_coco}
    consume(readers[name](path, COCO))
    if name == "x.csv":
        describe_csv(path)
