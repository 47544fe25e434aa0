"""How annotated actions lie in real untrimmed videos, in few numbers, and which of them a simulation takes.

The numbers of MMA-52 are in `untrimmed_mma52.json`, which `python -m benchmarks.mma52_statistics --write`
measures from the annotations (training and validation, 6,009 videos, 18,433 instances): nobody typed them.
"""

from __future__ import annotations

import json
from collections import Counter
from dataclasses import asdict, dataclass
from functools import cache
from importlib.resources import files

import numpy as np
from numpy.typing import NDArray

from protocols.detection_table import DetectionTable, Instance, by_video

TABLE = "untrimmed_mma52.json"
OVERLAP_S = 0.1  # two instances are at once from here on
EDGE_S = 0.1  # an instance begins or ends with its video within this
_DURATION_SHARES = np.linspace(0, 1, 21)
_INSTANCE_SHARES = np.linspace(0, 1, 11)
_STEP_S = 0.1


@dataclass(frozen=True)
class UntrimmedStatistics:
    """Of a set of annotated videos.

    Attributes:
        source: what was measured.
        videos: with at least one instance.
        instances: in them.
        fps: share of the videos by frame rate.
        duration_s: 21 quantiles of a video's length, from the shortest to the longest.
        instances_a_video: share of the videos with so many instances, by the third of videos in the order of
            their length, the shortest first.
        instance_s: 21 quantiles of an instance's length.
        group_shares: share of the instances by body group.
        group_parts: 11 quantiles of the part of its video that an instance of a group lasts, for videos with
            up to 2, 3, and more instances.
        places: 11 quantiles of where an instance lies: 0 begins with the video, 1 ends with it; of instances
            that leave at least a tenth of the video.
        begins: share of the videos in which an instance begins with the video.
        ends: share in which one ends with it.
        overlapping: share of the instances during which another one is going on for 0.1 s or more.
        at_once: share of the time with 0, 1, 2, 3 and more instances.
        pairs: share of the pairs of instances at once by their two groups, `Head + Upper limb`.
    """

    source: str
    videos: int
    instances: int
    fps: dict[str, float]
    duration_s: tuple[float, ...]
    instances_a_video: tuple[dict[str, float], ...]
    instance_s: tuple[float, ...]
    group_shares: dict[str, float]
    group_parts: tuple[dict[str, tuple[float, ...]], ...]
    places: tuple[float, ...]
    begins: float
    ends: float
    overlapping: float
    at_once: tuple[float, ...]
    pairs: dict[str, float]


@cache
def mma52_statistics() -> UntrimmedStatistics:
    """Of MMA-52's training and validation videos, as measured by `benchmarks/mma52_statistics.py`."""
    text = files("fidget.benchmark.simulator").joinpath(TABLE).read_text(encoding="utf-8")
    return UntrimmedStatistics(**_tuples(json.loads(text)))


def statistics_json(found: UntrimmedStatistics) -> str:
    """The content of the table's file."""
    return json.dumps(asdict(found), indent=1) + "\n"


