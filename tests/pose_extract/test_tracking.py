"""People who walk, cross, hide, come late and were never there: who must come out, and in which order."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pose_extract.estimator import FramePeople
from pose_extract.tracking import ClipTracker, Tracks
from poses.layout import LAYOUTS

LAYOUT = LAYOUTS["coco17"]
FRAME_HW = (480, 640)
# A standing figure in a box of 1 x 1: nose, eyes, ears, shoulders, elbows, wrists, hips, knees, ankles.
FIGURE = np.array(
    [
        *[(0.5, 0.08), (0.55, 0.05), (0.45, 0.05), (0.6, 0.07), (0.4, 0.07)],
        *[(0.8, 0.2), (0.2, 0.2), (0.9, 0.38), (0.1, 0.38), (0.95, 0.55), (0.05, 0.55)],
        *[(0.65, 0.52), (0.35, 0.52), (0.66, 0.75), (0.34, 0.75), (0.67, 0.98), (0.33, 0.98)],
    ]
)

Person = tuple[float, float, float, float]  # left, top, width, height


def _frame(*persons: Person, score: float = 0.9, noise_px: float = 0.0, seed: int = 0) -> FramePeople:
    """The figure in each of these places."""
    rng = np.random.default_rng(seed)
    xy = [FIGURE * (w, h) + (x, y) + rng.normal(0, noise_px, (17, 2)) for x, y, w, h in persons]
    boxes = [(x, y, x + w, y + h) for x, y, w, h in persons]
    return FramePeople(
        np.array(xy, np.float32).reshape(-1, 17, 2),
        np.full((len(persons), 17), score, np.float32),
        np.array(boxes, np.float32).reshape(-1, 4),
        np.full(len(persons), score, np.float32),
    )


def _track(frames: list[FramePeople], max_persons: int = 4, max_gap_frames: int = 30) -> Tracks:
    tracker = ClipTracker(LAYOUT, FRAME_HW, max_persons, max_gap_frames)
    for frame in frames:
        tracker.update(frame)
    return tracker.finish()


def _left(tracks: Tracks, person: int) -> np.ndarray:
    """(T,) left edges of a person's boxes."""
    return tracks.box_px[person, :, 0]


def test_one_person_comes_out_as_found() -> None:
    frames = [_frame((200 + 2 * t, 100, 80, 240), noise_px=1, seed=t) for t in range(300)]
    tracks = _track(frames)
    assert tracks.track_ids.tolist() == [0]
    np.testing.assert_array_equal(tracks.xy_px[0], np.stack([f.xy_px[0] for f in frames]))
    np.testing.assert_array_equal(tracks.score[0], np.stack([f.score[0] for f in frames]))
    np.testing.assert_array_equal(tracks.box_px[0], np.stack([f.box_px[0] for f in frames]))
    assert tracks.xy_px.dtype == tracks.score.dtype == tracks.box_px.dtype == np.float32
    assert tracks.track_ids.dtype == np.int64


def test_no_frames_and_nobody() -> None:
    empty = _track([])
    assert empty.xy_px.shape == (0, 0, 17, 2) and empty.track_ids.shape == (0,)
    nobody = _track([FramePeople.nobody(17)] * 7)
    assert nobody.xy_px.shape == (0, 7, 17, 2)
    assert nobody.score.shape == (0, 7, 17) and nobody.box_px.shape == (0, 7, 4)


def test_a_clip_of_one_frame_keeps_its_people() -> None:
    tracks = _track([_frame((10, 100, 80, 240), (300, 100, 90, 260))])
    assert tracks.xy_px.shape == (2, 1, 17, 2)
    assert _left(tracks, 0)[0] == 300  # larger and more central


def test_the_order_of_the_findings_does_not_matter() -> None:
    frames = []
    for t in range(40):
        people = [(100.0 + t, 100, 80, 240), (300.0, 100, 80, 240), (450.0 - t, 120, 70, 220)]
        order = np.random.default_rng(t).permutation(3)
        frames.append(_frame(*[people[i] for i in order]))
    tracks = _track(frames)
    starts = sorted(_left(tracks, person)[0] for person in range(3))
    assert starts == [100, 300, 450]
    for person in range(3):
        assert np.all(np.abs(np.diff(_left(tracks, person))) <= 1)


