from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

import numpy as np
import pytest

from pose_extract.box_paths import BoxPath, Detections, follow_people, recognise

HW = (240, 320)
Script = Callable[[int], Sequence[tuple[Sequence[float], float]]]


def seen(*people: tuple[Sequence[float], float]) -> Detections:
    return Detections.of(
        np.array([box for box, _ in people], np.float32).reshape(-1, 4),
        np.array([score for _, score in people], np.float32),
    )


def follow(script: Script, last: int = 10, max_people: int = 3) -> tuple[list[BoxPath], list[int]]:
    """Paths, and the frames that were looked at besides the ends."""
    looks: dict[int, Detections] = {}

    def look(frame: int) -> Detections:
        assert 0 < frame < last
        return looks.setdefault(frame, seen(*script(frame)))

    paths = follow_people(seen(*script(0)), seen(*script(last)), last, look, HW, max_people)
    return paths, sorted(looks)


def frames_of(path: BoxPath, last: int = 10) -> list[int]:
    return [frame for frame in range(last + 1) if path.at(frame) is not None]


def box(x: float, width: float = 50, y: float = 60, height: float = 120) -> list[float]:
    return [x, y, x + width, y + height]


def test_who_stays_moves_on_a_straight_line_and_costs_no_look() -> None:
    (path,), looks = follow(lambda frame: [(box(100 + 2 * frame), 0.8 + 0.01 * frame)])
    assert looks == []
    for frame in range(11):
        place = path.at(frame)
        assert place is not None
        np.testing.assert_allclose(place[0], box(100 + 2 * frame), rtol=1e-6)
        assert place[1] == pytest.approx(0.8 + 0.01 * frame)


@pytest.mark.parametrize("entered", range(1, 11))
def test_who_enters_is_known_to_the_frame(entered: int) -> None:
    paths, looks = follow(lambda frame: [(box(100), 0.9)] + [(box(200), 0.9)] * (frame >= entered))
    assert sorted(frames_of(path)[0] for path in paths) == [0, entered]
    assert all(frames_of(path)[-1] == 10 for path in paths)
    assert len(looks) <= 4


@pytest.mark.parametrize("left", range(1, 11))
def test_who_leaves_is_known_to_the_frame(left: int) -> None:
    paths, looks = follow(lambda frame: [(box(100), 0.9)] + [(box(200), 0.9)] * (frame < left))
    assert sorted(frames_of(path)[-1] for path in paths) == [left - 1, 10]
    assert len(looks) <= 4


def test_who_runs_is_followed_and_never_doubled() -> None:
    paths, looks = follow(lambda frame: [(box(20 + 25 * frame, width=40), 0.9)])  # 250 px in ten frames
    for frame in range(11):
        places = [place for path in paths if (place := path.at(frame)) is not None]
        assert len(places) == 1, f"frame {frame}"
        np.testing.assert_allclose(places[0][0], box(20 + 25 * frame, width=40), rtol=1e-5)
    assert len(looks) <= 9


def test_two_who_pass_each_other_stay_two() -> None:
    paths, _ = follow(lambda f: [(box(100 + 3 * f), 0.9), (box(140 - 3 * f), 0.8)])
    for frame in range(11):
        places = [place for path in paths if (place := path.at(frame)) is not None]
        assert len(places) == 2, f"frame {frame}"


def test_flicker_of_an_unsure_box_costs_nothing() -> None:
    paths, looks = follow(lambda frame: [(box(100), 0.9)] + [(box(220), 0.35)] * (frame == 0))
    assert (len(paths), looks) == (1, [])


def test_who_was_believed_in_may_fall_below_the_threshold() -> None:
    start, end = seen((box(100), 0.5)), seen((box(100), 0.3))
    (_,) = follow_people(start, end, 10, lambda frame: seen(), HW, 3)
    assert end.known.tolist() == [True]
    (path,) = follow_people(end, later := seen((box(101), 0.28)), 10, lambda frame: seen(), HW, 3)
    assert frames_of(path) == list(range(11)) and later.known.tolist() == [True]
    assert follow_people(seen((box(100), 0.3)), seen((box(101), 0.28)), 10, lambda f: seen(), HW, 3) == []


def test_the_most_prominent_come_first() -> None:
    people = [
        (box(10, width=30, height=60), 0.95),  # small, in a corner
        (box(140, width=60, height=140), 0.6),  # large, central
        (box(250, width=60, height=140), 0.9),  # as large, at the side
    ]
    paths, _ = follow(lambda frame: people)
    found = [path.at(5) for path in paths]
    assert [place[0][0] for place in found if place is not None] == [140, 250, 10]


def test_the_detector_looks_again_only_for_the_most_prominent() -> None:
    def script(frame: int) -> list[tuple[list[float], float]]:
        staying = [(box(100, width=60), 0.9), (box(180, width=60), 0.9)]
        return staying + [(box(10, width=20, height=40), 0.9)] * (frame >= 6)  # a passer-by, far away

    assert follow(script, max_people=2)[1] == []
    assert follow(script, max_people=3)[1] != []


def test_who_is_missed_while_another_is_searched_for_stays() -> None:
    def script(frame: int) -> list[tuple[list[float], float]]:
        return [(box(100), 0.9)] * (frame in (0, 10)) + [(box(200), 0.9)] * (frame >= 6)

    paths, looks = follow(script)
    assert looks and sorted(frames_of(path)[0] for path in paths) == [0, 6]


def test_one_frame_is_all_there_is() -> None:
    start = seen((box(100), 0.9))
    (path,) = follow_people(start, None, 0, lambda frame: seen(), HW, 3)
    assert frames_of(path, 3) == [0]
    assert follow_people(seen(), None, 0, lambda frame: seen(), HW, 3) == []


def test_nobody_at_either_end_is_not_searched_for() -> None:
    assert follow(lambda frame: []) == ([], [])


def test_recognise_names_paths_and_detections() -> None:
    paths = [BoxPath(), BoxPath()]
    for path, x in zip(paths, (100.0, 200.0), strict=True):
        for frame in (0, 10):
            path.see(frame, 0, seen((box(x), 0.9)))
    assert recognise(paths, 5, seen((box(203), 0.9), (box(97), 0.9), (box(20), 0.9))) == {0: 1, 1: 0}
    assert recognise(paths, 11, seen((box(100), 0.9))) == {}


def test_recognise_leaves_a_detection_to_the_path_it_was_seen_on() -> None:
    sure, guessed = BoxPath(), BoxPath()
    for frame in (0, 5, 10):
        sure.see(frame, 0, seen((box(100, width=100), 0.9)))
    for frame in (0, 10):
        guessed.see(frame, 0, seen((box(100, width=55), 0.9)))
    # the other way round the overlaps add up to 0.55 + 0.5, this way to 1: the rest, 0.05, does not count
    two = seen((box(100, width=100), 0.9), (box(150, width=50), 0.9))
    assert recognise([sure, guessed], 5, two, min_iou=0.1) == {0: 0}
    assert recognise([sure, guessed], 5, seen((box(100, width=100), 0.9)), min_iou=0.1) == {0: 0}


def test_searching_looks_at_no_frame_twice() -> None:
    asked: list[int] = []
    people: Mapping[int, list] = {0: [(box(20), 0.9)], 10: [(box(250), 0.9), (box(130), 0.9)]}
    looks: dict[int, Detections] = {}

    def look(frame: int) -> Detections:
        if frame not in looks:
            asked.append(frame)
            looks[frame] = seen()
        return looks[frame]

    follow_people(seen(*people[0]), seen(*people[10]), 10, look, HW, 3)
    assert len(asked) == len(set(asked)) <= 9
