"""The diagnosis of a detector as one picture for a paper: errors, what they cost, what is missed."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from protocols.detection_diagnosis import KINDS, Diagnosis

_COLOURS = ("#0a7f5a", "#8a6a00", "#c2500a", "#0b66b0", "#9c4f96", "#8b949c")


def draw_diagnosis(path: Path, found: Diagnosis, simulated: bool) -> None:
    """Draw it; the suffix says how (PNG, SVG, PDF). No LaTeX is needed.

    Args:
        path: of the picture.
        found: the diagnosis.
        simulated: whether the recordings come from a simulator; the picture says so.

    Raises:
        ValueError: a suffix that is no picture's.
        OSError: the picture cannot be written.
    """
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    figure = Figure(figsize=(13, 4), layout="constrained")
    FigureCanvasAgg(figure)
    errors, gains, missed = figure.subplots(1, 3, width_ratios=(1.1, 1, 1.5))
    places = np.arange(1, len(found.profile) + 1)
    below = np.zeros(len(places))
    for kind, colour, shares in zip(KINDS, _COLOURS, 100 * found.profile.T, strict=True):
        errors.bar(places, shares, 0.8, below, color=colour, label=kind)
        below += shares
    errors.set(xlabel="surest detections, times the instances (G)", ylabel="%", xticks=places, ylim=(0, 100))
    errors.set_title(f"what they are at tIoU {found.at:g}")
    errors.legend(fontsize=7, loc="upper left", bbox_to_anchor=(0, -0.16), ncols=3, frameon=False)
    values = [100 * gain for gain in found.gains.values()]
    gains.barh(range(len(values)), values, color=_COLOURS[1:])
    gains.set_yticks(range(len(values)), list(found.gains))
    gains.invert_yaxis()
    gains.set(xlabel="points of normalised mAP")
    gains.set_title("gain without each error")
    names = [one.told() for one in found.bins]
    kinds = list(dict.fromkeys(one.characteristic for one in found.bins))
    for number, kind in enumerate(kinds):
        at = [place for place, one in enumerate(found.bins) if one.characteristic == kind]
        missed.bar(
            at, [100 * found.bins[place].missed for place in at], color=_COLOURS[(number + 2) % 6], label=kind
        )
    missed.set_xticks(range(len(names)), names, rotation=90, fontsize=7)
    missed.set(ylabel="%", ylim=(0, 100))
    missed.set_title("instances missed")
    missed.legend(fontsize=7, loc="upper left", bbox_to_anchor=(0, -0.28), ncols=2, frameon=False)
    if simulated:
        figure.suptitle("simulated data", fontsize=9, style="italic")
    figure.savefig(path, dpi=150)
