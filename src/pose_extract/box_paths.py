"""Boxes of people between two frames that a detector has seen: who stayed, who came, who left, and when.

A person seen at both ends is where the straight line between the two boxes says. Where somebody is seen at
one end only, the detector looks at the frame halfway, and so on into each half in which somebody still has no
partner. So people who stay cost nothing, one who enters a window of ten frames costs four looks at most and
is known to the frame, and one who runs faster than boxes overlap is detected in every frame.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from pose_extract.boxes import Boxes, Scores, areas, match

MIN_IOU = 0.3
"""Two boxes that overlap less are not taken for one person without a look in between."""

STARTS_AT = 0.4
"""Box score at which somebody new is believed in; one who was there before may fall to the detector's own."""


@dataclass(frozen=True, eq=False)
class Detections:
    """What a detector saw in one frame.

    Attributes:
        boxes: (P, 4).
        scores: (P,).
        known: (P,) whether this is somebody believed in before.
    """

    boxes: Boxes
    scores: Scores
    known: NDArray[np.bool_]

    @staticmethod
    def of(boxes: Boxes, scores: Scores) -> Detections:
        """Fresh from the detector: nobody is known."""
        return Detections(boxes, scores, np.zeros(len(boxes), bool))


@dataclass(eq=False)
class BoxPath:
    """One person's boxes: where they were seen, and straight lines between.

    Attributes:
        seen: frame -> index among that frame's detections, box (4,), score.
    """

    seen: dict[int, tuple[int, NDArray[np.float32], float]] = field(default_factory=dict)

    def see(self, frame: int, index: int, detections: Detections) -> None:
        """Add a sighting."""
        self.seen[frame] = (index, detections.boxes[index], float(detections.scores[index]))

    def at(self, frame: int) -> tuple[NDArray[np.float32], float] | None:
        """Box (4,) and score in a frame; None before the first and after the last sighting."""
        if frame in self.seen:
            return self.seen[frame][1:]
        before = max((seen for seen in self.seen if seen < frame), default=None)
        after = min((seen for seen in self.seen if seen > frame), default=None)
        if before is None or after is None:
            return None
        share = (frame - before) / (after - before)
        (_, box_a, score_a), (_, box_b, score_b) = self.seen[before], self.seen[after]
        box = box_a + np.float32(share) * (box_b - box_a)
        return box, score_a + share * (score_b - score_a)


def follow_people(
    start: Detections,
    end: Detections | None,
    last: int,
    look: Callable[[int], Detections],
    frame_hw: tuple[int, int],
    max_people: int,
) -> list[BoxPath]:
    """Paths of people between frame 0 and frame `last`, most prominent first.

    Marks those at the end who are believed in as known, for the frames that follow.

    Args:
        start: detections of frame 0.
        end: detections of frame `last`; None where frame 0 is all there is.
        last: the other end.
        look: detections of a frame in between; asked once a frame at most.
        frame_hw: to judge who is central.
        max_people: the detector looks again only for those who are among so many most prominent.
    """
    window = _Window(look, frame_hw, max_people)
    at_start = window.begin(start, 0, range(len(start.boxes)))
    if end is not None:
        window.link(0, last, at_start, window.begin(end, last, range(len(end.boxes))))
    paths = [path for path in window.paths() if window.believed(path)]
    for path in paths:
        if end is not None and last in path.seen:
            end.known[path.seen[last][0]] = True
    return sorted(paths, key=lambda path: -prominence(path, frame_hw))


def recognise(
    paths: Sequence[BoxPath], frame: int, detections: Detections, min_iou: float = MIN_IOU
) -> dict[int, int]:
    """Which path, by index, is which detection, by index, in a frame that the paths pass through.

    A path that was seen in this frame keeps its detection; the others share what is left.
    """
    found = {i: path.seen[frame][0] for i, path in enumerate(paths) if frame in path.seen}
    free = sorted(set(range(len(detections.boxes))) - set(found.values()))
    passing = [
        (i, place[0])
        for i, path in enumerate(paths)
        if i not in found and (place := path.at(frame)) is not None
    ]
    boxes = np.array([box for _, box in passing], np.float32).reshape(-1, 4)
    for row, column in match(boxes, detections.boxes[free], min_iou):
        found[passing[row][0]] = free[column]
    return found


