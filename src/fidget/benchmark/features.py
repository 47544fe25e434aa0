"""Features and log-probabilities of clips from a finished run: computed once, kept beside the run.

`RUN/features/<key>.npz` holds the clip ids, features and log-probabilities of one list of clips; the key is a
hash of the weights, of the poses, of the views that are taken and of the list. Damaged files are made again.
"""

from __future__ import annotations

import hashlib
import json
import zipfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from fidget.benchmark.finished_run import FinishedRun, open_finished_run
from fidget.training.data import ClipSet, ClipSource, PoseClips
from fidget.training.losses import action_log_probs
from fidget.training.network import ActionNetwork
from fidget.training.prediction import mean_over_views
from poses.cache_lock import DirectoryLock
from poses.whole_file import replacing
from protocols.label_tree import LabelTree

_SMALLEST = 1e-12  # probability, before its logarithm is taken
_FORMAT = 1


@dataclass(frozen=True, eq=False)
class ClipFeatures:
    """What a network makes of clips; it checks itself once. N clips, D features, A actions.

    Attributes:
        clip_ids: N, each once.
        features: (N, D) float32, the mean over a clip's views.
        log_probs: (N, A) float32, the logarithm of the mean probability over a clip's views.

    Raises:
        ValueError: shapes that do not agree.
    """

    clip_ids: tuple[str, ...]
    features: NDArray[np.float32]
    log_probs: NDArray[np.float32]

    def __post_init__(self) -> None:
        n = len(self.clip_ids)
        for name, array in (("features", self.features), ("log_probs", self.log_probs)):
            if array.ndim != 2 or len(array) != n or array.dtype != np.float32:
                raise ValueError(f"{name}: expected float32 of {n} rows, got {array.dtype} {array.shape}")

    def __len__(self) -> int:
        return len(self.clip_ids)

    def of(self, clip_ids: Sequence[str]) -> ClipFeatures:
        """Some of the clips, in the order asked for.

        Raises:
            ValueError: a clip that is not among them; named.
        """
        row_of = {clip_id: row for row, clip_id in enumerate(self.clip_ids)}
        absent = [clip_id for clip_id in clip_ids if clip_id not in row_of]
        if absent:
            raise ValueError(
                f"{len(absent)} clips have no features, such as {absent[0]!r}; compute theirs first"
            )
        rows = np.array([row_of[clip_id] for clip_id in clip_ids], np.intp)
        return ClipFeatures(tuple(clip_ids), self.features[rows], self.log_probs[rows])


def clip_features(
    run_directory: Path,
    clips: Path | ClipSource,
    clip_ids: Sequence[str],
    tree: LabelTree | None = None,
    device: str = "auto",
) -> ClipFeatures:
    """Features and log-probabilities of clips from a finished run, or from what it kept of them.

    Args:
        run_directory: of the run.
        clips: directory of the pose cache that holds the clips; or the clips themselves.
        clip_ids: which, each once.
        tree: labels of the network's outputs; from the run's score files if None.
        device: `auto`, `cpu` or `cuda`.

    Raises:
        ValueError: no finished run, or clips without poses or videos; named.
    """
    return run_features(open_finished_run(run_directory, clips, tree, device), clip_ids)


def run_features(
    run: FinishedRun, clip_ids: Sequence[str], variant: str = "", keep: bool = True
) -> ClipFeatures:
    """As `clip_features`, of an opened run, whose network may have changed since.

    Args:
        run: with the network as it is to compute now.
        clip_ids: which, each once.
        variant: name of what was changed in the network; empty for the run's own weights.
        keep: read from and write to the run's cache of features.

    Raises:
        ValueError: clips without poses or videos, or a clip twice; named.
    """
    wanted = tuple(clip_ids)
    _expect_clips(run, wanted)
    if not keep:
        return _computed(run, wanted)
    folder = run.directory.path / "features"
    folder.mkdir(exist_ok=True)
    file = folder / f"{_key(run, wanted, variant)}.npz"
    found = _read(file, wanted)
    if found is not None:
        return found
    lock = DirectoryLock(
        folder, wait=True
    )  # of several processes that need the same features one computes them
    try:
        found = _read(file, wanted)
        if found is None:
            found = _computed(run, wanted)
            _write(file, found)
    finally:
        lock.release()
    return found


