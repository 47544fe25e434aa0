"""The papers' emotion results beside ours, and what their gains come to in clips.

A paper prints per cent; how many clips stand behind them follows where few numbers of clips fit all of its
percentages at once. MMA-82's three accuracies fit 210 clips first: 48, 68 and 69 of them. So what it gains by
adding faces to micro-actions is one clip, and no pairing of the two methods' clips makes that significant.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction

import numpy as np

from protocols.emotion_measures import plural
from protocols.intervals import Interval
from protocols.published import find_published, read_published
from protocols.recognition import bootstrap_interval

_TOP5 = {
    "base": "top-5 ablation: base",
    "without": "top-5 ablation: without top-5 micro-actions (published row name: No Top-5 MAs only)",
    "only": "top-5 ablation: top-5 micro-actions only",
}
_MOST_CLIPS = 100_000


@dataclass(frozen=True)
class PublishedGain:
    """What a published gain can be at its best.

    Attributes:
        clips: smallest number of test clips that fits the percentages; the true one may be a multiple.
        first_right: clips that stand behind the larger percentage.
        second_right: behind the smaller.
        smallest_p: of McNemar's exact test, if the better method loses no clip that the other had.
        interval: of the difference in that case, in 0..1.
    """

    clips: int
    first_right: int
    second_right: int
    smallest_p: float
    interval: Interval

    @property
    def difference_clips(self) -> int:
        """Clips gained."""
        return self.first_right - self.second_right

    def told(self, first: str, second: str) -> str:
        """The gain in one sentence."""
        low, high = self.interval
        points = 100 * self.difference_clips / self.clips
        return (
            f"{first} against {second}: {self.first_right} and {self.second_right} of about {self.clips} "
            f"clips, a gain of {self.difference_clips} {plural(self.difference_clips)} or "
            f"{points:.2f} points; even if no clip was lost, the 95 % interval is {100 * low:+.2f} to "
            f"{100 * high:+.2f} points and "
            f"McNemar's exact p is {self.smallest_p:.2g} at least"
        )


def fitting_clips(percentages: Sequence[str]) -> int:
    """The smallest number of clips of which whole numbers give all percentages as printed.

    Args:
        percentages: as printed, with their decimals: `("22.86", "32.38")`.

    Raises:
        ValueError: none up to 100,000 fits.
    """
    wanted = [(Fraction(text), Fraction(1, 2 * 10 ** len(text.partition(".")[2]))) for text in percentages]
    for clips in range(1, _MOST_CLIPS + 1):
        if all(abs(Fraction(100 * round(v * clips / 100), clips) - v) <= half for v, half in wanted):
            return clips
    raise ValueError(f"no number of clips up to {_MOST_CLIPS:,} gives {', '.join(percentages)} per cent")


def published_gain(first: str, second: str, clips: int, rng: np.random.Generator) -> PublishedGain:
    """What lies behind the difference of two printed accuracies.

    Args:
        first: the larger one, as printed, per cent.
        second: the smaller one.
        clips: of the test set, as from `fitting_clips`.
        rng: source of the interval's draws.

    Raises:
        ValueError: the first is not the larger one.
    """
    right = [round(Fraction(text) * clips / 100) for text in (first, second)]
    gained = right[0] - right[1]
    if gained < 0:
        raise ValueError(f"expected the larger accuracy first, got {first} and {second}")
    better = np.arange(clips) < gained  # clips that only the first tells right; no other differs
    return PublishedGain(
        clips, right[0], right[1], min(1.0, 2 * 0.5**gained), bootstrap_interval(better, rng)
    )


def mma82_gain(rng: np.random.Generator) -> PublishedGain:
    """Faces and micro-actions together against micro-actions alone, as MMA-82 prints them."""
    printed = {
        dict(value.setting)["experiment"]: value.text
        for value in find_published("mma82_emotion", metric="accuracy")
    }
    face, actions, both = (printed[name] for name in ("micro-expression only", "micro-action only", "both"))
    return published_gain(both, actions, fitting_clips((face, actions, both)), rng)


def published_rows(table: str) -> tuple[tuple[str, tuple[str, ...]], ...]:
    """Rows of `mma82_emotion` or `ma52pro_emotion` as printed: name of the row, cells; `-` for empty ones.

    Raises:
        ValueError: no such table.
    """
    found: dict[str, dict[str, str]] = {}
    metrics: dict[str, None] = {}
    for value in read_published(table):
        experiment = dict(value.setting).get("experiment", "")
        name = f"{experiment} ({value.method})" if experiment and value.method else experiment or value.method
        found.setdefault(name, {})[value.metric] = value.text
        metrics.setdefault(value.metric)
    return tuple((name, tuple(cells.get(metric, "-") for metric in metrics)) for name, cells in found.items())


def published_top5() -> dict[str, tuple[float, float]]:
    """`base`, `without`, `only` -> accuracy and F1 in 0..1, as MMA-82 prints its top-5 experiment."""
    values = {
        (dict(value.setting)["experiment"], value.metric): value.fraction
        for value in read_published("mma82_emotion")
    }
    return {key: (values[name, "accuracy"], values[name, "f1"]) for key, name in _TOP5.items()}
