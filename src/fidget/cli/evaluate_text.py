"""What `fidget evaluate` measured of a score file, and how it is printed."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from protocols.calibration import Calibration
from protocols.class_table import ClassTable
from protocols.comparison import Comparison, Spread
from protocols.intervals import Interval
from protocols.recognition import BODY_LEVELS, LevelMeasures, Recognition
from protocols.scores import ScoreFile

_RULES = {"body": "group of the best action", "body_summed": "group of the largest sum of probabilities"}
_SHOWN = ("top1", "top5", "mean_class", "macro_f1")
_TITLES = {
    "top1": "top-1",
    "top5": "top-5",
    "mean_class": "mean class",
    "macro_f1": "macro-F1",
    "f1_mean": "F1mean",
    "f1_mean_summed": "F1mean",
}


@dataclass(frozen=True)
class Measured:
    """All that is known of one score file.

    Attributes:
        path: as it was named.
        scores: the file.
        recognition: its measures by level.
        measures: by name.
        intervals: of these, by the same names.
        table: of the actions.
        body_table: of the body groups, None without groups.
        bands: whether head, middle and tail were asked for.
        calibration: of every level with probabilities, empty where it was not asked for.
        calibration_intervals: of these, by name.
        comparison: with another method, None without one.
        against: what that is.
    """

    path: str
    scores: ScoreFile
    recognition: Recognition
    measures: dict[str, float]
    intervals: dict[str, Interval]
    table: ClassTable
    body_table: ClassTable | None
    bands: bool
    calibration: tuple[Calibration, ...]
    calibration_intervals: dict[str, Interval]
    comparison: Comparison | None
    against: str

    @property
    def name(self) -> str:
        """Method and seed."""
        seed = "" if self.scores.seed is None else f", seed {self.scores.seed}"
        return f"{self.scores.method or 'unnamed'}{seed}"


def print_measured(one: Measured, body: str, classes: bool) -> None:
    """Print everything about one file.

    Args:
        one: the file.
        body: rule of the body groups, `top` or `summed`.
        classes: whether every class is printed.
    """
    seed = "" if one.scores.seed is None else f", seed {one.scores.seed}"
    method = one.scores.method or "unnamed"
    print(f"{one.path}: {method} on {one.scores.tree.name}, {one.recognition.clips:,} clips{seed}")
    _print_level(one, "action", "action", one.recognition.action, len(one.scores.tree.actions))
    level = BODY_LEVELS[body]  # type: ignore[index]
    groups = one.recognition.body if body == "top" else one.recognition.body_summed
    if groups is not None:
        _print_level(one, level, "body", groups, len(one.scores.tree.groups))
        key = "f1_mean" if body == "top" else "f1_mean_summed"
        harmonic = ""
        if body == "top":
            value = _percent(one.measures["f1_mean_of_means"])
            harmonic = f"  (with the macro-F1 of the MA-52 paper's equation 5: {value})"
        print(f"  F1mean: {_with(one.measures[key], one.intervals[key])}{harmonic}")
    if one.bands:
        _print_bands(one.table)
    if classes:
        _print_classes(one.table, one.bands)
        if one.body_table is not None:
            _print_groups(one.body_table)
    for calibration in one.calibration:
        _print_calibration(calibration, one.calibration_intervals)
    if one.comparison is not None:
        _print_comparison(one.comparison, one.against, level)


def _percent(value: float) -> str:
    return "-" if math.isnan(value) else f"{100 * value:.2f}"


def _with(value: float, interval: Interval) -> str:
    return f"{_percent(value)} ({_percent(interval[0])}-{_percent(interval[1])})"


def _print_level(one: Measured, level: str, title: str, measured: LevelMeasures, classes: int) -> None:
    values = "  ".join(
        f"{_TITLES[name]} {_with(one.measures[f'{level}/{name}'], one.intervals[f'{level}/{name}'])}"
        for name in _SHOWN
    )
    rule = f", {_RULES[level]}" if level in _RULES else ""
    print(f"  {title}{rule}: {values}  (commonest class {_percent(measured.majority)})")
    if measured.absent:
        what = "actions" if level == "action" else "body groups"
        print(f"  {what} without a clip: {len(measured.absent)} of {classes}: {', '.join(measured.absent)}")


def _print_bands(table: ClassTable) -> None:
    head, tail = table.thresholds.head - 1, table.thresholds.tail
    print(f"  head: actions of more than {head}, tail: of fewer than {tail} {table.banded_by}")
    for band in table.bands:
        print(
            f"    {band.band:6}  {band.classes} actions, {band.measured} with clips, {band.clips:,} clips: "
            f"top-1 {_percent(band.top1)}  mean class {_percent(band.mean_class)}  "
            f"macro-F1 {_percent(band.macro_f1)}"
        )


def _print_classes(table: ClassTable, bands: bool) -> None:
    names = [f"{row.index} {row.name}" for row in table.rows]
    wide = max(map(len, [*names, "action"]))
    band = "band    " if bands else ""
    print(f"  {'action':{wide}}  clips  recall (95 % interval)   precision      F1   top-5  {band}taken for")
    for name, row in zip(names, table.rows, strict=True):
        between = f"({_percent(row.recall_low)}-{_percent(row.recall_high)})" if row.clips else ""
        mistaken = f"{row.mistaken_for} ({row.mistaken_clips})" if row.mistaken_clips else ""
        band = f"{row.band:6}  " if bands else ""
        print(
            f"  {name:{wide}}  {row.clips:5}  {_percent(row.recall):>6} {between:16} "
            f"{_percent(row.precision):>9}  {_percent(row.f1):>6}  {_percent(row.top5):>6}  "
            f"{band}{mistaken}".rstrip()
        )


def _print_groups(table: ClassTable) -> None:
    """The confusion matrix of the body groups with recall and F1: it has few enough columns."""
    wide = max(map(len, [*(row.name for row in table.rows), "body group"]))
    columns = [max(6, len(f"{count}")) for count in table.confusion.max(axis=0).tolist()]
    heads = "  ".join(f"{f'as {index}':>{width}}" for index, width in enumerate(columns))
    print(f"  body groups by the {_RULES[table.level]}")
    print(f"  {'body group':{wide + 2}}  clips  recall      F1  {heads}")
    for row, counts in zip(table.rows, table.confusion.tolist(), strict=True):
        cells = "  ".join(f"{count:>{width}}" for count, width in zip(counts, columns, strict=True))
        print(
            f"  {row.index} {row.name:{wide}}  {row.clips:5}  {_percent(row.recall):>6}  "
            f"{_percent(row.f1):>6}  {cells}"
        )


def _print_calibration(one: Calibration, intervals: Mapping[str, Interval]) -> None:
    title = "action" if one.level == "action" else f"body, {_RULES[one.level]}"
    values = one.measures()

    def shown(name: str) -> str:
        return _with(values[f"{one.level}/{name}"], intervals[f"{one.level}/{name}"])

    def plain(name: str) -> str:
        low, high = intervals[f"{one.level}/{name}"]
        return f"{values[f'{one.level}/{name}']:.4f} ({low:.4f}-{high:.4f})"

    sure = "over" if one.confidence > one.accuracy else "under"
    print(
        f"  calibration, {title}: ECE {shown('ece_width')} in bins of equal width, {shown('ece_mass')} of "
        f"equal mass  Brier {plain('brier')}  NLL {plain('nll')}  "
        f"(mean confidence {_percent(one.confidence)}, {sure}confident)"
    )
    covered = "  ".join(
        f"at a risk of {100 * risk:g} % coverage {shown(f'coverage_at_risk_{risk:g}')}"
        for risk in (0.05, 0.1)
    )
    print(f"  risk-coverage, {title}: AURC {shown('aurc')}  {covered}")


def _print_comparison(one: Comparison, against: str, body: str) -> None:
    print(f"  against {against}: difference, its 95 % interval and p of the paired bootstrap")
    f1_mean = "f1_mean" if body == "body" else "f1_mean_summed"
    wanted = [f"{level}/{name}" for level in ("action", body) for name in _SHOWN]
    for name in [*wanted, f1_mean]:
        if name not in one.differences:
            continue
        gap = one.differences[name]
        low, high = gap.interval
        print(
            f"    {_title(name):18} {_percent(gap.first):>6} - {_percent(gap.second):>6} = "
            f"{100 * gap.difference:+.2f} ({100 * low:+.2f} to {100 * high:+.2f})  p {gap.p_value:.2g}"
        )
    for level in ("action", body):
        if level in one.mcnemar:
            test = one.mcnemar[level]
            print(
                f"    McNemar, {_title(level + '/top1')}: {test.only_first} clips right only here, "
                f"{test.only_second} only there; p {test.exact_p:.2g} exact, {test.mid_p:.2g} mid-p"
            )


def _title(name: str) -> str:
    level, _, measure = name.rpartition("/")
    return f"{level.removesuffix('_summed')} {_TITLES[measure]}".strip()


def print_spread(files: Sequence[tuple[str, ScoreFile]], spread: Mapping[str, Spread], body: str) -> None:
    """Print mean and spread over files of one method.

    Args:
        files: path and scores of each.
        spread: of every measure.
        body: rule of the body groups, `top` or `summed`.
    """
    scores = files[0][1]
    seeds = sorted({one.seed for _, one in files if one.seed is not None})
    named = f" of seeds {', '.join(map(str, seeds))}" if seeds else ""
    print(
        f"{scores.method or 'unnamed'} on {scores.tree.name}: {len(files)} files{named}: "
        "mean and standard deviation over files (smallest to largest)"
    )
    level = BODY_LEVELS[body]  # type: ignore[index]
    wanted = [f"{one}/{name}" for one in ("action", level) for name in _SHOWN]
    for name in [*wanted, "f1_mean" if body == "top" else "f1_mean_summed"]:
        if name not in spread:
            continue
        one = spread[name]
        parts = ""
        if not math.isnan(one.between_seeds) and not math.isnan(one.within_seeds):
            parts = f"; {_percent(one.between_seeds)} between seeds, {_percent(one.within_seeds)} within one"
        print(
            f"  {_title(name):18} {_percent(one.mean):>6} ± {_percent(one.deviation)} "
            f"({_percent(one.low)} to {_percent(one.high)}{parts})"
        )
