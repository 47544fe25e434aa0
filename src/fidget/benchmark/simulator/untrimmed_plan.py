"""What happens in simulated untrimmed recordings: who, how long, which actions from when to when.

Lengths, numbers of instances, body groups, how long and where instances lie are drawn from what MMA-52's
annotations are measured to be (`untrimmed_statistics`), each by itself; what happens at once follows from
that and from which actions one body can do at once (`untrimmed_parts`). Which action of its group it is
follows MMA-82's numbers of clips. A recording depends on its name, the seed and the person alone.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from fractions import Fraction
from functools import cache
from zlib import crc32

import numpy as np
from numpy.typing import NDArray

from fidget.benchmark.simulator.allocation import share_out
from fidget.benchmark.simulator.clip import make_subject
from fidget.benchmark.simulator.clip_plan import AFFINITY, mislabelled, split_subjects
from fidget.benchmark.simulator.motions import body_group
from fidget.benchmark.simulator.pose_state import LEFT, RIGHT
from fidget.benchmark.simulator.style import MotionStyle
from fidget.benchmark.simulator.untrimmed_parts import LONGEST_S, POSTURES, Parts, parts_of
from fidget.benchmark.simulator.untrimmed_statistics import mma52_statistics
from protocols.clip_table import SPLITS
from protocols.detection_table import DetectionTable, Instance
from protocols.mma82 import DOMAINS
from protocols.trees import class_counts, tree

NAME = "mma82-untrimmed"
SPLIT_SIZES = (4534, 1475, 519)  # MMA-52's published videos of train, val and test
SHORTEST_S = 0.5  # of an action, as of trimmed clips
PREPARE_S, RETURN_S = 0.9, 0.9  # into a posture that an action leaves, out of one that it has led to
_BETWEEN_S = 0.1  # two actions of one part
_TRIES = 12
_LOWER_LIMB = 3


@dataclass(frozen=True)
class PlannedAction:
    """One action of a recording.

    Attributes:
        start_s: when it begins, whole milliseconds.
        end_s: when it has ended.
        performed: the action that is seen.
        label: the action that is written down; another where there is label noise.
        side: LEFT or RIGHT, the acting hand or foot.
    """

    start_s: float
    end_s: float
    performed: int
    label: int
    side: int


@dataclass(frozen=True)
class PlannedRecording:
    """One recording.

    Attributes:
        recording_id: `domain/subject/u number`.
        domain: where.
        subject: who; in one split only.
        split: train, val or test.
        fps: frames a second.
        frames: T.
        actions: in the order of their beginnings.
    """

    recording_id: str
    domain: str
    subject: str
    split: str
    fps: Fraction
    frames: int
    actions: tuple[PlannedAction, ...]

    @property
    def duration_s(self) -> float:
        """Seconds of all its frames."""
        return float(self.frames / self.fps)


def plan_recordings(
    number: int, seed: int, label_noise: float = 0.0, domains: Sequence[str] = ("laboratory",)
) -> tuple[PlannedRecording, ...]:
    """Recordings of all splits.

    Args:
        number: of recordings; the splits have the shares of MMA-52's, and at least one from three on.
        seed: the same seed gives the same plan.
        label_noise: share of the instances whose label is another instance's of the same split.
        domains: where they are recorded, in turn. MMA-52's are of the laboratory; elsewhere some groups are
            seen less.

    Raises:
        ValueError: no recording, an unknown domain, a share outside 0..1.
    """
    if number < 1:
        raise ValueError(f"expected at least one recording, got {number}")
    unknown = [domain for domain in domains if domain not in DOMAINS]
    if unknown or not domains:
        raise ValueError(f"expected domains of {', '.join(DOMAINS)}, got {', '.join(unknown) or 'none'}")
    if not 0 <= label_noise <= 1:
        raise ValueError(f"expected label noise as a share within 0..1, got {label_noise}")
    planned = []
    sizes = share_out(number, np.array(SPLIT_SIZES), at_least=1 if number >= len(SPLITS) else 0)
    splits = np.repeat(np.arange(len(SPLITS)), sizes)
    people = {domain: split_subjects(domain) for domain in domains}
    for i, split in enumerate(SPLITS[which] for which in splits):
        domain = domains[i % len(domains)]
        names = people[domain][split]
        subject = names[int(np.random.default_rng([seed, i, 81]).integers(len(names)))]
        planned.append(plan_recording(f"{domain}/{subject}/u{i + 1:05d}", domain, subject, split, seed))
    return _with_label_noise(planned, label_noise, np.random.default_rng([seed, 83]))


def plan_recording(recording_id: str, domain: str, subject: str, split: str, seed: int) -> PlannedRecording:
    """One recording; it depends on its name, the seed and the person alone."""
    measured = mma52_statistics()
    rng = np.random.default_rng([seed, crc32(recording_id.encode()), 7])
    style = make_subject(domain, subject, seed).style
    rates = [Fraction(rate) for rate in measured.fps]
    fps = rates[_drawn(list(measured.fps.values()), rng)]
    longer = float(rng.random())
    frames = round(_at(measured.duration_s, longer) * fps)
    counts = measured.instances_a_video[min(int(3 * longer), 2)]
    wanted = int(list(counts)[_drawn(list(counts.values()), rng)])
    recording = PlannedRecording(recording_id, domain, subject, split, fps, frames, ())
    weights = np.array([*measured.group_shares.values()]) * AFFINITY[domain]
    groups = [_drawn(weights, rng) for _ in range(wanted)]
    parts = [*measured.group_parts[min(max(wanted, 2), 4) - 2].values()]
    lengths_s = [_at(parts[group], rng.random()) * recording.duration_s for group in groups]
    actions: list[PlannedAction] = []
    for which in np.argsort(-np.array(lengths_s), kind="stable"):  # long ones have less choice
        for _ in range(_TRIES):
            action = _fitting(recording, actions, groups[which], lengths_s[which], style, rng)
            if action is not None:
                actions.append(action)
                break
            # The body is busy with what this group needs: another one, or another length.
            groups[which] = _drawn(weights, rng)
            lengths_s[which] = _at(parts[groups[which]], rng.random()) * recording.duration_s
    return replace(recording, actions=tuple(sorted(actions, key=lambda one: (one.start_s, one.end_s))))


def table_of(recordings: Sequence[PlannedRecording]) -> DetectionTable:
    """The recordings as a reader of their table has them."""
    return DetectionTable(
        NAME,
        tree("mma82"),
        tuple(one.recording_id for one in recordings),
        np.array([one.duration_s for one in recordings]),
        tuple(one.fps for one in recordings),
        tuple(one.split for one in recordings),
        tuple(one.domain for one in recordings),
        tuple(one.subject for one in recordings),
        tuple(
            Instance(one.recording_id, action.start_s, action.end_s, action.label)
            for one in recordings
            for action in one.actions
        ),
        simulated=True,
        note="simulated untrimmed recordings",
    )


def _fitting(
    recording: PlannedRecording,
    others: list[PlannedAction],
    group: int,
    long_s: float,
    style: MotionStyle,
    rng: np.random.Generator,
) -> PlannedAction | None:
    """An action of a group and a length that the body can do beside the others; None if none is found."""
    places = mma52_statistics().places
    for _ in range(_TRIES):
        label = _drawn(_group_weights()[group], rng)
        length_s = min(max(long_s, SHORTEST_S), recording.duration_s, LONGEST_S.get(label, np.inf))
        start_s = round(_at(places, rng.random()) * (recording.duration_s - length_s), 3)
        end_s = min(round(start_s + length_s, 3), int(1000 * recording.duration_s) / 1000)
        left = style.left_foot_share if group == _LOWER_LIMB else style.left_share
        side = LEFT if rng.random() < left else RIGHT
        action = PlannedAction(start_s, end_s, label, label, side)
        if not any(in_the_way(action, other, recording.duration_s) for other in others):
            return action
    return None


def in_the_way(one: PlannedAction, other: PlannedAction, duration_s: float) -> bool:
    """Whether two actions need the same part at the same time."""
    shared: Parts = parts_of(one.performed, one.side) & parts_of(other.performed, other.side)
    if not shared:
        return False
    first, second = (moving_s(action, duration_s) for action in (one, other))
    return min(first[1], second[1]) + _BETWEEN_S > max(first[0], second[0])


def moving_s(action: PlannedAction, duration_s: float) -> tuple[float, float]:
    """From when to when an action moves the body: a change of posture is prepared before, undone behind."""
    if action.performed not in POSTURES:
        return action.start_s, action.end_s
    return max(action.start_s - PREPARE_S, 0.0), min(action.end_s + RETURN_S, duration_s)


@cache
def _group_weights() -> NDArray[np.float64]:
    """(G, A) MMA-82's numbers of clips of the actions of each group."""
    counts = np.array(class_counts("mma82"), np.float64)
    groups = np.array([body_group(label) for label in range(len(counts))])
    return counts * (groups == np.arange(groups.max() + 1)[:, None])


def _with_label_noise(
    recordings: list[PlannedRecording], share: float, rng: np.random.Generator
) -> tuple[PlannedRecording, ...]:
    """Some labels have changed places within their split."""
    if not share:
        return tuple(recordings)
    of_split = [sum(len(one.actions) for one in recordings if one.split == split) for split in SPLITS]
    performed = np.array([action.performed for one in recordings for action in one.actions], np.int64)
    written = iter(mislabelled(performed, of_split, share, rng).tolist())
    return tuple(
        replace(one, actions=tuple(replace(action, label=next(written)) for action in one.actions))
        for one in recordings
    )


def _at(quantiles: Sequence[float], share: float) -> float:
    """The value of a share by evenly spaced quantiles."""
    return float(np.interp(share, np.linspace(0, 1, len(quantiles)), quantiles))


def _drawn(weights: Sequence[float] | NDArray[np.float64], rng: np.random.Generator) -> int:
    """An index by its weight."""
    summed = np.cumsum(np.asarray(weights, np.float64))
    return int(np.searchsorted(summed, rng.random() * summed[-1], side="right"))
