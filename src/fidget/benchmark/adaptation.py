"""A source's network on a target: as it is, with K labelled clips a class, and with unlabelled target clips.

Settings say what is looked at. `inductive`: each measured clip alone, and the shots. The transductive ones
look at all measured clips together, without their labels, each in one way: batch statistics adapted to them,
class frequencies estimated from them (Saerens et al. 2002), pseudo-labels on them, or all three in this
order. Every setting is reported apart. All is a function of the run, the draw, the method and the setting.
"""

from __future__ import annotations

import difflib
import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from scipy.special import log_softmax

from fidget.benchmark.feature_heads import HeadSettings, Labelled, cosine_head, linear_head
from fidget.benchmark.features import ClipFeatures, run_features
from fidget.benchmark.fine_tuning import FULL, LIGHT, TuningSettings, fine_tuned, replayed
from fidget.benchmark.finished_run import FinishedRun, open_finished_run
from fidget.benchmark.normalisation import SOURCE_CLIPS, with_statistics
from fidget.benchmark.pseudo_labels import PseudoLabels, choose_pseudo_labels
from fidget.training.data import ClipSet, ClipSource, check_clips
from fidget.training.recipe import recipe_hash
from fidget.training.sampler import class_counts
from protocols.k_shot import Support, draw_support, support_rng
from protocols.prior_shift import adjusted, class_prior, estimate_prior, fitted_temperature
from protocols.protocol import Protocol, Split
from protocols.scores import NO_LABEL, ScoreFile, read_scores
from protocols.task import Task

NO_ADAPTATION = "none"
ADAPTATIONS = ("linear_probe", "cosine_prototypes", "light_fine_tuning", "full_fine_tuning")
INDUCTIVE = "inductive"
STATISTICS, PRIOR, PSEUDO = "transductive-statistics", "transductive-prior", "transductive-pseudo-labels"
EVERYTHING = "transductive-all"
SETTINGS = (INDUCTIVE, STATISTICS, PRIOR, PSEUDO, EVERYTHING)

_SOURCE_A_CLASS = 20  # source clips of a class whose features heads see
_PSEUDO_A_CLASS = 20  # pseudo-labelled clips of a class, at most
_PRIOR_CLIPS = 0.5  # clips of the known frequencies for each target clip: wrong predictions look like a shift
_WITHOUT_SHOTS = HeadSettings(temperatures=(0.1,), trusts=(1.0,))  # pseudo-labels alone cannot choose
_TUNING = {"light_fine_tuning": LIGHT, "full_fine_tuning": FULL}

Floats = NDArray[np.float64]


def adapt(
    task: Task,
    run_directory: Path,
    clips: Path | ClipSource,
    shots: int = 0,
    draw_seed: int = 0,
    method: str = NO_ADAPTATION,
    setting: str = INDUCTIVE,
    support: Support | None = None,
    device: str = "auto",
) -> ScoreFile:
    """Probabilities of a task's measured clips.

    Args:
        task: what trained, what is measured, where shots come from.
        run_directory: of the finished run that `task.source` trained.
        clips: directory of the pose cache; or the clips themselves, of a run over frames.
        shots: K; 0 with the method `none`, which takes none.
        draw_seed: number of the support list; decides fine-tuning's order and augmentation too.
        method: one of `ADAPTATIONS`, or `none`.
        setting: one of `SETTINGS`.
        support: the list of shots, such as one read from a file; drawn if None.
        device: `auto`, `cpu` or `cuda`.

    Raises:
        ValueError: names that are none (the nearest is given), shots that do not fit the method or the task,
            a run, cache or support list that does not fit.
    """
    return Adapter(task, run_directory, clips, device).scores(shots, draw_seed, method, setting, support)


@dataclass(frozen=True, eq=False)
class _Seen:
    """A network, and what it makes of the target."""

    run: FinishedRun
    target: ClipFeatures
    pool: ClipFeatures | None


