"""A base that another file corrects, only where that one is surer.

Let b be the base's and c the corrector's log-probabilities of a clip, each made honest by a temperature that
was fitted on validation clips (`log_loss.best_temperature`): b = log softmax(base / T[0]) and
c = log softmax(corrector / T[1]). Their confidences are the largest probabilities: exp(max b), exp(max c).
The fused probabilities are

    softmax(b + g * (c - b)),      g = min(1, slope * max(0, exp(max c) - exp(max b))).

So g = 0 wherever the corrector is not surer, and the base's prediction stands; g = 1 puts the corrector in
its place. The slope is the one of `SLOPES` with the least log-loss on the validation clips; 0 leaves the base
alone.

Axis letters: N clips, A actions.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from fidget.fusion.log_loss import best_temperature, calibrated, check_temperatures, log_losses
from protocols.score_fusion import combined, log_probabilities, softmax, stacked
from protocols.scores import ScoreFile, expect_labels

Floats = NDArray[np.float64]

SLOPES = (0.0, 0.25, 0.5, 1.0, 2.0, 4.0, 8.0, 16.0, 32.0, 64.0)


@dataclass(frozen=True)
class Gate:
    """How a corrector enters.

    Attributes:
        temperatures: of the base and of the corrector.
        slope: how fast the gate opens with the difference of confidences.

    Raises:
        ValueError: numbers that cannot be meant.
    """

    temperatures: tuple[float, float]
    slope: float

    def __post_init__(self) -> None:
        check_temperatures(self.temperatures)
        if len(self.temperatures) != 2 or not 0 <= self.slope < np.inf:
            raise ValueError(
                f"expected two temperatures and a slope of 0 or more, got {len(self.temperatures)} and "
                f"{self.slope}"
            )

    files = 2

    def __call__(self, probabilities: Floats) -> Floats:
        """(N, A) from (2, N, A)."""
        return softmax(self.logits(probabilities))

    def logits(self, probabilities: Floats) -> Floats:
        """(N, A) before the softmax, from (2, N, A)."""
        base, corrector = calibrated(probabilities, self.temperatures)
        fused: Floats = base + self.openings(probabilities)[:, None] * (corrector - base)
        return fused

    def openings(self, probabilities: Floats) -> Floats:
        """(N,) g of each clip, 0..1, from (2, N, A)."""
        base, corrector = np.exp(calibrated(probabilities, self.temperatures).max(axis=2))
        opened: Floats = np.clip(self.slope * (corrector - base), 0.0, 1.0)
        return opened

    def name(self, files: Sequence[ScoreFile]) -> str:
        """Of the fused method."""
        base, corrector = files
        return f"{base.method} corrected by {corrector.method}"


def fit_gate(files: Sequence[ScoreFile]) -> Gate:
    """Temperatures and slope from validation clips.

    Args:
        files: base and corrector, joined by `aligned`, with a label for every clip.

    Raises:
        ValueError: no labels, or not two files.
    """
    if len(files) != 2:
        raise ValueError(
            f"a gate takes two files, the base and what corrects it, got {len(files)}; fuse the others first"
        )
    probabilities = stacked(files)
    labels = expect_labels(combined(files, probabilities[0], ""))
    base, corrector = (best_temperature(logs, labels) for logs in log_probabilities(probabilities))
    gates = [Gate((base, corrector), slope) for slope in SLOPES]
    losses = [round(float(log_losses(gate.logits(probabilities), labels).mean()), 12) for gate in gates]
    return gates[losses.index(min(losses))]
