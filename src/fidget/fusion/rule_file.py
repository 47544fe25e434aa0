"""A fusion whose numbers were chosen, as a small JSON file that can be applied to other score files."""

from __future__ import annotations

import json
import math
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from fidget.fusion.class_weights import ClassWeights
from fidget.fusion.gate import Gate
from fidget.fusion.weighted_mean import WeightedMean
from poses.whole_file import replacing
from protocols.score_fusion import combined, stacked
from protocols.scores import ScoreFile, aligned

Rule = WeightedMean | ClassWeights | Gate

KINDS: dict[str, type[WeightedMean] | type[ClassWeights] | type[Gate]] = {
    "weighted_mean": WeightedMean,
    "class_weights": ClassWeights,
    "gate": Gate,
}
_VERSION = 1
_MOST_BYTES = 2**24
_KEYS = ("tree", "actions", "methods", "chosen_by", "validation_clips")


@dataclass(frozen=True)
class Fusion:
    """A rule, and what it is for.

    Attributes:
        rule: with its numbers.
        tree: name of the label tree.
        actions: names, in index order.
        methods: of the score files, in the order the rule takes them.
        chosen_by: what made the numbers best; empty where they were named.
        validation_clips: on how many clips; 0 where they were named.
    """

    rule: Rule
    tree: str
    actions: tuple[str, ...]
    methods: tuple[str, ...]
    chosen_by: str = ""
    validation_clips: int = 0

    def fused(self, files: Sequence[ScoreFile]) -> ScoreFile:
        """The files as one, clips joined by id.

        Raises:
            ValueError: other actions, files of other methods or in another order, clips that differ; named.
        """
        joined = aligned(files)
        if joined[0].tree.actions != self.actions:
            raise ValueError(
                f"the fusion is for the {len(self.actions)} actions of {self.tree}, the score files have "
                f"{len(joined[0].tree.actions)} of {joined[0].tree.name}, or other names"
            )
        given = tuple(one.method for one in files)
        if given != self.methods:
            raise ValueError(
                f"the fusion is for scores of {_listed(self.methods)}, in this order, got {_listed(given)}; "
                "name the same methods in the same order"
            )
        return combined(joined, self.rule(stacked(joined)), self.rule.name(joined))

    @property
    def kind(self) -> str:
        """The rule's name in `KINDS`."""
        return next(name for name, kind in KINDS.items() if isinstance(self.rule, kind))

    def as_json(self) -> dict[str, Any]:
        """What the file holds; an infinite strength is null."""
        numbers = asdict(self.rule)
        if math.isinf(numbers.get("strength", 0.0)):
            numbers["strength"] = None
        head = {"format": "fidget fusion", "format_version": _VERSION, "kind": self.kind}
        return {**head, **{name: getattr(self, name) for name in _KEYS}, "rule": numbers}


def fusion_of(
    rule: Rule, files: Sequence[ScoreFile], chosen_by: str = "", validation_clips: int = 0
) -> Fusion:
    """A rule for the methods and the actions of score files."""
    tree = files[0].tree
    methods = tuple(one.method for one in files)
    return Fusion(rule, tree.name, tree.actions, methods, chosen_by, validation_clips)


def write_fusion(path: str | Path, fusion: Fusion) -> None:
    """Write it; the file is there whole or not at all.

    Raises:
        OSError: no room, or no permission.
    """
    with replacing(Path(path)) as part:
        text = json.dumps(fusion.as_json(), ensure_ascii=False, allow_nan=False, indent=1)
        part.write_text(text + "\n", encoding="utf-8")


def read_fusion(path: str | Path) -> Fusion:
    """Read what `write_fusion` wrote.

    Raises:
        ValueError: it is no such file, or its numbers cannot be meant; names the file.
        OSError: it cannot be opened.
    """
    path = Path(path)
    if path.stat().st_size > _MOST_BYTES:
        raise ValueError(f"{path}: no fusion: larger than {_MOST_BYTES} bytes")
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
        if not isinstance(content, dict) or content.get("format") != "fidget fusion":
            raise ValueError("expected what fidget fuse --save writes")
        if content.get("format_version") != _VERSION:
            raise ValueError(f"expected format_version {_VERSION}, got {content.get('format_version')!r}")
        return _from_json(content)
    except KeyError as error:
        raise ValueError(f"{path}: no fusion: the key {error} is missing") from error
    except (ValueError, TypeError, RecursionError) as error:
        raise ValueError(f"{path}: no fusion: {' '.join(str(error).split())[:300]}") from error


def _from_json(content: dict[str, Any]) -> Fusion:
    kind = content["kind"]
    if kind not in KINDS:
        raise ValueError(f"expected the kind {', '.join(KINDS)}, got {kind!r}")
    numbers = dict(content["rule"])
    if numbers.get("strength", 0.0) is None:
        numbers["strength"] = math.inf
    fusion = Fusion(
        KINDS[kind](**{name: _plain(value) for name, value in numbers.items()}),
        str(content["tree"]),
        tuple(map(str, content["actions"])),
        tuple(map(str, content["methods"])),
        str(content["chosen_by"]),
        int(content["validation_clips"]),
    )
    if fusion.rule.files != len(fusion.methods):
        raise ValueError(f"expected {fusion.rule.files} methods, one a file, got {len(fusion.methods)}")
    if isinstance(fusion.rule, ClassWeights) and len(fusion.rule.weights[0]) != len(fusion.actions):
        raise ValueError(f"expected weights of {len(fusion.actions)} actions")
    return fusion


def _plain(value: Any) -> Any:
    """Lists as tuples of floats, numbers as floats, words as they are."""
    if isinstance(value, list):
        return tuple(_plain(one) for one in value)
    return float(value) if isinstance(value, int | float) else str(value)


def _listed(names: Sequence[str]) -> str:
    return ", ".join(repr(name) for name in names)