def _computed(run: FinishedRun, clip_ids: tuple[str, ...]) -> ClipFeatures:
    """In the memory of one batch beside what comes out."""
    network = run.network

    def rows_of(*inputs: Tensor | None) -> Tensor:
        features, log_probs = features_and_log_probs(network, *inputs)
        return torch.cat([log_probs.exp(), features.float()], 1)  # (rows, A + D)

    actions = len(run.tree.actions)
    clip_set = ClipSet("features", clip_ids, np.zeros(len(clip_ids), np.int64))
    width = actions + network.model.num_features
    mirrored = None
    if run.test_input.mirrored:  # features of a mirror image stay where they are
        turned = (*run.test_input.mirrored, *range(actions, width))
        mirrored = torch.tensor(turned, device=run.process.device)
    both = mean_over_views(
        run.process, network, rows_of, run.test_input, run.clips, clip_set, run.views_at_once,
        width, run.recipe.train.prefetch, mirrored,
    )  # fmt: skip
    log_probs = np.log(np.maximum(both[:, :actions], _SMALLEST))
    return ClipFeatures(clip_ids, np.ascontiguousarray(both[:, actions:]), log_probs)


def features_and_log_probs(network: ActionNetwork, *inputs: Tensor | None) -> tuple[Tensor, Tensor]:
    """(rows, D) and (rows, A) of a batch; the arguments as in `ActionNetwork.forward`."""
    features = network.model.forward_features(*inputs)
    return features, action_log_probs(network.model.forward_head(features), network.group_of)


def _expect_clips(run: FinishedRun, clip_ids: tuple[str, ...]) -> None:
    lacking = [one for one in clip_ids if run.clips.status.get(one) not in ("ok", "no_person")]
    if lacking:
        raise ValueError(
            f"{run.clips.where}: {len(lacking)} of {len(clip_ids)} clips have no "
            f"{'poses' if isinstance(run.clips, PoseClips) else 'readable video'}, such as {lacking[0]!r}; "
            "add them, or leave them out of the protocol"
        )
    if len(set(clip_ids)) != len(clip_ids):
        raise ValueError(f"expected each clip once, got {len(clip_ids) - len(set(clip_ids))} twice")


def _key(run: FinishedRun, clip_ids: tuple[str, ...], variant: str) -> str:
    """32 hexadecimal digits; speed settings do not count."""
    recipe = run.recipe
    taken = {
        "format": _FORMAT,
        "weights": run.weights_hash,
        "poses": run.clips.cache_hash,
        "input": recipe.input.model_dump(mode="json", exclude={"threads", "render"}),
        "views": [recipe.eval.test_clips, recipe.eval.test_flip],
        "variant": variant,
        "clips": clip_ids,
    }
    text = json.dumps(taken, sort_keys=True)  # ASCII: any clip id can be hashed
    return hashlib.sha256(text.encode("ascii")).hexdigest()[:32]


def _write(file: Path, found: ClipFeatures) -> None:
    names = "\n".join(json.dumps(clip_id) for clip_id in found.clip_ids)
    with replacing(file) as part, open(part, "wb") as opened:
        np.savez(
            opened,
            clip_ids=np.frombuffer(names.encode("ascii"), np.uint8),
            features=found.features,
            log_probs=found.log_probs,
        )


def _read(file: Path, clip_ids: tuple[str, ...]) -> ClipFeatures | None:
    """What a file holds; None if there is none, or none that is whole."""
    if not file.is_file():
        return None
    try:
        with np.load(file, allow_pickle=False) as stored:
            names = stored["clip_ids"].tobytes().decode("ascii")
            found = ClipFeatures(
                tuple(json.loads(line) for line in names.splitlines()),
                stored["features"],
                stored["log_probs"],
            )
    except (ValueError, KeyError, EOFError, OSError, zipfile.BadZipFile):
        return None
    return found if found.clip_ids == clip_ids else None