class Adapter:
    """`adapt` for many draws, methods and settings of one task and one run: the run is opened once.

    Args:
        task: see `adapt`.
        run_directory: see `adapt`.
        clips: see `adapt`.
        device: see `adapt`.

    Raises:
        ValueError: run, clips and task do not fit.
    """

    def __init__(
        self, task: Task, run_directory: Path, clips: Path | ClipSource, device: str = "auto"
    ) -> None:
        self.task = task
        self.run = open_finished_run(run_directory, clips, task.source.tree, device)
        self._target = self._usable("test", task.target)
        self._source = self._usable("train", task.source.splits["train"])
        self._pool = None if task.support is None else self._usable("train", task.support)
        self._seen: dict[bool, _Seen] = {}
        self._source_labelled: Labelled | None = None

    def scores(
        self,
        shots: int = 0,
        draw_seed: int = 0,
        method: str = NO_ADAPTATION,
        setting: str = INDUCTIVE,
        support: Support | None = None,
    ) -> ScoreFile:
        """See `adapt`."""
        _expect(method, (NO_ADAPTATION, *ADAPTATIONS), "adaptation")
        _expect(setting, SETTINGS, "setting")
        drawn = self._support(shots, draw_seed, method, support)
        seen = self._view(setting in (STATISTICS, EVERYTHING))
        pseudo = setting in (PSEUDO, EVERYTHING)
        if method in _TUNING:
            assert drawn is not None
            log_probs, prior = self._tuned(seen, drawn, shots, draw_seed, _TUNING[method], pseudo)
        elif method == NO_ADAPTATION and not pseudo:
            log_probs, prior = seen.target.log_probs.astype(np.float64), self._source_prior()
            if setting in (PRIOR, EVERYTHING):
                log_probs /= self._temperature()
        else:
            log_probs, prior = self._headed(seen, drawn, method, pseudo)
        probabilities = np.exp(log_softmax(log_probs, axis=1))
        if setting in (PRIOR, EVERYTHING):
            found = estimate_prior(probabilities, prior, _PRIOR_CLIPS * len(probabilities))
            probabilities = adjusted(probabilities, prior, found.prior)
        recipe = self.run.recipe
        told = f"{method}, K {shots}" if shots else method
        return ScoreFile(
            tree=self.run.tree,
            clip_ids=self._target.clip_ids,
            labels=self._target.labels,
            scores=probabilities.astype(np.float32),
            method=f"{recipe.name} {'+'.join(recipe.input.streams)}, {told}, {setting}",
            recipe_hash=recipe_hash(recipe),
            cache_hash=self.run.clips.cache_hash,
            seed=recipe.train.seed,
        )

    def _usable(self, name: str, split: Split) -> ClipSet:
        """The clips of a split that can be used, by the recipe's rules; named where they have none."""
        rules = self.run.recipe.data.model_copy(update={"empty_classes": "keep"})
        protocol = Protocol(f"{self.task.name}, {name}", self.task.source.tree, {"train": split})
        return check_clips(self.run.clips, protocol, rules)["train"]

    def _support(self, shots: int, draw_seed: int, method: str, support: Support | None) -> Split | None:
        if method == NO_ADAPTATION:
            if shots or support is not None:
                raise ValueError(
                    f"the adaptation 'none' takes no shots, got {shots}; choose one of {ADAPTATIONS}"
                )
            return None
        if self._pool is None:
            raise ValueError(
                f"task {self.task.name!r} has no clips to draw shots from; use the adaptation 'none'"
            )
        pool = Split(self._pool.clip_ids, tuple(self._pool.labels.tolist()))
        if support is None:
            return draw_support(pool, shots, support_rng(0, draw_seed)).split
        known = dict(zip(pool.clip_ids, pool.labels, strict=True))
        wrong = [
            clip_id
            for clip_id, label in zip(support.split.clip_ids, support.split.labels, strict=True)
            if known.get(clip_id) != label
        ]
        if wrong or support.k != shots:
            raise ValueError(
                f"task {self.task.name!r}: expected a support list of K {shots} from its training clips, got "
                f"K {support.k} with {len(wrong)} others" + (f", such as {wrong[0]!r}" if wrong else "")
            )
        return support.split

    def _view(self, statistics: bool) -> _Seen:
        """The network with its own batch statistics or the target's, and what it makes of the target."""
        if statistics not in self._seen:
            run, variant = self.run, ""
            if statistics:
                run = with_statistics(run, self._target.clip_ids)
                ids = hashlib.sha256(repr(sorted(self._target.clip_ids)).encode("utf-8", "surrogatepass"))
                variant = f"statistics {SOURCE_CLIPS} {ids.hexdigest()}"
            pool = None if self._pool is None else run_features(run, self._pool.clip_ids, variant)
            self._seen[statistics] = _Seen(run, run_features(run, self._target.clip_ids, variant), pool)
        return self._seen[statistics]

    def _source_prior(self) -> Floats:
        """The class frequencies that the network learned under: the sampler's, without logit adjustment's."""
        recipe, labels = self.run.recipe, self._source.labels
        actions = len(self.run.tree.actions)
        counts = np.zeros(actions)
        sampled = class_counts(labels, recipe.sampling.balance, len(labels))
        counts[: len(sampled)] = sampled
        own = np.bincount(labels, minlength=actions) + 0.5
        return class_prior((counts + 0.5) / own**recipe.loss.logit_adjustment)

    def _temperature(self) -> float:
        """Of the source's network, fitted on the source's validation clips; 1 where there are none."""
        file = self.run.directory.scores("val")
        if not file.is_file():
            return 1.0
        stored = read_scores(file)
        known = stored.labels != NO_LABEL
        return fitted_temperature(stored.scores[known], stored.labels[known]) if known.any() else 1.0

    def _source_features(self) -> Labelled:
        """Some source clips of every class, always the same ones, as the run's own network sees them."""
        if self._source_labelled is None:
            whole = Split(self._source.clip_ids, tuple(self._source.labels.tolist()))
            some = draw_support(whole, _SOURCE_A_CLASS, support_rng(0, 0)).split
            self._source_labelled = _labelled(run_features(self.run, some.clip_ids), some.labels)
        return self._source_labelled

    def _headed(self, seen: _Seen, drawn: Split | None, method: str, pseudo: bool) -> tuple[Floats, Floats]:
        """(N, A) log-probabilities of a head over features, and the prior (A,) that it learned under."""
        make = linear_head if method != "cosine_prototypes" else cosine_head
        source, settings = self._source_features(), HeadSettings()
        shots = None
        if drawn is not None:
            assert seen.pool is not None
            shots = _labelled(seen.pool.of(drawn.clip_ids), drawn.labels)
        if pseudo:
            first = self._first_guess(seen, drawn)
            chosen = choose_pseudo_labels(first, _PSEUDO_A_CLASS)
            settings = _WITHOUT_SHOTS
            if shots is not None:  # they choose how far the network is trusted: pseudo-labels are its own
                fixed = cosine_head(shots, source)
                settings = HeadSettings(temperatures=(fixed.temperature,), trusts=(fixed.trust,))
            shots = _joined(shots, _taken(seen.target, chosen))
        assert shots is not None
        head = make(shots, source, settings)
        log_probs = head(seen.target.features, seen.target.log_probs)
        product: Floats = self._source_prior() ** head.trust  # the head's own prior is even
        return log_probs, class_prior(product)

    def _first_guess(self, seen: _Seen, drawn: Split | None) -> Floats:
        """(N, A) log-probabilities that pseudo-labels come from."""
        if drawn is None:
            return seen.target.log_probs.astype(np.float64)
        return self._headed(seen, drawn, "cosine_prototypes", pseudo=False)[0]

    def _tuned(
        self, seen: _Seen, drawn: Split, k: int, draw_seed: int, settings: TuningSettings, pseudo: bool
    ) -> tuple[Floats, Floats]:
        """As `_headed`, of a fine-tuned network; with pseudo-labels at most K more clips of a class."""
        sequence = np.random.SeedSequence((self.run.recipe.train.seed, draw_seed, k))
        seed = int(sequence.generate_state(1)[0])
        if pseudo:
            chosen = choose_pseudo_labels(self._first_guess(seen, drawn), k)
            more = tuple(self._target.clip_ids[row] for row in chosen.rows)
            drawn = Split(drawn.clip_ids + more, drawn.labels + tuple(chosen.labels.tolist()))
        source = Split(self._source.clip_ids, tuple(self._source.labels.tolist()))
        replay = replayed(source, drawn.labels, k, seed)
        tuned = fine_tuned(seen.run, drawn, replay, settings, seed)
        if seen.run is not self.run and settings.which == "full":  # which moved the statistics
            tuned = with_statistics(tuned, self._target.clip_ids)
        found = run_features(tuned, self._target.clip_ids, keep=False)
        counts = np.bincount(drawn.labels + replay.labels, minlength=len(self.run.tree.actions))
        return found.log_probs.astype(np.float64), class_prior(counts + 0.5)


def _labelled(found: ClipFeatures, labels: Sequence[int], weights: Floats | None = None) -> Labelled:
    features = found.features.astype(np.float64)
    return Labelled(features, found.log_probs.astype(np.float64), np.asarray(labels, np.int64), weights)


def _taken(target: ClipFeatures, chosen: PseudoLabels) -> Labelled:
    """Pseudo-labelled clips, each weighted with its confidence."""
    ids = [target.clip_ids[row] for row in chosen.rows]
    return _labelled(target.of(ids), chosen.labels.tolist(), chosen.confidence)


def _joined(shots: Labelled | None, more: Labelled) -> Labelled:
    if shots is None:
        return more
    return Labelled(
        np.concatenate([shots.features, more.features]),
        np.concatenate([shots.log_probs, more.log_probs]),
        np.concatenate([shots.labels, more.labels]),
        np.concatenate([shots.weight, more.weight]),
    )


def _expect(name: str, known: Sequence[str], what: str) -> None:
    if name not in known:
        near = difflib.get_close_matches(name, known, n=1)
        hint = f"did you mean {near[0]!r}? " if near else ""
        raise ValueError(f"no {what} {name!r}: {hint}expected one of {', '.join(known)}")
