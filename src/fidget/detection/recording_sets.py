"""The recordings of each split with what is annotated in them: what is there, what is not, what is wrong."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from fidget.detection.pasted_clips import PREFIX
from fidget.detection.recipe import RecordingsTable
from fidget.detection.recordings import Recordings
from fidget.training.data import few
from protocols.detection_table import DetectionTable, Instance, by_video

_TOLD = {
    "missing": "annotated videos without a recording",
    "failed": "recordings that cannot be read",
    "reversed": "instances that end before they start",
    "beyond": "instances that reach beyond their recording",
}


@dataclass(frozen=True, eq=False)
class RecordingSet:
    """The recordings of one split that can be used, in the annotations' order.

    Attributes:
        name: of the split.
        recordings: their ids.
        instances: recording -> what happens in it; recordings without any are left out of it.
        left_out: why -> recordings, or instances by their recording, that are left out.
        withheld: whether the instances of the split are kept back.
    """

    name: str
    recordings: tuple[str, ...]
    instances: Mapping[str, list[Instance]]
    left_out: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    withheld: bool = False

    def __len__(self) -> int:
        return len(self.recordings)

    @property
    def all_instances(self) -> tuple[Instance, ...]:
        """Of all its recordings."""
        return tuple(one for name in self.recordings for one in self.instances.get(name, ()))

    def summary(self) -> str:
        """What there is, and what there is not, in one line."""
        what = "instances kept back" if self.withheld else f"{len(self.all_instances):,} instances"
        parts = [f"{self.name}: {len(self):,} recordings, {what}"]
        pasted = sum(name.startswith(PREFIX) for name in self.recordings)
        if pasted:
            parts.append(f"{pasted:,} of them trimmed clips pasted into motionless tracks")
        parts += [f"{len(names)} {why} left out ({few(names)})" for why, names in self.left_out.items()]
        return ", ".join(parts)


def check_recordings(
    recordings: Recordings, table: DetectionTable, rules: RecordingsTable
) -> tuple[dict[str, RecordingSet], list[str]]:
    """Every split of the annotations, checked against the recordings before anything is trained.

    Returns:
        The splits, and what else is to be said, in lines.

    Raises:
        ValueError: recordings are missing or cannot be read, recordings are not annotated, instances end
            before they start or behind their recording, nothing is annotated, and the recipe says to refuse;
            every problem is counted and its first recordings are named.
    """
    problems: list[str] = []
    notes = []
    unannotated = sorted(set(recordings.status) - set(table.video_ids))
    if unannotated and rules.unannotated == "refuse":
        problems.append(
            f"{len(unannotated)} recordings without annotation ({few(unannotated)}), "
            "or --set data.unannotated=drop"
        )
    elif unannotated:
        notes.append(f"{len(unannotated)} recordings without annotation are not used: {few(unannotated)}")
    by_name = by_video(table.instances)
    splits = [name for name in ("train", "val", "test") if name in table.splits]
    sets = {name: _split(recordings, table, name, by_name, rules, problems) for name in splits}
    nobody = sum(not split for split in table.splits)
    if nobody:
        notes.append(f"{nobody} annotated recordings are of no split, and not used")
    if "train" not in sets:
        problems.append(f"no recording is of the split 'train'; there are {', '.join(splits) or 'no splits'}")
    for one in sets.values():
        if not len(one):
            problems.append(f"{one.name}: no recording left")
        elif not one.all_instances and not one.withheld:
            problems.append(f"{one.name}: nothing is annotated in its {len(one)} recordings")
    if "train" in sets and sets["train"].withheld:
        problems.append("train: its instances are kept back")
    if problems:
        raise ValueError(f"{recordings.where} with {table.name!r}: " + "; ".join(problems))
    return sets, notes


def _split(
    recordings: Recordings,
    table: DetectionTable,
    name: str,
    by_name: Mapping[str, list[Instance]],
    rules: RecordingsTable,
    problems: list[str],
) -> RecordingSet:
    """One split; what is to be refused goes to the problems."""
    ids = [table.video_ids[row] for row in table.rows(name)]
    status = {one: recordings.status.get(one, "missing") for one in ids}
    usable = [one for one in ids if status[one] in ("ok", "no_person")]
    wrong: dict[str, list[str]] = {
        "missing": [one for one in ids if status[one] == "missing"],
        "failed": [one for one in ids if status[one] == "failed"],
        "reversed": [],
        "beyond": [],
    }
    instances: dict[str, list[Instance]] = {}
    for one in usable:
        kept = _kept(by_name.get(one, []), recordings.span_s(one)[1], rules, wrong)
        if kept:
            instances[one] = kept
    left_out: dict[str, tuple[str, ...]] = {}
    for kind, found in wrong.items():
        rule = getattr(rules, kind)
        if found and rule == "refuse":
            why = f": {recordings.problems[found[0]]}" if found[0] in recordings.problems else ""
            problems.append(
                f"{name}: {len(found)} {_TOLD[kind]} ({few(found)}{why}), or --set data.{kind}=drop"
            )
        elif found and rule == "drop":
            left_out[_TOLD[kind]] = tuple(found)
    if name == "train" and rules.without_instances == "drop":
        left_out["without an instance"] = tuple(one for one in usable if one not in instances)
        usable = [one for one in usable if one in instances]
    told = {why: names for why, names in left_out.items() if names}
    return RecordingSet(name, tuple(usable), instances, told, name in table.withheld)


def _kept(
    instances: Sequence[Instance], end_s: float, rules: RecordingsTable, wrong: dict[str, list[str]]
) -> list[Instance]:
    kept = []
    for one in instances:
        span = f"{one.video_id} {one.t_start_s:g}-{one.t_end_s:g} s"
        if not one.t_end_s > one.t_start_s:
            wrong["reversed"].append(span)
        elif one.t_start_s < -rules.beyond_s or one.t_end_s > end_s + rules.beyond_s:
            wrong["beyond"].append(f"{span} of {end_s:g} s")
            if rules.beyond == "clip" and one.t_start_s < end_s and one.t_end_s > 0:
                kept.append(
                    Instance(one.video_id, max(0.0, one.t_start_s), min(end_s, one.t_end_s), one.label)
                )
        else:
            kept.append(one)
    return kept
