"""A trained recogniser, of one network or of several fused: windows in, calibrated probabilities out.

Letters: F networks, W windows, A actions, V joints.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from fidget.fusion.rule_file import Fusion, Rule, read_fusion
from fidget.fusion.weighted_mean import WeightedMean
from fidget.recognition.trained_network import TrainedNetwork, load_network
from poses.layout import Layout, get_layout
from protocols.label_tree import LabelTree
from protocols.prior_shift import fitted_temperature, tempered
from protocols.score_fusion import stacked
from protocols.scores import ScoreFile, aligned, read_scores
from skeleton_models.clip_arrays import ClipArrays

Floats = NDArray[np.float64]
_FEWEST_CLIPS = 20  # on which a temperature is fitted


@dataclass(frozen=True)
class Calibration:
    """By what probabilities are made to be believed.

    Attributes:
        temperature: by which logits are divided; 1 where it was not fitted.
        words: for people: on what it was fitted, or why not.
        fitted: whether it was.
    """

    temperature: float
    words: str
    fitted: bool


@dataclass(frozen=True, eq=False)
class Recogniser:
    """What names actions; made by `load_recogniser`.

    Attributes:
        networks: one or more, of the same actions.
        layout: of the joints that its poses have, from which each network takes its own; None where no
            network takes joints.
        rule: how the networks' probabilities become one, in their order.
        calibrated_by: the temperature of what is fused.
    """

    networks: tuple[TrainedNetwork, ...]
    layout: Layout | None
    rule: Rule
    calibrated_by: Calibration

    @property
    def tree(self) -> LabelTree:
        """Its actions."""
        return self.networks[0].tree

    @property
    def temperature(self) -> float:
        """By which logits are divided; 1 where it was not fitted."""
        return self.calibrated_by.temperature

    @property
    def calibration(self) -> str:
        """In words, for people."""
        return self.calibrated_by.words

    @property
    def calibrated(self) -> bool:
        """Whether a temperature was fitted."""
        return self.calibrated_by.fitted

    @property
    def simulated(self) -> bool:
        """Whether any network's training data was simulated, as far as the runs say."""
        return any(one.origin.simulated for one in self.networks)

    @property
    def unrecorded(self) -> tuple[str, ...]:
        """Names of the networks whose runs do not record whether their data was simulated."""
        return tuple(one.name for one in self.networks if not one.origin.recorded)

    @property
    def takes_frames(self) -> bool:
        """Whether a network needs the video."""
        return any(one.takes_frames for one in self.networks)

    @property
    def sees_whole_picture(self) -> bool:
        """Whether every network sees whole pictures: then nobody knows of whom it speaks."""
        return all(one.sees_whole_picture for one in self.networks)

    @property
    def weights_hash(self) -> str:
        """16 hexadecimal digits of the files of weights and of the rule."""
        if len(self.networks) == 1:
            return self.networks[0].run.weights_hash
        told = repr([*(one.run.weights_hash for one in self.networks), self.rule])
        return hashlib.sha256(told.encode()).hexdigest()[:16]

    @property
    def method(self) -> str:
        """For people."""
        told = [
            f"{one.run.recipe.name}: {one.run.recipe.model.name}, {one.run.weights_hash}"
            for one in self.networks
        ]
        words = " (trained on simulated data)" if self.simulated else ""
        return " + ".join(told) + words

    def probabilities(self, count: int, read: Callable[[int], ClipArrays], all_views: bool = True) -> Floats:
        """Calibrated probabilities (W, A) of windows of poses, where no network takes frames.

        Args:
            count: W.
            read: window number -> its poses of `layout`, of one person; called from other threads, in order.
            all_views: average over the recipes' test views, as the calibration did; else one view.
        """

        def of(network: TrainedNetwork) -> Floats:
            return network.probabilities(count, lambda n: joints_for(network, self, read(n)), all_views)

        return self.fused([of(network) for network in self.networks])

    def fused(self, found: Sequence[Floats]) -> Floats:
        """Calibrated probabilities (W, A) from each network's (W, A), in the networks' order."""
        together = found[0] if len(found) == 1 else self.rule(np.stack(found))
        return tempered(together, self.temperature) if len(together) else together


def joints_for(network: TrainedNetwork, recogniser: Recogniser, poses: ClipArrays) -> ClipArrays:
    """The joints that a network takes, of poses (M, T, V, C) of the recogniser's layout."""
    assert network.layout is not None and recogniser.layout is not None
    if network.layout.joints == recogniser.layout.joints:
        return poses
    places = [recogniser.layout.joints.index(joint) for joint in network.layout.joints]
    return ClipArrays(poses.xyz[:, :, places], poses.score[:, :, places], poses.frame_hw)


