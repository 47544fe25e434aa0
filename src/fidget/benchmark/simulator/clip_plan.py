"""Which clips a simulated MMA-82 has: class, domain, split, subject and length of each, before any is made.

Class counts, split sizes, numbers of subjects and mean lengths are the published ones, times the scale. How a
domain's clips are spread over the classes is not published; the affinities here are the author's: legs are
hardly labelled where the picture ends at the chest, hands are not laid on legs by people who stand.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from fidget.benchmark.simulator.allocation import Counts, allocate, fill_column, share_out
from protocols.clip_table import SPLITS
from protocols.mma82 import DOMAINS, published_sizes
from protocols.trees import class_counts, tree

FPS = 30
SHORTEST_FRAMES, LONGEST_FRAMES = 15, 360
_LENGTH_SPREAD = 0.5  # standard deviation of the logarithm of a clip's length

# How willingly a group's actions (columns: Body .. Leg-hand) are found in a domain.
AFFINITY = {
    "laboratory": (1.0, 1.0, 1.0, 1.0, 1.0, 1.0, 1.0),
    "psychiatric": (1.0, 1.0, 0.9, 0.8, 0.8, 0.9, 1.0),
    "street": (1.2, 1.0, 1.1, 0.4, 1.0, 1.0, 0.15),
    "emotion": (0.8, 1.4, 0.9, 0.05, 0.8, 1.3, 0.05),
}
_PREFIX = {"laboratory": "lab", "psychiatric": "psy", "street": "str", "emotion": "emo"}


@dataclass(frozen=True, eq=False)
class ClipPlan:
    """What is to be made, N clips in the order of domain and split.

    Attributes:
        clip_ids: N, `domain/subject/number`.
        performed: (N,) int64, the action that is seen.
        labels: (N,) int64, the action that is written down; others where there is label noise.
        splits: N of train, val, test.
        domains: N.
        subjects: N names; a subject is in one domain and in one split.
        frames: (N,) int64 at 30 frames a second.
    """

    clip_ids: tuple[str, ...]
    performed: NDArray[np.int64]
    labels: NDArray[np.int64]
    splits: tuple[str, ...]
    domains: tuple[str, ...]
    subjects: tuple[str, ...]
    frames: NDArray[np.int64]

    def __len__(self) -> int:
        return len(self.clip_ids)


def plan_clips(scale: float, seed: int, label_noise: float = 0.0) -> ClipPlan:
    """The clips of a simulated MMA-82.

    At scale 1 every class count and split size is the published one; below, they are in proportion, and the
    laboratory's training split keeps at least one clip of every class (so it has at least 82).

    Args:
        scale: share of the published clips, above 0.
        seed: the same seed gives the same plan.
        label_noise: share of clips whose label is another clip's of the same domain and split; counts of
            classes stay as they are.

    Raises:
        ValueError: a scale that is not above 0, a share outside 0..1.
    """
    if not 0 < scale <= 100:
        raise ValueError(f"expected a scale above 0 and up to 100, such as 0.05, got {scale}")
    if not 0 <= label_noise <= 1:
        raise ValueError(f"expected label noise as a share within 0..1, got {label_noise}")
    rng = np.random.default_rng([seed, 82])
    counts = count_clips(scale)
    parts = [
        _plan_cell(counts[:, 3 * d + s], domain, split, rng)
        for d, domain in enumerate(DOMAINS)
        for s, split in enumerate(SPLITS)
    ]
    performed = np.concatenate([labels for labels, _ in parts])
    subjects = [subject for _, names in parts for subject in names]
    sizes = [len(labels) for labels, _ in parts]
    domains = [domain for i, size in enumerate(sizes) for domain in [DOMAINS[i // 3]] * size]
    splits = [split for i, size in enumerate(sizes) for split in [SPLITS[i % 3]] * size]
    seen: dict[str, int] = {}
    clip_ids = []
    for domain, subject in zip(domains, subjects, strict=True):
        seen[subject] = seen.get(subject, 0) + 1
        clip_ids.append(f"{domain}/{subject}/{seen[subject]:04d}")
    return ClipPlan(
        tuple(clip_ids),
        performed,
        mislabelled(performed, sizes, label_noise, rng),
        tuple(splits),
        tuple(domains),
        tuple(subjects),
        _draw_frames(performed, domains, rng),
    )


def count_clips(scale: float) -> Counts:
    """(82, 12) clips of each class in each domain and split, in the order of `DOMAINS` times `SPLITS`."""
    sizes = published_sizes()
    classes = len(class_counts("mma82"))
    columns = np.array(
        [max(1, round(sizes[domain, split] * scale)) for domain in DOMAINS for split in SPLITS], np.int64
    )
    columns[0] = max(columns[0], classes)
    rows = share_out(int(columns.sum()), np.array(class_counts("mma82")), at_least=1)
    group_of = np.array(tree("mma82").group_of)
    by_domain = np.array([AFFINITY[domain] for domain in DOMAINS])[:, group_of].T  # (82, 4)
    spread = np.repeat(by_domain, len(SPLITS), axis=1) * rows[:, None] * columns
    return fill_column(allocate(rows, columns, spread), 0)


def split_subjects(domain: str) -> dict[str, tuple[str, ...]]:
    """The published number of subjects of a domain, dealt to the splits by their sizes; nobody is in two."""
    sizes = published_sizes()
    number = int(sizes[domain, "subjects"])
    shares = share_out(number, np.array([sizes[domain, split] for split in SPLITS]), at_least=1)
    names = [f"{_PREFIX[domain]}{i + 1:03d}" for i in range(number)]
    ends = np.cumsum(shares)
    return {
        split: tuple(names[end - share : end]) for split, share, end in zip(SPLITS, shares, ends, strict=True)
    }


def _plan_cell(
    counts: Counts, domain: str, split: str, rng: np.random.Generator
) -> tuple[NDArray[np.int64], list[str]]:
    """Labels and subjects of one domain's split, shuffled."""
    labels = np.repeat(np.arange(len(counts)), counts)
    rng.shuffle(labels)
    names = split_subjects(domain)[split]
    share = rng.gamma(3.0, size=len(names))  # some people come more often
    who = rng.choice(len(names), size=len(labels), p=share / share.sum())
    if len(labels) >= len(names):
        who[: len(names)] = np.arange(len(names))  # everybody once; the labels are shuffled
    return labels, [names[i] for i in who]


def mislabelled(
    performed: NDArray[np.int64], sizes: list[int], label_noise: float, rng: np.random.Generator
) -> NDArray[np.int64]:
    """Labels, some of which have changed places within their domain and split."""
    labels = performed.copy()
    start = 0
    for size in sizes:
        chosen = start + rng.permutation(size)[: round(label_noise * size)]
        if len(chosen) > 1:
            labels[chosen] = np.roll(labels[chosen], 1)
        start += size
    return labels


def _draw_frames(
    performed: NDArray[np.int64], domains: list[str], rng: np.random.Generator
) -> NDArray[np.int64]:
    """Lengths around each domain's published mean, which the clips of a domain keep together."""
    sizes, where = published_sizes(), np.array(domains)
    frames = np.zeros(len(performed), np.int64)
    for domain in DOMAINS:
        mine = np.flatnonzero(where == domain)
        drawn = rng.lognormal(0, _LENGTH_SPREAD, len(mine))
        mean = sizes[domain, "mean_seconds"] * FPS
        for _ in range(6):  # holding them between the shortest and the longest moves the mean
            drawn = np.clip(drawn * mean / drawn.mean(), SHORTEST_FRAMES, LONGEST_FRAMES)
        frames[mine] = np.rint(drawn)
    return frames