@pytest.mark.parametrize("speed_px", [4, 9, 16])
def test_people_who_cross_keep_their_names(speed_px: int) -> None:
    frames = []
    for t in range(600 // speed_px):
        x = speed_px * t
        frames.append(_frame((x, 100, 80, 240), (560 - x, 110, 84, 250), noise_px=1, seed=t))
    tracks = _track(frames)
    assert len(tracks.track_ids) == 2
    steps = [np.diff(_left(tracks, person)) for person in range(2)]
    assert {int(np.sign(s[0])) for s in steps} == {1, -1}
    for step in steps:
        assert np.all(np.sign(step) == np.sign(step[0]))  # nobody turns round


def test_people_who_cross_behind_each_other_keep_their_names() -> None:
    frames = []
    for t in range(70):
        walker, other = (8.0 * t, 100, 80, 240), (540 - 8.0 * t, 105, 80, 240)
        hidden = abs(walker[0] - other[0]) < 60  # the second is not found while behind the first
        frames.append(_frame(walker) if hidden else _frame(walker, other))
    tracks = _track(frames)
    assert len(tracks.track_ids) == 2
    for person in range(2):
        edge = _left(tracks, person)
        seen = np.isfinite(edge)
        steps = np.diff(edge[seen])
        assert np.all(np.sign(steps) == np.sign(steps[0]))
    assert np.isnan(tracks.box_px).any() and (tracks.score.min(axis=(1, 2)) == 0).sum() == 1


@pytest.mark.parametrize(("gap", "tracks_expected"), [(1, 1), (15, 1), (30, 1), (31, 2), (60, 2)])
def test_a_track_survives_thirty_frames_out_of_sight(gap: int, tracks_expected: int) -> None:
    here, there = _frame((200, 100, 80, 240)), _frame((235, 100, 80, 240))
    tracks = _track([here] * 20 + [FramePeople.nobody(17)] * gap + [there] * 20)
    assert len(tracks.track_ids) == tracks_expected
    absent = np.isnan(tracks.box_px[:, :, 0]).all(axis=0)
    assert absent[20 : 20 + gap].all() and absent.sum() == gap
    assert np.isnan(tracks.xy_px[:, absent]).all() and not tracks.score[:, absent].any()


@pytest.mark.parametrize("absence", [31, 300, 3000])
def test_who_comes_back_to_the_same_chair_is_the_same(absence: int) -> None:
    here, again = _frame((200, 100, 80, 240)), _frame((210, 104, 84, 236))
    tracks = _track([here] * 20 + [FramePeople.nobody(17)] * absence + [again] * 20, max_persons=1)
    assert np.isfinite(tracks.box_px[0, :, 0]).sum() == 40


def test_a_passer_by_does_not_take_the_chair_of_who_sits_there_again() -> None:
    subject, passer = (200, 100, 100, 300), (420, 100, 60, 200)
    nobody = [FramePeople.nobody(17)] * 40
    frames = [_frame(subject)] * 30 + nobody + [_frame(passer)] * 30 + nobody + [_frame(subject, passer)] * 30
    tracks = _track(frames, max_persons=2)
    assert tracks.track_ids.tolist() == [0, 1]
    assert [np.isfinite(tracks.box_px[p, :, 0]).sum() for p in range(2)] == [60, 60]
    assert np.nanmax(_left(tracks, 0)) == 200 and np.nanmin(_left(tracks, 1)) == 420


def test_who_comes_back_far_away_is_someone_else() -> None:
    tracks = _track([_frame((20, 100, 80, 240))] * 20 + [_frame((500, 100, 80, 240))] * 20)
    assert len(tracks.track_ids) == 2


def test_a_walker_is_expected_where_he_must_have_got_to() -> None:
    walk = [_frame((20 + 6 * t, 100, 80, 240)) for t in range(60)]
    frames = walk[:25] + [FramePeople.nobody(17)] * 12 + walk[37:]
    sitter = (100, 100, 80, 240)  # where the walker was last seen, someone appears meanwhile
    frames = [
        FramePeople(
            *(np.concatenate([getattr(f, k), getattr(_frame(sitter), k)]) for k in
              ("xy_px", "score", "box_px", "box_score"))
        )
        if t >= 37 else f
        for t, f in enumerate(frames)
    ]  # fmt: skip
    tracks = _track(frames)
    walker = int(np.argmin(tracks.track_ids))
    assert tracks.box_px[walker, 24, 0] == 164 and tracks.box_px[walker, 37, 0] == 242
    assert _left(tracks, 1 - walker)[-1] == 100


def _two_in_one_place(t: int) -> FramePeople:
    """Two poses in nearly one box, the second upside down; which comes first changes from frame to frame."""
    both = _frame((200, 100, 80, 240), (203, 102, 80, 240))
    both.xy_px[1, :, 1] = 442 - both.xy_px[1, :, 1]
    order = [t % 2, 1 - t % 2]
    boxes = both.box_px + np.random.default_rng(t).normal(0, 3, (2, 4)).astype(np.float32)
    return FramePeople(both.xy_px[order], both.score, boxes, both.box_score)


def test_where_boxes_cannot_tell_joints_do() -> None:
    tracks = _track([_two_in_one_place(t) for t in range(20)])
    assert len(tracks.track_ids) == 2
    for person in range(2):
        assert np.ptp(tracks.xy_px[person, :, 0, 1]) == 0  # the nose stays up, or down


def test_where_joints_cannot_tell_boxes_do() -> None:
    frames = [_frame((100, 100, 80, 240), (400, 100, 80, 240)) for _ in range(20)]
    frames[10].xy_px[1] = (470, 110)  # a wrecked pose: all joints in one corner
    tracks = _track(frames)
    assert len(tracks.track_ids) == 2 and np.isfinite(tracks.box_px).all()


def test_a_person_in_sight_comes_before_one_out_of_sight() -> None:
    first, second, between = (200, 100, 80, 240), (240, 100, 80, 240), (220, 100, 80, 240)
    tracks = _track([_frame(first, second)] * 20 + [_frame(second)] * 10 + [_frame(between)])
    last = {int(i): box for i, box in zip(tracks.track_ids, tracks.box_px[:, -1, 0], strict=True)}
    assert np.isnan(last[0]) and last[1] == 220


def test_a_walker_who_is_found_now_and_then_is_expected_at_the_right_pace() -> None:
    walk = [_frame((20 + 6 * t, 100, 80, 240)) for t in range(90)]
    frames = [f if t % 4 == 0 else FramePeople.nobody(17) for t, f in enumerate(walk)]
    assert len(_track(frames).track_ids) == 1


def test_left_and_right_of_the_centre_count_alike() -> None:
    for people in [((20, 100, 80, 240), (540, 100, 80, 240)), ((540, 100, 80, 240), (20, 100, 80, 240))]:
        assert _track([_frame(*people)] * 10).track_ids.tolist() == [0, 1]


def test_the_main_subject_comes_first() -> None:
    big_aside, small_central, big_central = (0, 40, 140, 400), (300, 200, 40, 100), (250, 40, 140, 400)
    tracks = _track([_frame(big_aside, small_central, big_central)] * 30)
    assert [_left(tracks, p)[0] for p in range(3)] == [250, 0, 300]
    # who is there longer comes before who is larger
    tracks = _track([_frame(small_central)] * 90 + [_frame(small_central, big_central)] * 10)
    assert [_left(tracks, p)[-1] for p in range(2)] == [300, 250]


def test_max_persons_keeps_the_most_important() -> None:
    frames = [_frame((0, 200, 40, 100), (250, 40, 140, 400), (560, 200, 50, 120))] * 12
    assert _left(_track(frames, max_persons=1), 0)[0] == 250
    assert len(_track(frames, max_persons=2).track_ids) == 2


@pytest.mark.parametrize(
    ("frames", "sightings", "kept"),
    [(1, 1, True), (9, 1, True), (10, 1, False), (20, 2, False), (20, 3, True), (39, 4, True), (40, 4, False),
     (40, 5, True), (3000, 4, False), (3000, 5, True)],
)  # fmt: skip
def test_phantoms_are_dropped(frames: int, sightings: int, kept: bool) -> None:
    seen = [_frame((200, 100, 80, 240))] * sightings
    tracks = _track(seen + [FramePeople.nobody(17)] * (frames - sightings))
    assert len(tracks.track_ids) == int(kept)


def test_a_large_phantom_does_not_push_out_a_small_person() -> None:
    small, large = _frame((300, 200, 20, 60)), _frame((0, 0, 640, 480))
    nobody = [FramePeople.nobody(17)] * 40
    for order in ([small] * 6 + nobody + [large] * 4, [large] * 4 + nobody + [small] * 6):
        tracks = _track(order + nobody, max_persons=1)
        assert np.nanmin(tracks.box_px[0, :, 0]) == 300


def test_one_person_found_twice_counts_once() -> None:
    frames = [_frame((200, 100, 80, 240), (203, 98, 82, 236), (400, 100, 80, 240)) for _ in range(10)]
    for frame in frames:
        frame.score[0] = 0.5  # the second finding is surer
    tracks = _track(frames)
    assert len(tracks.track_ids) == 2
    assert 203 in {_left(tracks, p)[0] for p in range(2)}


def test_half_a_person_found_besides_the_whole_counts_once() -> None:
    whole = _frame((200, 100, 80, 240))
    xy = np.repeat(whole.xy_px, 2, axis=0)
    xy[1, 11:, 1] -= 60  # of the upper half's box, the legs are guessed
    boxes = np.array([(200, 100, 280, 340), (200, 100, 280, 240)], np.float32)
    people = FramePeople(xy, np.repeat(whole.score, 2, axis=0), boxes, np.array([0.9, 0.6], np.float32))
    assert len(_track([people] * 10).track_ids) == 1


def test_two_people_close_together_stay_two() -> None:
    tracks = _track([_frame((200, 100, 80, 240), (235, 100, 80, 240))] * 10)
    assert len(tracks.track_ids) == 2


def test_missing_joints_are_nan_with_score_zero_whatever_the_model_says() -> None:
    frame = _frame((200, 100, 80, 240))
    frame.xy_px[0, 3] = np.nan  # scored, but nowhere
    frame.score[0, 4] = 0  # somewhere, but not found
    frame.xy_px[0, 5] = (np.inf, 3)
    tracks = _track([frame] * 3)
    assert np.isnan(tracks.xy_px[0, :, 3:6]).all() and not tracks.score[0, :, 3:6].any()
    assert np.isfinite(tracks.xy_px[0, :, 6:]).all()


def test_a_box_without_joints_is_nobody_and_joints_without_a_box_get_one() -> None:
    frame = _frame((200, 100, 80, 240), (400, 100, 80, 240))
    frame.score[0] = 0
    frame.box_px[1] = np.nan
    tracks = _track([frame] * 5)
    assert len(tracks.track_ids) == 1
    np.testing.assert_allclose(tracks.box_px[0, 0], (404, 112, 476, 335.2), rtol=1e-5)


def test_people_beyond_the_frame_are_kept_as_they_are() -> None:
    tracks = _track([_frame((-60 + t, 300, 80, 240)) for t in range(20)])
    assert len(tracks.track_ids) == 1 and _left(tracks, 0)[0] == -60


def test_a_reused_buffer_does_not_rewrite_the_past() -> None:
    frame = _frame((100, 100, 80, 240))
    tracker = ClipTracker(LAYOUT, FRAME_HW, 1)
    for _ in range(8):
        tracker.update(frame)
        frame.xy_px[:] += 5
        frame.box_px[:] += 5
    assert _left(tracks := tracker.finish(), 0).tolist() == [100 + 5 * t for t in range(8)]
    assert tracks.xy_px[0, 0, 0, 0] == 140


def test_a_reused_buffer_does_not_make_a_stranger_the_same() -> None:
    buffer, stranger = _frame((20, 100, 80, 240)), _frame((500, 100, 80, 240))
    tracker = ClipTracker(LAYOUT, FRAME_HW, 2)
    for t in range(20):
        if t == 10:
            buffer.xy_px[:], buffer.box_px[:] = stranger.xy_px, stranger.box_px
        tracker.update(buffer)
    tracks = tracker.finish()
    assert sorted(np.isfinite(tracks.box_px[:, :, 0]).sum(axis=1).tolist()) == [10, 10]


def test_a_reused_buffer_does_not_confuse_people_either() -> None:
    buffer = _two_in_one_place(0)
    tracker = ClipTracker(LAYOUT, FRAME_HW, 2)
    for t in range(20):
        now = _two_in_one_place(t)
        buffer.xy_px[:], buffer.box_px[:] = now.xy_px, now.box_px
        tracker.update(buffer)
    tracks = tracker.finish()
    assert all(np.ptp(tracks.xy_px[person, :, 0, 1]) == 0 for person in range(2))


def test_who_makes_way_for_someone_larger_is_not_forgotten() -> None:
    others = [(100.0 * i, 400, 60, 70) for i in range(5)]
    frames = [_frame((250, 10, 140, 360), *others)] * 50
    frames += [_frame((250 + t, 10 + t, 140 - 2 * t, 360 - 5 * t), *others) for t in range(65)]
    frames += [_frame((560, 300, 75, 90), (314, 74, 12, 40), *others)] * 10
    tracks = _track(frames, max_persons=2)
    assert tracks.track_ids[0] == 0 and _left(tracks, 0)[0] == 250


def test_a_crowd_does_not_keep_the_main_subject_out() -> None:
    crowd = [(40.0 * i, 10, 30, 60) for i in range(16)]
    frames = [_frame(*crowd)] * 20 + [_frame(*crowd, (250, 100, 140, 360))] * 60
    tracks = _track(frames, max_persons=1)
    assert np.nanmax(_left(tracks, 0)) == 250
    assert np.isfinite(tracks.box_px[0, 20:]).all()


def test_memory_does_not_grow_with_the_number_of_passers_by() -> None:
    tracker = ClipTracker(LAYOUT, FRAME_HW, max_persons=2, max_gap_frames=2)
    for passer in range(200):
        for _ in range(6):
            tracker.update(_frame((40 * (passer % 12), 100, 38, 100)))
        for _ in range(4):
            tracker.update(FramePeople.nobody(17))
    assert len(tracker._live) + len(tracker._ended) <= 2 * 2 + 4
    assert len(tracker.finish().track_ids) == 2


def test_wrong_use_is_refused() -> None:
    with pytest.raises(ValueError, match="at least 1"):
        ClipTracker(LAYOUT, FRAME_HW, 0)
    with pytest.raises(ValueError, match="at least one pixel"):
        ClipTracker(LAYOUT, (0, 640), 1)
    whole = _frame((1, 1, 9, 9))
    for box_px in (np.empty((0, 4), np.float32), whole.box_px[0], whole.box_px[:, :3]):
        with pytest.raises(ValueError, match=r"box_px \(P, 4\)"):
            ClipTracker(LAYOUT, FRAME_HW, 1).update(
                FramePeople(whole.xy_px, whole.score, box_px, whole.box_score)
            )
    tracker = ClipTracker(LAYOUTS["halpe26"], FRAME_HW, 1)
    for people in (_frame((1, 1, 9, 9)), FramePeople.nobody(17)):
        with pytest.raises(ValueError, match=r"'halpe26' needs people as xy_px \(P, 26, 2\)"):
            tracker.update(people)


places = st.tuples(st.floats(-100, 700), st.floats(-100, 500), st.floats(0, 300), st.floats(0, 400))


@settings(max_examples=60, deadline=None)
@given(st.lists(st.lists(places, max_size=4), max_size=25), st.integers(1, 3), st.integers(0, 4))
def test_whatever_happens_findings_are_kept_apart_and_unchanged(
    places: list[list[Person]], max_persons: int, max_gap_frames: int
) -> None:
    frames = [_frame(*people) for people in places]
    tracks = _track(frames, max_persons, max_gap_frames)
    m, t = tracks.score.shape[:2]
    assert t == len(frames) and m <= max_persons
    assert len(set(tracks.track_ids.tolist())) == m
    np.testing.assert_array_equal(np.isfinite(tracks.xy_px).all(axis=-1), tracks.score > 0)
    np.testing.assert_array_equal(np.isfinite(tracks.box_px).all(axis=-1), tracks.score.max(axis=-1) > 0)
    for frame, people in enumerate(frames):
        found = {box.tobytes() for box in people.box_px}
        kept = [box.tobytes() for box in tracks.box_px[:, frame] if np.isfinite(box).all()]
        assert set(kept) <= found and len(kept) <= len(people.box_px)


def test_two_people_whose_hands_were_found_in_one_place_stay_two() -> None:
    layout = LAYOUTS["coco_wholebody133"]
    body = list(layout.parts["body"])
    tracker = ClipTracker(layout, (1080, 1920), max_persons=2)
    rng = np.random.default_rng(4)
    for _ in range(5):
        xy_px = np.full((2, 133, 2), 900.0, np.float32)  # hands and face of both: the same
        for person, left in enumerate((700, 900)):
            xy_px[person, body] = rng.uniform((left, 200), (left + 250, 1000), (len(body), 2))
        box_px = np.concatenate([xy_px.min(axis=1), xy_px.max(axis=1)], axis=1)
        ones = np.ones((2, 133), np.float32)
        tracker.update(FramePeople(xy_px, ones, box_px, np.ones(2, np.float32)))
    assert (tracker.finish().score > 0).all()
