"""Every format gives back what it can hold, for any clip."""

from __future__ import annotations

import pickle
from fractions import Fraction

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from poses.clip import PoseClip
from poses.formats.coco import read_coco
from poses.formats.coco_writing import write_coco, write_coco_results
from poses.formats.long_csv import read_csv
from poses.formats.long_csv import write_csv as write_long_csv
from poses.formats.npz import read_npz, write_npz
from poses.formats.openpose import read_openpose, write_openpose
from poses.formats.pyskl import read_pyskl, write_pyskl
from poses.formats.record import LabelledClip, boxes_around
from poses.layout import LAYOUTS, get_layout

COCO = LAYOUTS["coco17"]
AWKWARD_IDS = [
    "a",
    "dir/clip",
    "é 漢字 😀",
    "quote \" ' `",
    "line\nbreak\r\n\ttab",
    "a,b;c",
    "..",
    "/",
    "a//b",
    "%41",
    "x" * 250,
]

_settings = settings(
    max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
_float32 = st.floats(-3000, 3000, width=32)


def make_clip(
    rng, clip_id="clip", layout=COCO, persons=2, frames=5, missing=0.3, scale=1000.0, fps=Fraction(30)
):
    """A clip whose people each have a joint in the first frame, so that no format drops one."""
    v = len(layout.joints)
    score = rng.random((persons, frames, v), np.float32) * np.float32(0.98) + np.float32(0.01)
    score[rng.random(score.shape) < missing] = 0
    score[:, 0, 0] = 0.5
    xy_px = ((rng.random((persons, frames, v, 2)) - 0.1) * scale).astype(np.float32)
    xy_px[score == 0] = np.nan
    return PoseClip(
        clip_id=clip_id,
        layout=layout,
        xy_px=xy_px,
        score=score,
        box_px=boxes_around(xy_px),
        time_s=np.arange(frames) / float(fps),
        frame_hw=(1296, 1080),
        fps=fps,
        track_ids=rng.permutation(100)[:persons].astype(np.int64),
    )


def assert_same(left: PoseClip, right: PoseClip, but: tuple[str, ...] = ()) -> None:
    for name in ("xy_px", "score", "box_px", "time_s", "track_ids"):
        if name not in but:
            np.testing.assert_array_equal(getattr(left, name), getattr(right, name), err_msg=name)
    for name in ("clip_id", "layout", "frame_hw", "fps"):
        if name not in but:
            assert getattr(left, name) == getattr(right, name), name


@st.composite
def clip_sets(draw, layouts=("coco17", "openpose25", "coco_wholebody133/hands"), min_size=0):
    ids = draw(
        st.lists(
            st.sampled_from(AWKWARD_IDS) | st.text(min_size=1, max_size=8),
            unique=True,
            max_size=4,
            min_size=min_size,
        )
    )
    ids = [clip_id for clip_id in ids if "\0" not in clip_id]
    layout = get_layout(draw(st.sampled_from(layouts)))
    clips = []
    for clip_id in ids:
        rng = np.random.default_rng(draw(st.integers(0, 2**32)))
        clip = make_clip(
            rng,
            clip_id,
            layout,
            persons=draw(st.integers(0, 3)),
            frames=draw(st.integers(1, 6)),
            missing=draw(st.sampled_from([0.0, 0.3, 0.95])),
            scale=draw(st.sampled_from([1.0, 1000.0, 1e-4])),
            fps=draw(st.sampled_from([Fraction(30), Fraction(29), Fraction(30000, 1001)])),
        )
        label = draw(st.none() | st.integers(0, 51))
        splits = tuple(draw(st.lists(st.sampled_from(["train", "val", "x;y"]), unique=True)))
        clips.append(LabelledClip(clip, label, splits))
    return layout, clips


@_settings
@given(clip_sets())
def test_npz_keeps_everything(tmp_path, made):
    layout, clips = made
    assert write_npz(tmp_path / "x.npz", clips, layout) == len(clips)
    back = list(read_npz(tmp_path / "x.npz", layout))
    assert len(back) == len(clips)
    for left, right in zip(clips, back, strict=True):
        assert_same(left.clip, right.clip)
        assert (left.label, left.splits) == (right.label, right.splits)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["x.npz"]


@_settings
@given(clip_sets(), st.sampled_from(["dict", "list"]))
def test_pyskl_keeps_joints_labels_and_splits(tmp_path, made, form):
    layout, clips = made
    assert write_pyskl(tmp_path / "x.pkl", clips, form) == len(clips)
    back = list(read_pyskl(tmp_path / "x.pkl", layout, fps=Fraction(30)))
    assert len(back) == len(clips)
    for left, right in zip(clips, back, strict=True):
        assert_same(left.clip, right.clip, but=("time_s", "track_ids", "fps"))
        assert left.label == right.label
        assert set(right.splits) == (set(left.splits) if form == "dict" else set())


@_settings
@given(clip_sets())
def test_any_pickle_reader_takes_our_pickle(tmp_path, made):
    layout, clips = made
    write_pyskl(tmp_path / "x.pkl", clips)
    content = (tmp_path / "x.pkl").read_bytes()
    assert b"numpy.core" not in content and b"numpy._core" not in content
    loaded = pickle.loads(content)
    assert [one["frame_dir"] for one in loaded["annotations"]] == [one.clip.clip_id for one in clips]
    for annotation, labelled in zip(loaded["annotations"], clips, strict=True):
        keypoint, score = annotation["keypoint"], annotation["keypoint_score"]
        assert keypoint.dtype == score.dtype == np.float32
        assert keypoint.shape == (max(labelled.clip.persons, 1), labelled.clip.frames, len(layout.joints), 2)
        assert score.shape == keypoint.shape[:-1]
        assert np.all(keypoint[score == 0] == 0)
        keypoint += 1  # trainers write into the arrays


@_settings
@given(clip_sets())
def test_csv_keeps_joints_times_and_ids(tmp_path, made):
    layout, clips = made
    assert write_long_csv(tmp_path / "x.csv", clips) == len(clips)
    back = list(read_csv(tmp_path / "x.csv", layout))
    assert len(back) == len(clips)
    for left, right in zip(clips, back, strict=True):
        order = np.argsort(left.clip.track_ids)
        sorted_left = PoseClip(
            **{
                **left.clip.__dict__,
                **{k: getattr(left.clip, k)[order] for k in ("xy_px", "score", "box_px", "track_ids")},
            }
        )
        assert_same(sorted_left, right.clip, but=("fps",))
        if left.clip.frames > 1:
            assert right.clip.fps == left.clip.fps


@_settings
@given(clip_sets(layouts=("coco17", "coco_wholebody133")))
def test_coco_keeps_joints_tracks_and_labels(tmp_path, made):
    layout, clips = made
    assert write_coco(tmp_path / "x.json", clips, layout) == len(clips)
    back = list(read_coco(tmp_path / "x.json", layout))
    assert len(back) == len(clips)
    for left, right in zip(clips, back, strict=True):
        order = np.argsort(left.clip.track_ids)
        sorted_left = PoseClip(
            **{
                **left.clip.__dict__,
                **{k: getattr(left.clip, k)[order] for k in ("xy_px", "score", "box_px", "track_ids")},
            }
        )
        assert_same(sorted_left, right.clip)
        assert (left.label, left.splits) == (right.label, right.splits)


@_settings
@given(clip_sets(layouts=("coco17", "coco_wholebody133"), min_size=1))
def test_coco_results_fit_the_ground_truth_of_the_same_clips(tmp_path, made):
    layout, clips = made
    write_coco(tmp_path / "truth.json", clips, layout)
    write_coco_results(tmp_path / "results.json", clips, layout)
    truth = list(read_coco(tmp_path / "truth.json", layout))
    results = list(read_coco(tmp_path / "results.json", layout, images=tmp_path / "truth.json"))
    assert len(truth) == len(results)
    for left, right in zip(truth, results, strict=True):
        assert_same(left.clip, right.clip)


@_settings
@given(clip_sets(layouts=("openpose25", "openpose18", "coco_wholebody133", "openpose28"), min_size=1))
def test_openpose_keeps_what_it_knows(tmp_path_factory, made):
    layout, clips = made
    names = {one.clip.clip_id for one in clips}
    if any(len(name.encode()) > 200 for name in names) or len({n.strip("/") for n in names}) < len(names):
        return
    out = tmp_path_factory.mktemp("openpose") / "out"
    assert write_openpose(out, clips) == len(clips)
    back = {one.clip.clip_id: one for one in read_openpose(out, layout, Fraction(30), (1296, 1080))}
    assert back.keys() == names
    for left in clips:
        order = np.argsort(left.clip.track_ids)
        right = back[left.clip.clip_id].clip
        np.testing.assert_array_equal(left.clip.xy_px[order], right.xy_px)
        np.testing.assert_array_equal(left.clip.score[order], right.score)
        np.testing.assert_array_equal(left.clip.track_ids[order], right.track_ids)


@pytest.mark.parametrize("writer", [write_npz, write_coco, write_coco_results])
def test_a_clip_of_another_layout_is_refused_and_leaves_nothing(tmp_path, writer):
    clips = [LabelledClip(make_clip(np.random.default_rng(0)))]
    with pytest.raises(ValueError, match="clip 'clip' is coco17, the file openpose25"):
        writer(tmp_path / "x", clips, LAYOUTS["openpose25"])
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("writer", [write_pyskl, write_long_csv])
def test_a_failing_source_leaves_no_file(tmp_path, writer):
    def clips():
        yield LabelledClip(make_clip(np.random.default_rng(0)))
        raise ValueError("the third clip is damaged")

    (tmp_path / "x").write_text("before")
    with pytest.raises(ValueError, match="damaged"):
        writer(tmp_path / "x", clips())
    assert (tmp_path / "x").read_text() == "before"
    assert [path.name for path in tmp_path.iterdir()] == ["x"]


def test_writers_take_one_clip_at_a_time(tmp_path):
    alive = []

    def clips():
        import gc
        import weakref

        for n in range(5):
            labelled = LabelledClip(make_clip(np.random.default_rng(n), f"clip {n}", frames=50))
            alive.append(weakref.ref(labelled.clip))
            yield labelled
            del labelled
            gc.collect()
            assert sum(ref() is not None for ref in alive) <= 1

    write_pyskl(tmp_path / "a.pkl", clips())
    write_npz(tmp_path / "a.npz", clips(), COCO)
    write_long_csv(tmp_path / "a.csv", clips())
    write_coco(tmp_path / "a.json", clips(), COCO)
    assert len(alive) == 20
