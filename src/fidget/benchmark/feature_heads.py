"""Heads over fixed features: class prototypes by cosine, and a linear probe that begins with them.

The domains' mean difference is taken out first: target features are centred on the mean of the shots, source
features on the mean of the same classes in the source. A class's prototype is the mean of its shots' unit
vectors, with the source's mean of that class counted as one more shot, so that a class without shots has one
too. To the head's logits the log-probabilities of the source's network are added: a prior over the actions.
How warm the softmax is and how far the network is trusted is chosen by leaving out each shot in turn;
no target clip but the shots is looked at. Axis letters: N clips, S shots, D features, A actions.

Snell et al.: Prototypical networks, NeurIPS 2017; Chen et al.: A closer look at few-shot classification,
ICLR 2019.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import minimize
from scipy.special import log_softmax, softmax

Floats = NDArray[np.float64]


@dataclass(frozen=True)
class HeadSettings:
    """How heads are made.

    Attributes:
        temperatures: of the softmax over cosines, to choose from.
        trusts: factors of the source network's log-probabilities, to choose from; 0 leaves it out.
        source_shots: shots that a class's source mean counts as.
        spread: how far a class's weights may move from its prototype: a standard deviation, in lengths of
            the prototype's weights.
        source_wrong: probability that the source's network knows nothing; it bounds its veto.
        iterations: of L-BFGS, at most.
    """

    temperatures: tuple[float, ...] = (0.025, 0.05, 0.1, 0.2, 0.4)
    trusts: tuple[float, ...] = (0.0, 0.25, 0.5, 1.0, 2.0)
    source_shots: float = 1.0
    spread: float = 0.5
    source_wrong: float = 0.05
    iterations: int = 100


@dataclass(frozen=True, eq=False)
class Labelled:
    """Clips with labels, features (N, D) and the source network's log-probabilities (N, A)."""

    features: Floats
    log_probs: Floats
    labels: NDArray[np.int64]
    weights: Floats | None = None  # (N,), 1 each if None; pseudo-labels count less

    @property
    def weight(self) -> Floats:
        """(N,)."""
        return np.ones(len(self.labels)) if self.weights is None else self.weights


@dataclass(frozen=True, eq=False)
class CosineHead:
    """Log-probabilities from prototypes and the source's network.

    Attributes:
        centre: (D,) subtracted from features.
        prototypes: (A, D) unit vectors; zeros where there is neither shot nor source clip.
        known: (A,) whether there is a prototype.
        temperature: of the softmax.
        trust: factor of the source network's log-probabilities.
        source_wrong: see `HeadSettings`.
    """

    centre: Floats
    prototypes: Floats
    known: NDArray[np.bool_]
    temperature: float
    trust: float
    source_wrong: float

    def __call__(self, features: NDArray[np.floating], log_probs: NDArray[np.floating]) -> Floats:
        """(N, A) log-probabilities of clips."""
        cosines = _unit(features - self.centre) @ self.prototypes.T
        logits = np.where(self.known, cosines, -1.0) / self.temperature
        return _with_source(logits, log_probs, self.trust, self.source_wrong)


@dataclass(frozen=True, eq=False)
class LinearHead:
    """Log-probabilities of a trained linear layer and the source's network; see `CosineHead`.

    Attributes:
        weight: (A, D).
        bias: (A,).
    """

    centre: Floats
    weight: Floats
    bias: Floats
    trust: float
    source_wrong: float

    def __call__(self, features: NDArray[np.floating], log_probs: NDArray[np.floating]) -> Floats:
        """(N, A) log-probabilities of clips."""
        logits = _unit(features - self.centre) @ self.weight.T + self.bias
        return _with_source(logits, log_probs, self.trust, self.source_wrong)


def cosine_head(shots: Labelled, source: Labelled, settings: HeadSettings | None = None) -> CosineHead:
    """Prototypes of the shots' classes.

    Args:
        shots: labelled target clips.
        source: some labelled source clips, of every class some.
        settings: the defaults if None.

    Raises:
        ValueError: no shots, or widths that do not agree.
    """
    settings = settings or HeadSettings()
    actions = _expect_fit(shots, source)
    centre, source_means, known_there = _centred(shots, source, actions)
    unit = _unit(shots.features - centre)
    member = np.zeros((actions, len(unit)))
    member[shots.labels, np.arange(len(unit))] = shots.weight
    sums = member @ unit + settings.source_shots * source_means  # (A, D)
    known = (member.sum(axis=1) > 0) | known_there
    # Each shot's own contribution left out of its class's prototype, for it alone.
    without = sums[shots.labels] - shots.weight[:, None] * unit  # (S, D)
    cosines = unit @ _unit(sums).T  # (S, A)
    cosines[np.arange(len(unit)), shots.labels] = (unit * _unit(without)).sum(axis=1)
    cosines = np.where(known, cosines, -1.0)
    temperature, trust = _chosen(cosines, shots, settings)
    return CosineHead(centre, _unit(sums), known, temperature, trust, settings.source_wrong)


