"""Boxes of people between two frames that a detector has seen: who stayed, who came, who left, and when.

A person seen at both ends is where the straight line between the two boxes says. A person seen at one end
only is searched for: the detector looks at the frame halfway, then halfway into the half that holds the
change, until it is known to the frame. So people who stay cost nothing, and one who enters a window of ten
frames costs four looks at most.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
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
    """Paths of the most prominent people between frame 0 and frame `last`, most prominent first.

    Marks those at the end who are believed in as known, for the frames that follow.

    Args:
        start: detections of frame 0.
        end: detections of frame `last`; None where frame 0 is all there is.
        last: the other end.
        look: detections of a frame in between; it should remember, the same frame is asked for repeatedly.
        frame_hw: to judge who is central.
        max_people: how many to follow.
    """
    paths = _pair(start, end, last)
    paths = [path for path in paths if _believed(path, start, end, last)]
    paths.sort(key=lambda path: -_prominence(path, frame_hw))
    paths = paths[:max_people]
    if end is not None:
        for path in paths:
            if last not in path.seen:
                _search(path, 0, last, paths, look)
            elif 0 not in path.seen:
                _search(path, last, 0, paths, look)
            if last in path.seen:
                end.known[path.seen[last][0]] = True
    return paths


def recognise(
    paths: Sequence[BoxPath], frame: int, detections: Detections, min_iou: float = MIN_IOU
) -> dict[int, int]:
    """Which path, by index, is which detection, by index, in a frame that the paths pass through."""
    passing = [(i, place[0]) for i, path in enumerate(paths) if (place := path.at(frame)) is not None]
    boxes = np.array([box for _, box in passing], np.float32).reshape(-1, 4)
    return {passing[row][0]: column for row, column in match(boxes, detections.boxes, min_iou)}


def _pair(start: Detections, end: Detections | None, last: int) -> list[BoxPath]:
    from_start = [BoxPath() for _ in start.boxes]
    for index, path in enumerate(from_start):
        path.see(0, index, start)
    if end is None:
        return from_start
    pairs = {j: i for i, j in match(start.boxes, end.boxes, MIN_IOU)}
    newcomers = []
    for index in range(len(end.boxes)):
        path = from_start[pairs[index]] if index in pairs else BoxPath()
        path.see(last, index, end)
        if index not in pairs:
            newcomers.append(path)
    return from_start + newcomers


def _believed(path: BoxPath, start: Detections, end: Detections | None, last: int) -> bool:
    if any(score >= STARTS_AT for _, _, score in path.seen.values()):
        return True
    ends = ((0, start), (last, end))
    return any(
        frame in path.seen and bool(detections.known[path.seen[frame][0]])
        for frame, detections in ends
        if detections is not None
    )


def _prominence(path: BoxPath, frame_hw: tuple[int, int]) -> float:
    """Mean area of the boxes, half as much in a corner of the frame as in its centre."""
    boxes = np.array([box for _, box, _ in path.seen.values()], np.float64)
    centre = (boxes[:, :2] + boxes[:, 2:]) / 2
    size = np.array(frame_hw[::-1], np.float64)
    off_centre = np.linalg.norm(centre - (size - 1) / 2, axis=1) / (np.linalg.norm(size) / 2)
    return float(np.mean(areas(boxes) * (1 - 0.5 * off_centre)))


def _search(
    path: BoxPath, seen: int, unseen: int, paths: Sequence[BoxPath], look: Callable[[int], Detections]
) -> None:
    """Find how far a path goes from a frame where it was seen towards one where it was not."""
    others = [other for other in paths if other is not path]
    while abs(unseen - seen) > 1:
        middle = (seen + unseen) // 2
        detections = look(middle)
        # for this look the path is where it was last seen; the others keep what is theirs
        probe = BoxPath({middle: path.seen[seen]})
        found = recognise([probe, *others], middle, detections)
        for index, column in found.items():
            ([path, *others][index]).see(middle, column, detections)
        seen, unseen = (middle, unseen) if 0 in found else (seen, middle)