def prominence(path: BoxPath, frame_hw: tuple[int, int]) -> float:
    """Mean area of the boxes, half as much in a corner of the frame as in its centre."""
    boxes = np.array([box for _, box, _ in path.seen.values()], np.float64)
    centre = (boxes[:, :2] + boxes[:, 2:]) / 2
    size = np.array(frame_hw[::-1], np.float64)
    off_centre = np.linalg.norm(centre - (size - 1) / 2, axis=1) / (np.linalg.norm(size) / 2)
    return float(np.mean(areas(boxes) * (1 - 0.5 * off_centre)))


class _Window:
    """Links what was seen in some frames of one window into paths, and looks where that does not do."""

    def __init__(self, look: Callable[[int], Detections], frame_hw: tuple[int, int], max_people: int) -> None:
        self._look, self._frame_hw, self._max_people = look, frame_hw, max_people
        self._pieces: list[BoxPath] = []  # linked ones share one `seen`
        self._known: set[int] = set()  # ids of `seen` of people believed in before

    def begin(self, detections: Detections, frame: int, indices: Iterable[int]) -> list[BoxPath]:
        """New pieces for some detections of a frame."""
        pieces = [BoxPath() for _ in indices]
        for piece, index in zip(pieces, indices, strict=True):
            piece.see(frame, index, detections)
            if detections.known[index]:
                self._known.add(id(piece.seen))
        self._pieces += pieces
        return pieces

    def paths(self) -> list[BoxPath]:
        """Each path once."""
        return list({id(piece.seen): piece for piece in self._pieces}.values())

    def believed(self, path: BoxPath) -> bool:
        """Whether this is a person: surely seen somewhere, or known before."""
        return id(path.seen) in self._known or any(score >= STARTS_AT for _, _, score in path.seen.values())

    def link(self, first: int, last: int, at_first: list[BoxPath], at_last: list[BoxPath]) -> None:
        """Join pieces seen at two frames; look in between for those who have no partner."""
        boxes_first = np.array([piece.seen[first][1] for piece in at_first], np.float32).reshape(-1, 4)
        boxes_last = np.array([piece.seen[last][1] for piece in at_last], np.float32).reshape(-1, 4)
        pairs = match(boxes_first, boxes_last, MIN_IOU)
        for i, j in pairs:
            self._join(at_first[i], at_last[j])
        alone_first = [p for i, p in enumerate(at_first) if i not in {i for i, _ in pairs}]
        alone_last = [p for j, p in enumerate(at_last) if j not in {j for _, j in pairs}]
        wanted = [p for p in alone_first if self._matters(p, first)]
        wanted += [p for p in alone_last if self._matters(p, last)]
        if last - first < 2 or not wanted:
            return
        middle = (first + last) // 2
        detections = self._look(middle)
        passing = self.paths()
        taken = recognise(passing, middle, detections)
        for index, column in taken.items():
            passing[index].see(middle, column, detections)
        free = sorted(set(range(len(detections.boxes))) - set(taken.values()))
        at_middle = self.begin(detections, middle, free)
        self.link(first, middle, alone_first, at_middle)
        self.link(middle, last, at_middle, alone_last)

    def _join(self, path: BoxPath, piece: BoxPath) -> None:
        """Give a path another sighting; `piece` is later and has that one only."""
        path.seen.update(piece.seen)
        piece.seen = path.seen

    def _matters(self, path: BoxPath, frame: int) -> bool:
        """Whether this is a person, and among the most prominent ones of the frame."""
        if not self.believed(path):
            return False
        here = [other for other in self.paths() if self.believed(other) and other.at(frame) is not None]
        own = prominence(path, self._frame_hw)
        return sum(prominence(other, self._frame_hw) > own for other in here) < self._max_people