def measure(table: DetectionTable, source: str) -> UntrimmedStatistics:
    """Statistics of the videos that have instances.

    Raises:
        ValueError: no video has one, or a video's length or frame rate is not known.
    """
    of_video = by_video(table.instances)
    rows = [row for row, video_id in enumerate(table.video_ids) if video_id in of_video]
    if not rows:
        raise ValueError(f"{table.name}: expected videos with instances, there is none")
    length_s = table.duration_s[rows]
    rates = [rate for row in rows if (rate := table.fps[row]) is not None]
    if not (length_s > 0).all() or len(rates) < len(rows):
        raise ValueError(f"{table.name}: expected the length and the frame rate of every video")
    videos = [of_video[table.video_ids[row]] for row in rows]
    group_of, groups = table.tree.group_of, table.tree.groups
    long_s = np.array([one.t_end_s - one.t_start_s for video in videos for one in video])
    begun_s = np.array([one.t_start_s for video in videos for one in video])
    whole_s = np.repeat(length_s, [len(video) for video in videos])
    group = np.array([group_of[one.label] for video in videos for one in video])
    beside = np.repeat([len(video) for video in videos], [len(video) for video in videos])
    part, room_s = long_s / whole_s, whole_s - long_s
    place = (begun_s / np.maximum(room_s, 1e-9))[room_s >= 0.1 * whole_s]
    pairs, overlapping = _pairs(videos, group_of, groups)
    by_length = np.array_split(np.argsort(length_s, kind="stable"), 3)
    shares = np.bincount(group, minlength=len(groups)) / len(group)
    return UntrimmedStatistics(
        source=source,
        videos=len(videos),
        instances=len(long_s),
        fps={str(rate): _round(n / len(rates)) for rate, n in sorted(Counter(rates).items())},
        duration_s=_quantiles(length_s, _DURATION_SHARES),
        instances_a_video=tuple(_shares(Counter(len(videos[i]) for i in third)) for third in by_length),
        instance_s=_quantiles(long_s, _DURATION_SHARES),
        group_shares={name: _round(share) for name, share in zip(groups, shares, strict=True)},
        group_parts=tuple(
            {
                name: _quantiles(part[(group == k) & crowd], _INSTANCE_SHARES)
                for k, name in enumerate(groups)
                if ((group == k) & crowd).any()
            }
            for crowd in (beside <= 2, beside == 3, beside > 3)
        ),
        places=_quantiles(place, _INSTANCE_SHARES),
        begins=_round(np.mean([min(one.t_start_s for one in video) < EDGE_S for video in videos])),
        ends=_round(
            np.mean([s - max(o.t_end_s for o in v) < EDGE_S for s, v in zip(length_s, videos, strict=True)])
        ),
        overlapping=_round(overlapping / len(long_s)),
        at_once=_at_once(videos, length_s),
        pairs=_shares(pairs),
    )


def _pairs(
    videos: list[list[Instance]], group_of: tuple[int, ...], groups: tuple[str, ...]
) -> tuple[Counter[str], int]:
    """Pairs of instances at once by their groups, and how many instances are in one."""
    pairs: Counter[str] = Counter()
    overlapping = 0
    for video in videos:
        with_another = set()
        for i, one in enumerate(video):
            for k in range(i + 1, len(video)):
                both_s = min(one.t_end_s, video[k].t_end_s) - max(one.t_start_s, video[k].t_start_s)
                if both_s >= OVERLAP_S:
                    with_another |= {i, k}
                    names = sorted((group_of[one.label], group_of[video[k].label]))
                    pairs[" + ".join(groups[name] for name in names)] += 1
        overlapping += len(with_another)
    return pairs, overlapping


def _at_once(videos: list[list[Instance]], length_s: NDArray[np.float64]) -> tuple[float, ...]:
    """Share of the time with 0, 1, 2, 3 and more instances."""
    counts = np.zeros(4)
    for video, whole_s in zip(videos, length_s, strict=True):
        time_s = np.arange(0, whole_s, _STEP_S)[:, None]
        start_s = np.array([one.t_start_s for one in video])
        end_s = np.array([one.t_end_s for one in video])
        going_on = ((start_s <= time_s) & (time_s < end_s)).sum(axis=1)
        counts += np.bincount(np.minimum(going_on, 3), minlength=4)
    return tuple(_round(share) for share in counts / counts.sum())


def _quantiles(values: NDArray[np.float64], shares: NDArray[np.float64]) -> tuple[float, ...]:
    return tuple(_round(value) for value in np.quantile(values, shares))


def _shares(counts: Counter[str] | Counter[int]) -> dict[str, float]:
    """Shares of a counter, the key of most first."""
    total = sum(counts.values())
    return {str(key): _round(n / total) for key, n in counts.most_common()}


def _round(value: float | np.floating) -> float:
    return round(float(value), 4)


def _tuples(value: object) -> dict[str, object]:
    """Lists of JSON as tuples, one level and in the values of dictionaries."""
    assert isinstance(value, dict)
    return {key: _tuple(found) for key, found in value.items()}


def _tuple(value: object) -> object:
    if isinstance(value, list):
        return tuple(_tuple(one) for one in value)
    if isinstance(value, dict):
        return {key: _tuple(one) for key, one in value.items()}
    return value
