"""Validation score files beside those to fuse: what may choose a fusion, and what must not."""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path

from protocols.score_fusion import combined, stacked
from protocols.scores import ScoreFile, aligned, expect_labels

_WORD = re.compile(r"[a-z]+")
_NOT_VALIDATION = {"test": "test", "testing": "test", "train": "training", "training": "training"}


def split_of(scores: ScoreFile, path: str | Path) -> str:
    """`test` or `training` where a score file, or else its name, says it is of such a split; else empty."""
    words = [scores.split.lower()] if scores.split else _WORD.findall(Path(path).stem.lower())
    return next((_NOT_VALIDATION[word] for word in words if word in _NOT_VALIDATION), "")


def check_validation(
    files: Sequence[ScoreFile],
    validation: Sequence[ScoreFile],
    paths: Sequence[str | Path],
) -> list[ScoreFile]:
    """See that validation files may choose how other files are fused, and join them by clip id.

    Args:
        files: to be fused.
        validation: of the same methods in the same order.
        paths: where the validation files come from.

    Returns:
        The validation files, joined.

    Raises:
        ValueError: not one for each file, of another method, of other actions, of a test or a training split,
            without labels, or with clips that are among those to be fused.
    """
    if len(validation) != len(files):
        raise ValueError(
            f"--validation: expected {len(files)} score files, one for each to fuse and in their order, "
            f"got {len(validation)}"
        )
    for number, (file, own, path) in enumerate(zip(files, validation, paths, strict=True), 1):
        split = split_of(own, path)
        if split:
            raise ValueError(
                f"{path}: these are scores of a {split} split; weights are chosen on validation scores only"
            )
        if own.method != file.method:
            raise ValueError(
                f"{path}: expected validation scores of {file.method!r}, the method of file {number} to "
                f"fuse, got {own.method!r}; name both lists in the same order"
            )
        if own.tree.actions != file.tree.actions:
            raise ValueError(
                f"{path}: expected the {len(file.tree.actions)} actions of {file.tree.name}, got "
                f"{len(own.tree.actions)} of {own.tree.name}, or other names"
            )
    joined = aligned(validation)
    both = sorted(set(joined[0].clip_ids) & {clip_id for file in files for clip_id in file.clip_ids})
    if both:
        raise ValueError(
            f"{paths[0]}: {len(both)} of its {len(joined[0])} clips, such as {both[0]!r}, are among those to "
            "fuse; weights that were chosen on the clips they are measured on look better than they are"
        )
    expect_labels(combined(joined, stacked(joined)[0], joined[0].method))
    return joined
