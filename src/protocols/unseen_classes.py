"""Classes that were never trained, recognised by the meaning of their names.

A network knows the seen classes only. What it says of a clip becomes a place among label vectors, and the
unseen class whose vector lies nearest (by cosine) is the answer. There are two ways to that place: the mean
of the seen classes' vectors (of length 1), weighted by their probabilities (ConSE: Norouzi et al., 2014), or
a linear map from the network's features, fitted on training clips of seen classes (`fit_feature_map`).

Pure zero-shot: clips of unseen classes, and these classes alone to choose from. Generalised: clips of all
classes, and all to choose from; mean class accuracies of the seen and of the unseen ones, and their harmonic
mean (Xian et al., 2018). Results are score files: a softmax over cosines, so that every measure and interval
of a score file is there; it is no calibrated probability.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from protocols.label_vectors import LabelVectors
from protocols.recognition import Floats, Labels
from protocols.scores import ScoreFile, expect_labels
from protocols.unseen_split import SeenUnseen

_TEMPERATURE = 0.05  # of the softmax over cosines: keeps their order far above float32's precision
_SMALLEST = 1e-30


def conse_places(probabilities: Floats, seen_vectors: Floats, best: int = 10) -> Floats:
    """(N, D) mean of the seen classes' vectors, weighted by each clip's best probabilities.

    Args:
        probabilities: (N, S) of the seen classes.
        seen_vectors: (S, D).
        best: how many classes of each clip count.

    Raises:
        ValueError: no class to count, or a clip whose seen classes have no probability at all.
    """
    classes = probabilities.shape[1]
    if best < 1:
        raise ValueError(f"expected at least the 1 best class, got {best}")
    kept = probabilities
    if best < classes:
        order = np.argsort(-probabilities, axis=1, kind="stable")[:, :best]
        kept = np.zeros_like(probabilities)
        np.put_along_axis(kept, order, np.take_along_axis(probabilities, order, axis=1), axis=1)
    sums = kept.sum(axis=1, keepdims=True)
    if not (sums > 0).all():
        raise ValueError(
            f"{int((sums <= 0).sum())} clips have no probability of any seen class; score them all"
        )
    places: Floats = (kept / sums) @ seen_vectors
    return places


def fit_feature_map(
    features: NDArray[np.float32], labels: Labels, seen_vectors: Floats, ridge: float = 1.0
) -> Floats:
    """A linear map from features to label vectors: ridge regression on training clips of the seen classes.

    Every class counts alike, however many clips it has.

    Args:
        features: (N, F).
        labels: (N,) rows of `seen_vectors`.
        seen_vectors: (S, D).
        ridge: the penalty, in units of the features' mean square.

    Returns:
        (F + 1, D); the last row is the constant. `feature_places` applies it.

    Raises:
        ValueError: not one label a clip, none at all, or a penalty that is not positive.
    """
    if len(features) != len(labels) or not len(labels) or not ridge > 0:
        raise ValueError(
            f"expected features and labels of the same clips and a ridge above 0, got {len(features)}, "
            f"{len(labels)} and {ridge}"
        )
    weight = 1 / np.bincount(labels)[labels]
    weight /= weight.sum()
    plain = features.astype(np.float64)
    mean, target = weight @ plain, seen_vectors[labels]
    centred = plain - mean
    middle = weight @ target
    scatter = (centred * weight[:, None]).T @ centred  # (F, F)
    penalty = ridge * max(float(np.trace(scatter)) / len(scatter), _SMALLEST)
    slope = np.linalg.solve(
        scatter + penalty * np.eye(len(scatter)), (centred * weight[:, None]).T @ (target - middle)
    )
    found: Floats = np.vstack([slope, middle - mean @ slope])
    return found


def feature_places(features: NDArray[np.float32], feature_map: Floats) -> Floats:
    """(N, D) places of clips by their features (N, F)."""
    places: Floats = features.astype(np.float64) @ feature_map[:-1] + feature_map[-1]
    return places


def cosines(places: Floats, vectors: Floats) -> Floats:
    """(N, A) cosine of each place (N, D) to each vector (A, D); 0 for a place without direction."""
    lengths = np.linalg.norm(places, axis=1, keepdims=True)
    unit = np.divide(places, lengths, out=np.zeros_like(places), where=lengths > 0)
    found: Floats = unit @ (vectors / np.linalg.norm(vectors, axis=1, keepdims=True)).T
    return found


def pure_zero_shot(
    scores: ScoreFile, split: SeenUnseen, vectors: LabelVectors, places: Floats | None = None, best: int = 10
) -> ScoreFile:
    """Scores over the unseen classes alone, of the clips of these classes.

    Args:
        scores: over the split's tree, with labels; only probabilities of seen classes are looked at.
        split: seen and unseen classes.
        vectors: of all of them.
        places: (N, D) of the clips, as of `feature_places`; by `conse_places` where None.
        best: as in `conse_places`.

    Raises:
        ValueError: scores of another tree, without labels, or of no unseen class; actions without vectors.
    """
    labels = _expect(scores, split)
    rows = np.flatnonzero(np.isin(labels, split.unseen))
    if not rows.size:
        raise ValueError(f"scores of {scores.method!r}: no clip is of an unseen class; score their clips too")
    found = _places(scores, split, vectors, places, best)[rows]
    names = [split.tree.actions[index] for index in split.unseen]
    return ScoreFile(
        split.subtree(split.unseen),
        tuple(scores.clip_ids[row] for row in rows),
        np.searchsorted(split.unseen, labels[rows]).astype(np.int64),
        _softmax(cosines(found, vectors.of(names))),
        f"{scores.method}, zero-shot",
        scores.recipe_hash,
        scores.cache_hash,
        scores.seed,
    )


def generalised_zero_shot(
    scores: ScoreFile,
    split: SeenUnseen,
    vectors: LabelVectors,
    places: Floats | None = None,
    best: int = 10,
    seen_penalty: float = 0.0,
) -> ScoreFile:
    """Scores over all classes, of all clips.

    Args:
        scores: as in `pure_zero_shot`.
        split: seen and unseen classes.
        vectors: of all of them.
        places: as in `pure_zero_shot`.
        best: as in `conse_places`.
        seen_penalty: taken off the cosines of seen classes (calibrated stacking: Chao et al., 2016), as a
            place near seen vectors favours them; choose it on other clips than those that are measured.

    Raises:
        ValueError: scores of another tree, or without labels; actions without vectors.
    """
    labels = _expect(scores, split)
    found = cosines(_places(scores, split, vectors, places, best), vectors.of(split.tree.actions))
    found[:, list(split.seen)] -= seen_penalty
    return ScoreFile(
        split.tree, scores.clip_ids, labels, _softmax(found), f"{scores.method}, generalised zero-shot",
        scores.recipe_hash, scores.cache_hash, scores.seed,
    )  # fmt: skip


def generalised_measures(scores: ScoreFile, split: SeenUnseen) -> dict[str, float]:
    """Measures of generalised zero-shot recognition, in 0..1.

    Args:
        scores: of `generalised_zero_shot`, with clips of seen and of unseen classes.
        split: seen and unseen classes.

    Returns:
        `generalised/seen` and `generalised/unseen`: mean class accuracy of the classes of each kind that have
        clips, among all classes; `generalised/harmonic`: their harmonic mean; `generalised/area`: under the
        seen accuracy over the unseen one, for every penalty of the seen classes (AUSUC).

    Raises:
        ValueError: scores of another tree, without labels, or without clips of one kind.
    """
    return _Answers(scores, split).measures(np.ones(len(scores), np.int64))


def drawn_generalised_measures(
    scores: ScoreFile, split: SeenUnseen, rng: np.random.Generator, draws: int = 1000
) -> dict[str, Floats]:
    """The measures of `generalised_measures` of clips drawn anew with replacement, (D,) each.

    Clips of seen and of unseen classes are drawn apart: how many there are of each is the protocol's choice.

    Args:
        scores: as in `generalised_measures`.
        split: seen and unseen classes.
        rng: source of the draws.
        draws: D.

    Raises:
        ValueError: as `generalised_measures`; no draws.
    """
    if draws < 1:
        raise ValueError(f"expected at least 1 draw, got {draws}")
    answers = _Answers(scores, split)
    kinds = [np.flatnonzero(answers.is_unseen == unseen) for unseen in (False, True)]
    found: list[dict[str, float]] = []
    for _ in range(draws):
        drawn = np.concatenate([rows[rng.integers(len(rows), size=len(rows))] for rows in kinds])
        found.append(answers.measures(np.bincount(drawn, minlength=len(scores))))
    return {name: np.array([one[name] for one in found]) for name in found[0]}


class _Answers:
    """What every clip would be taken for among seen and among unseen classes, and which of both is surer."""

    def __init__(self, scores: ScoreFile, split: SeenUnseen) -> None:
        labels = _expect(scores, split)
        is_unseen: NDArray[np.bool_] = np.isin(labels, split.unseen)
        if is_unseen.all() or not is_unseen.any():
            raise ValueError(
                f"expected clips of seen and of unseen classes, got {int((~is_unseen).sum())} and "
                f"{int(is_unseen.sum())}"
            )
        logs = np.log(np.maximum(scores.scores.astype(np.float64), _SMALLEST))
        seen, unseen = np.array(split.seen), np.array(split.unseen)
        rows, own = np.arange(len(labels)), [logs[:, seen], logs[:, unseen]]
        best = [one.argmax(axis=1) for one in own]
        margin = own[0][rows, best[0]] - own[1][rows, best[1]]  # above 0: a seen class is the answer
        self.is_unseen = is_unseen
        self._labels, self._classes = labels, len(split.tree.actions)
        self._seen, self._unseen = seen, unseen
        self._right_seen = ~is_unseen & (seen[best[0]] == labels)
        self._right_unseen = is_unseen & (unseen[best[1]] == labels)
        self._is_answer_seen = margin > 0
        self._step = np.unique(margin, return_inverse=True)[1].reshape(-1)

    def measures(self, times: Labels) -> dict[str, float]:
        """As `generalised_measures`, where each clip is there (N,) times; one of each kind at least."""
        # A clip's share of its kind's mean class accuracy.
        sizes = np.bincount(self._labels, times, minlength=self._classes)
        kinds = [int((sizes[kind] > 0).sum()) for kind in (self._seen, self._unseen)]
        of_label = np.maximum(sizes[self._labels], 1)
        share = times / (of_label * np.where(self.is_unseen, kinds[1], kinds[0]))
        right_seen, right_unseen = share * self._right_seen, share * self._right_unseen
        seen = float(right_seen[self._is_answer_seen].sum())
        unseen = float(right_unseen[~self._is_answer_seen].sum())
        # With a growing penalty the clips change over to unseen classes in the order of their margins.
        gained = np.append(0, np.cumsum(np.bincount(self._step, right_unseen)))
        left = right_seen.sum() - np.append(0, np.cumsum(np.bincount(self._step, right_seen)))
        return {
            "generalised/seen": seen,
            "generalised/unseen": unseen,
            "generalised/harmonic": 2 * seen * unseen / (seen + unseen) if seen + unseen else 0.0,
            "generalised/area": float((np.diff(gained) * (left[1:] + left[:-1]) / 2).sum()),
        }


def _expect(scores: ScoreFile, split: SeenUnseen) -> Labels:
    if scores.tree.actions != split.tree.actions:
        raise ValueError(
            f"expected scores over the {len(split.tree.actions)} actions of {split.tree.name}, got "
            f"{len(scores.tree.actions)} of {scores.tree.name}; on_tree puts them there"
        )
    return expect_labels(scores)


def _places(
    scores: ScoreFile, split: SeenUnseen, vectors: LabelVectors, places: Floats | None, best: int
) -> Floats:
    if places is None:
        names = [split.tree.actions[index] for index in split.seen]
        return conse_places(scores.scores[:, split.seen].astype(np.float64), vectors.of(names), best)
    if places.shape != (len(scores), vectors.vectors.shape[1]):
        expected = (len(scores), vectors.vectors.shape[1])
        raise ValueError(f"expected places {expected} of the clips, got {places.shape}")
    return places


def _softmax(values: Floats) -> NDArray[np.float32]:
    powers = np.exp((values - values.max(axis=1, keepdims=True)) / _TEMPERATURE)
    shares: NDArray[np.float32] = (powers / powers.sum(axis=1, keepdims=True)).astype(np.float32)
    return shares
