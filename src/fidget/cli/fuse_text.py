"""What `fidget fuse` prints: the rule, the clips it was chosen on, and what it is worth."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from fidget.fusion.class_weights import ClassWeights
from fidget.fusion.gate import Gate
from fidget.fusion.report import MEANS, MEASURES
from fidget.fusion.rule_file import Fusion
from fidget.fusion.weighted_mean import WeightedMean
from protocols.comparison import Comparison
from protocols.scores import ScoreFile

_TITLES = {"action/top1": "top-1", "action/mean_class": "mean class", "f1_mean": "F1mean"}
_CHOSEN_BY = {"log_loss": "log-loss", "top1": "top-1", "mean_class": "mean class recall", "f1_mean": "F1mean"}


def print_fusion(fusion: Fusion, paths: Sequence[str]) -> None:
    """Print the rule with its numbers."""
    rule = fusion.rule
    if fusion.chosen_by:
        by = _CHOSEN_BY.get(fusion.chosen_by, fusion.chosen_by)
        print(f"  chosen on {fusion.validation_clips:,} validation clips by {by}")
    if isinstance(rule, WeightedMean):
        if fusion.chosen_by or rule.mean == "log":
            print(f"  weighted mean of {MEANS[rule.mean]}")
        for weight, path in zip(rule.weights, paths, strict=True):
            print(f"  {weight:g} x {path}")
    elif isinstance(rule, ClassWeights):
        _print_class_weights(rule, fusion.actions, paths)
    elif isinstance(rule, Gate):
        base, corrector = rule.temperatures
        print(f"  base {paths[0]} at temperature {base:.3g}")
        print(f"  corrected by {paths[1]} at temperature {corrector:.3g} where that one is surer")
        never = ": the base alone" if rule.slope == 0 else ""
        print(f"  gate = {rule.slope:g} x difference of confidences, at most 1{never}")


def _print_class_weights(rule: ClassWeights, actions: Sequence[str], paths: Sequence[str]) -> None:
    weights = np.array(rule.weights)  # (F, A)
    if rule.strength == np.inf:
        print("  weights by class: equal for all, nothing else was better by more than chance")
    else:
        print(f"  weights by class, held back by {rule.strength:g}")
    for own, temperature, path in zip(weights, rule.temperatures, paths, strict=True):
        low, high = int(own.argmin()), int(own.argmax())
        between = f"{own[low]:.3f} {actions[low]} to {own[high]:.3f} {actions[high]}"
        print(f"  {own.mean():.3f} on average ({between}) x {path} at temperature {temperature:.3g}")


def print_validation(measured: Mapping[str, Mapping[str, float]], clips: int) -> None:
    """Print the measures on the clips that the numbers were chosen on."""
    print(f"on the {clips:,} validation clips, which the choice has seen:")
    names = [name for name in MEASURES if name in next(iter(measured.values()))]
    wide = max(map(len, measured))
    print(f"  {'':{wide}}  " + "".join(f"{_TITLES[name]:>12}" for name in names) + "    log-loss")
    for method, values in measured.items():
        cells = "".join(f"{100 * values[name]:12.2f}" for name in names)
        print(f"  {method:{wide}}  {cells}{values['log_loss']:12.4f}")


def print_others(compared: Mapping[str, Comparison], fused: ScoreFile) -> None:
    """Print the fusion against each file alone and against equal weights."""
    if not compared:
        print("not compared with the files alone: the clips have no labels")
        return
    print(f"on the {len(fused):,} fused clips: difference, its 95 % interval and p of the paired bootstrap")
    for name, one in compared.items():
        print(f"  against {name}")
        for measure in MEASURES:
            if measure not in one.differences:
                continue
            gap = one.differences[measure]
            low, high = gap.interval
            verdict = "" if low > 0 or high < 0 else ": no difference is shown, the interval contains 0"
            print(
                f"    {_TITLES[measure]:10} {100 * gap.first:6.2f} - {100 * gap.second:6.2f} = "
                f"{100 * gap.difference:+.2f} ({100 * low:+.2f} to {100 * high:+.2f})  "
                f"p {gap.p_value:.2g}{verdict}"
            )
        test = one.mcnemar["action"]
        print(
            f"    McNemar: {test.only_first} clips right only fused, {test.only_second} only there; "
            f"p {test.exact_p:.2g} exact"
        )