def linear_head(shots: Labelled, source: Labelled, settings: HeadSettings | None = None) -> LinearHead:
    """A linear probe: begins with the cosine head's prototypes, and is held to them.

    The cross-entropy of the shots and, with the same weight together, of the source's clips is minimised by
    L-BFGS; a Gaussian prior around the prototypes keeps a few shots from moving a class far.

    Args:
        shots: labelled target clips.
        source: some labelled source clips, of every class some.
        settings: the defaults if None.

    Raises:
        ValueError: no shots, or widths that do not agree.
    """
    settings = settings or HeadSettings()
    begin = cosine_head(shots, source, settings)
    actions, width = begin.prototypes.shape
    first = begin.prototypes / begin.temperature
    centre, centre_there = _centres(shots, source, actions)
    x = np.concatenate([_unit(shots.features - centre), _unit(source.features - centre_there)])
    labels = np.concatenate([shots.labels, source.labels])
    share = shots.weight.sum() / max(len(source.labels), 1)
    weight = np.concatenate([shots.weight, np.full(len(source.labels), min(share, 1.0))])
    precision = width * (begin.temperature / settings.spread) ** 2  # of each weight's Gaussian
    offset = np.where(begin.known, 0.0, -1 / begin.temperature)
    target = np.zeros((len(labels), actions))
    target[np.arange(len(labels)), labels] = 1

    def loss(flat: Floats) -> tuple[float, Floats]:
        matrix, bias = flat[:-actions].reshape(actions, width), flat[-actions:]
        log_probs = log_softmax(x @ matrix.T + bias + offset, axis=1)
        moved = matrix - first
        value = -(weight * log_probs[np.arange(len(labels)), labels]).sum()
        value += 0.5 * precision * (moved**2).sum() + 0.5 * (bias**2).sum()
        outer = weight[:, None] * (np.exp(log_probs) - target)  # (S, A)
        return float(value), np.concatenate(
            [(outer.T @ x + precision * moved).reshape(-1), outer.sum(axis=0) + bias]
        )

    start = np.concatenate([first.reshape(-1), np.zeros(actions)])
    found = minimize(loss, start, jac=True, method="L-BFGS-B", options={"maxiter": settings.iterations})
    matrix, bias = found.x[:-actions].reshape(actions, width), found.x[-actions:] + offset
    return LinearHead(begin.centre, matrix, bias, begin.trust, settings.source_wrong)


def _chosen(cosines: Floats, shots: Labelled, settings: HeadSettings) -> tuple[float, float]:
    """The temperature and trust under which left-out shots are most probable."""
    best, choice = -np.inf, (settings.temperatures[0], settings.trusts[0])
    for temperature in settings.temperatures:
        for trust in settings.trusts:
            log_probs = _with_source(cosines / temperature, shots.log_probs, trust, settings.source_wrong)
            own = log_probs[np.arange(len(shots.labels)), shots.labels]
            value = float((shots.weight * own).sum())
            if value > best:
                best, choice = value, (temperature, trust)
    return choice


def _with_source(
    logits: Floats, log_probs: NDArray[np.floating], trust: float, source_wrong: float
) -> Floats:
    """(N, A) log-probabilities of a head's logits and the source network's log-probabilities together."""
    if trust:
        source = softmax(np.asarray(log_probs, np.float64), axis=1)
        source = np.log((1 - source_wrong) * source + source_wrong / source.shape[1])
        logits = logits + trust * source
    together: Floats = log_softmax(logits, axis=1)
    return together


def _class_means(labelled: Labelled, actions: int) -> tuple[Floats, NDArray[np.bool_]]:
    """(A, D) means of each class's features, and (A,) which classes there are."""
    member = np.zeros((actions, len(labelled.labels)))
    member[labelled.labels, np.arange(len(labelled.labels))] = labelled.weight
    totals = member.sum(axis=1)
    return member @ labelled.features / np.maximum(totals, 1e-12)[:, None], totals > 0


def _centres(shots: Labelled, source: Labelled, actions: int) -> tuple[Floats, Floats]:
    """(D,) each: the mean over the classes that both have, of the shots and of the source."""
    own, own_known = _class_means(shots, actions)
    there, there_known = _class_means(source, actions)
    both = own_known & there_known
    if not both.any():  # no class in common: each its own mean
        return own[own_known].mean(axis=0), there[there_known].mean(axis=0)
    return own[both].mean(axis=0), there[both].mean(axis=0)


def _centred(shots: Labelled, source: Labelled, actions: int) -> tuple[Floats, Floats, NDArray[np.bool_]]:
    """The shots' centre (D,); the source's class means as unit vectors (A, D) from its own; which exist."""
    own, there = _centres(shots, source, actions)
    means, known = _class_means(source, actions)
    return own, np.where(known[:, None], _unit(means - there), 0.0), known


def _unit(vectors: Floats) -> Floats:
    """Vectors of length 1; those of length 0 stay."""
    scaled: Floats = vectors / np.maximum(np.linalg.norm(vectors, axis=-1, keepdims=True), 1e-12)
    return scaled


def _expect_fit(shots: Labelled, source: Labelled) -> int:
    """The number of actions."""
    if not len(shots.labels) or not len(source.labels):
        raise ValueError(f"expected shots and source clips, got {len(shots.labels)} and {len(source.labels)}")
    widths = {one.features.shape[1] for one in (shots, source)}
    actions = {one.log_probs.shape[1] for one in (shots, source)}
    if len(widths) > 1 or len(actions) > 1:
        raise ValueError(
            f"shots and source clips must be of one network, got {sorted(widths)} features "
            f"and {sorted(actions)} actions"
        )
    return int(actions.pop())