def load_recogniser(runs: Sequence[Path], device: str = "auto", fusion: Path | None = None) -> Recogniser:
    """The networks of some runs of `fidget train`, as one.

    Args:
        runs: their directories; one that holds the runs of several streams stands for all of them.
        device: `auto`, `cpu` or `cuda`.
        fusion: what `fidget fuse --save` kept for these networks; None for equal weights of the logarithms.

    Raises:
        ValueError: no finished run lies there, or the runs do not go together; says which.
        OSError: the fusion cannot be read.
    """
    networks = [load_network(path, device) for run in runs for path in _with_streams(run)]
    for other in networks[1:]:
        _expect_same_tree(networks[0], other)
    if fusion is None:
        rule: Rule = WeightedMean((1.0,) * len(networks), "log")
    else:
        kept = read_fusion(fusion)
        networks = _in_order_of(kept, networks, fusion)
        rule = kept.rule
    calibration = _calibration(networks, rule)
    return Recogniser(tuple(networks), common_layout(networks), rule, calibration)


def _with_streams(run: Path) -> list[Path]:
    """The run itself, or those of its streams."""
    if (run / "recipe.toml").is_file():
        return [run]
    return sorted(one.parent for one in run.glob("*/recipe.toml")) or [run]


def _expect_same_tree(one: TrainedNetwork, other: TrainedNetwork) -> None:
    a, b = one.tree, other.tree
    if (a.actions, a.groups, a.group_of) == (b.actions, b.groups, b.group_of):
        return
    what = "other actions" if a.actions != b.actions else "other body groups"
    raise ValueError(
        f"{one.run.directory.path} names the {len(a.actions)} actions of {a.name!r}, "
        f"{other.run.directory.path} the {len(b.actions)} of {b.name!r} ({what}): runs are fused where their "
        "label trees are the same"
    )


def _in_order_of(fusion: Fusion, networks: list[TrainedNetwork], path: Path) -> list[TrainedNetwork]:
    """The networks in the order of the fusion's methods.

    Raises:
        ValueError: it is for other networks, or other actions.
    """
    names = [one.name for one in networks]
    if sorted(names) != sorted(fusion.methods):
        raise ValueError(
            f"{path} fuses scores of {', '.join(map(repr, fusion.methods))}, the runs are "
            f"{', '.join(map(repr, names))}: name the runs that it was chosen for"
        )
    if fusion.actions != networks[0].tree.actions:
        raise ValueError(
            f"{path} is for the {len(fusion.actions)} actions of {fusion.tree!r}, the runs name the "
            f"{len(networks[0].tree.actions)} of {networks[0].tree.name!r}, or other names"
        )
    waiting = list(networks)
    return [waiting.pop([one.name for one in waiting].index(name)) for name in fusion.methods]


def common_layout(networks: Sequence[TrainedNetwork]) -> Layout | None:
    """The smallest layout among those of the networks, and the whole sets of them, that has all joints.

    Raises:
        ValueError: none has; names two.
    """
    wanted = [one.layout for one in networks if one.layout is not None]
    if not wanted:
        return None
    wholes = [get_layout(one.name.partition("/")[0]) for one in wanted]
    joints = {joint for one in wanted for joint in one.joints}
    fitting = [one for one in (*wanted, *wholes) if joints <= set(one.joints)]
    if not fitting:
        names = list(dict.fromkeys(one.name for one in wanted))
        raise ValueError(
            f"the runs take joints of {' and of '.join(names)}, and no one of these has all of them: "
            "recognise with each alone"
        )
    return min(fitting, key=lambda one: len(one.joints))


def _calibration(networks: Sequence[TrainedNetwork], rule: Rule) -> Calibration:
    """The temperature of what is fused, on the validation clips that all networks were scored on."""
    files: list[ScoreFile] = []
    for network in networks:
        directory = network.run.directory
        path = directory.scores("val")
        if not path.is_file():
            return _none(f"{directory.path} has no scores of validation clips")
        scores = read_scores(path)
        known = int((scores.labels >= 0).sum())
        if known < _FEWEST_CLIPS or scores.tree.actions != network.tree.actions:
            return _none(f"{path} has {known} labelled clips of these actions")
        files.append(scores)
    others = [one for one in files if set(one.clip_ids) != set(files[0].clip_ids)]
    if others:
        return _none("the runs were validated on other clips each")
    try:
        joined = aligned(files)
    except ValueError as error:  # two labels for one clip
        return _none(f"the runs' validation scores do not go together ({error})")
    labels = joined[0].labels
    known_rows = labels >= 0
    together = rule(stacked(joined)) if len(files) > 1 else joined[0].scores.astype(np.float64)
    temperature = fitted_temperature(together[known_rows], labels[known_rows])
    count = int(known_rows.sum())
    of = f" of the {len(files)} networks fused" if len(files) > 1 else ""
    return Calibration(temperature, f"temperature {temperature:.3g} of {count} validation clips{of}", True)


def _none(why: str) -> Calibration:
    return Calibration(1.0, f"not calibrated: {why}", False)
