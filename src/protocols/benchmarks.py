"""Benchmarks by name: which tasks a table of clips gives; each trains, measures, and draws shots somewhere.

| benchmark | tasks |
|---|---|
| `mma82/in-domain` | all domains together, then each: its own train, val and test |
| `mma82/cross-domain` | one source domain to each target's test; shots from the target's train |
| `mma82/leave-one-domain-out` | all other domains to each domain's test; shots from its train |
| `ma52` | the official split: `test` where its labels are known, else `val`, which then chooses nothing |
| `ma52/ablations` | as `ma52`, for the networks of MANet's ablations |
| `ma52/subjects` | nobody is in two splits: our own list, `tables/ma52_subjects.csv` |
| `nw_ucla/cross-camera` | cameras 1 and 2 to 3 (published), and each camera to each other, with shots |
| `jhmdb14` | split 1 |
| `labels` | the splits of any labels file |

The domain benchmarks take any table with domains, whatever its labels are.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from itertools import permutations

import numpy as np
from numpy.typing import NDArray

from protocols import jhmdb, nw_ucla
from protocols.clip_table import SPLITS, ClipTable
from protocols.ma52 import by_subject
from protocols.protocol import Protocol, Split
from protocols.task import Task
from protocols.trees import nearest

DOMAINS = ("laboratory", "psychiatric", "street", "emotion")  # of MMA-82, in the paper's order
SHOTS = (1, 5, 10)
SUPPORT_PERFORMERS = (8, 9, 10)  # of NW-UCLA: shots are drawn from these, the others are measured

_CAMERAS = (1, 2, 3)


def make_tasks(
    benchmark: str,
    table: ClipTable,
    source: str = DOMAINS[0],
    targets: Sequence[str] | None = None,
    shots: Sequence[int] = SHOTS,
) -> tuple[Task, ...]:
    """The tasks of a benchmark.

    Args:
        benchmark: one of `BENCHMARKS`.
        table: the clips.
        source: domain that trains, of `mma82/cross-domain`; the other benchmarks have their own sources.
        targets: domains (cameras such as `camera 3`) that are measured; all if None.
        shots: numbers of clips a class, K, where the benchmark has shots; none of them is run without.

    Raises:
        ValueError: no such benchmark, domain or camera (the nearest are named), a split without labelled
            clips, K below 1.
    """
    if benchmark not in BENCHMARKS:
        known = list(BENCHMARKS)
        raise ValueError(
            f"no benchmark {benchmark!r}: {nearest(benchmark, known)}expected one of {', '.join(known)}"
        )
    wrong = [k for k in shots if k < 1]
    if wrong or len(set(shots)) != len(shots):
        raise ValueError(f"expected numbers of shots of 1 or more, each once, got {list(shots)}")
    if benchmark == "mma82/cross-domain":
        return cross_domain(table, source, targets, shots)
    if benchmark == "mma82/leave-one-domain-out":
        return leave_one_domain_out(table, targets, shots)
    if benchmark == "nw_ucla/cross-camera":
        return cross_camera(table, targets, shots)
    tasks = BENCHMARKS[benchmark](table)
    if targets is None:
        return tasks
    _expect_names("target", targets, [task.name for task in tasks])
    return tuple(task for task in tasks if task.name in targets)


def domains_of(table: ClipTable) -> tuple[str, ...]:
    """The domains of a table's labelled clips: MMA-82's in the paper's order, then others as they come."""
    found = dict.fromkeys(table.domains[row] for row in table.rows())
    found.pop("", None)
    return (*(name for name in DOMAINS if name in found), *(name for name in found if name not in DOMAINS))


def in_domain(table: ClipTable) -> tuple[Task, ...]:
    """All domains together, then each alone; one task where there is one domain only."""
    domains = domains_of(table)
    wanted: list[str | None] = [None, *domains] if len(domains) > 1 else [*domains] or [None]
    tasks = []
    for domain in wanted:
        name = domain or "all"
        target = _measured(table, domain)
        tasks.append(Task("mma82/in-domain", name, _source(table, name, domain), target, name, name))
    return tuple(tasks)


def cross_domain(
    table: ClipTable,
    source: str = DOMAINS[0],
    targets: Sequence[str] | None = None,
    shots: Sequence[int] = SHOTS,
) -> tuple[Task, ...]:
    """One domain trains, each other one is measured."""
    domains = domains_of(table)
    _expect_names("source", [source], domains)
    wanted = [name for name in domains if name != source] if targets is None else list(targets)
    _expect_names("target", wanted, [name for name in domains if name != source])
    protocol = _source(table, source, source)
    return tuple(
        Task(
            "mma82/cross-domain", f"{source} to {target}", protocol, _measured(table, target), source, target,
            _pool(table, target, shots), tuple(shots),
        )
        for target in wanted
    )  # fmt: skip


def leave_one_domain_out(
    table: ClipTable, targets: Sequence[str] | None = None, shots: Sequence[int] = SHOTS
) -> tuple[Task, ...]:
    """All domains but one train, that one is measured."""
    domains = domains_of(table)
    if len(domains) < 2:
        raise ValueError(
            f"clips of {table.name!r}: expected two domains or more, got {', '.join(domains) or 'none'}"
        )
    wanted = list(domains) if targets is None else list(targets)
    _expect_names("target", wanted, domains)
    tasks = []
    for target in wanted:
        name = f"all but {target}"
        splits = {}
        for split in SPLITS:
            rows = np.array([row for row in table.rows(split) if table.domains[row] not in ("", target)], int)
            if len(rows):
                splits[split] = table.split(rows)
        note = f"every domain but {target}"
        protocol = Protocol(f"{table.name}/{name}", table.tree, splits, note, table.simulated)
        tasks.append(
            Task(
                "mma82/leave-one-domain-out", f"others to {target}", protocol, _measured(table, target), name,
                target, _pool(table, target, shots), tuple(shots),
            )
        )  # fmt: skip
    return tuple(tasks)


def ma52_official(table: ClipTable) -> tuple[Task, ...]:
    """MA-52 as published. Test labels are kept back: without them val is measured, and chooses nothing."""
    if len(table.rows("test")):
        protocol = table.protocol(f"{table.name}/official", note="the official split")
        return (Task("ma52", "test", protocol, _measured(table, None)),)
    train = Protocol(
        f"{table.name}/official train",
        table.tree,
        {"train": _labelled(table, table.rows("train"), "train")},
        "the official training split; val is measured, since the labels of test are kept back",
        table.simulated,
    )
    return (Task("ma52", "val", train, _labelled(table, table.rows("val"), "val")),)


def ma52_ablations(table: ClipTable) -> tuple[Task, ...]:
    """As `ma52`; which networks are trained is not for a protocol to say."""
    return tuple(replace(task, benchmark="ma52/ablations") for task in ma52_official(table))


def ma52_subjects(table: ClipTable) -> tuple[Task, ...]:
    """MA-52's labelled clips by subject, after our list: whoever is measured was never trained on."""
    split = by_subject(table)
    protocol = split.protocol(f"{table.name}/subjects")
    return (Task("ma52/subjects", "test", protocol, _measured(split, None)),)


def cross_camera(
    table: ClipTable, targets: Sequence[str] | None = None, shots: Sequence[int] = SHOTS
) -> tuple[Task, ...]:
    """Northwestern-UCLA: two cameras to the third as published, then each camera to each other.

    Of the pairs, performers 8, 9 and 10 before the target's camera give the shots and the others are
    measured. The cameras saw the same performances at the same time.
    """
    recordings = [nw_ucla.recording_of(clip_id) for clip_id in table.clip_ids]
    names = {camera: f"camera {camera}" for camera in _CAMERAS}
    _expect_names("target", targets or (), list(names.values()))

    def chosen(cameras: Sequence[int], performers: Callable[[int], bool] = lambda _: True) -> Split:
        found = [
            row for row in table.rows()
            if recordings[row].camera in cameras and performers(recordings[row].performer)
        ]  # fmt: skip
        return _labelled(table, np.array(found, int), " and ".join(names[camera] for camera in cameras))

    def source(cameras: Sequence[int]) -> Protocol:
        words = "cameras 1 and 2" if len(cameras) > 1 else names[cameras[0]]
        note = f"all performers before {words}; nothing validates"
        return Protocol(
            f"{table.name}/{words}", table.tree, {"train": chosen(cameras)}, note, table.simulated
        )

    benchmark = "nw_ucla/cross-camera"
    both = Task(
        benchmark, "cameras 1 and 2 to camera 3", source((1, 2)), chosen((3,)), "cameras 1 and 2", names[3]
    )
    tasks = [both]
    sources = {camera: source((camera,)) for camera in _CAMERAS}
    for one, other in permutations(_CAMERAS, 2):
        target = chosen((other,), lambda performer: performer not in SUPPORT_PERFORMERS)
        pool = chosen((other,), lambda performer: performer in SUPPORT_PERFORMERS) if shots else None
        name = f"{names[one]} to {names[other]}"
        tasks.append(
            Task(benchmark, name, sources[one], target, names[one], names[other], pool, tuple(shots))
        )
    return tuple(task for task in tasks if targets is None or task.target_domain in targets)


def jhmdb14(table: ClipTable) -> tuple[Task, ...]:
    """JHMDB, split 1 of its 14 shared actions: all of its training part trains."""
    protocol = jhmdb.jhmdb(table.clip_ids, "jhmdb14_full")
    if "test" not in protocol.splits:
        raise ValueError(f"clips of {table.name!r}: expected clips of JHMDB's test part, got none")
    return (Task("jhmdb14", "test", protocol, protocol.splits["test"]),)


def labels(table: ClipTable) -> tuple[Task, ...]:
    """A labels file's own splits: test is measured, val may choose."""
    return (Task("labels", "test", table.protocol(table.name), _measured(table, None)),)


BENCHMARKS: Mapping[str, Callable[[ClipTable], tuple[Task, ...]]] = {
    "mma82/in-domain": in_domain,
    "mma82/cross-domain": cross_domain,
    "mma82/leave-one-domain-out": leave_one_domain_out,
    "ma52": ma52_official,
    "ma52/ablations": ma52_ablations,
    "ma52/subjects": ma52_subjects,
    "nw_ucla/cross-camera": cross_camera,
    "jhmdb14": jhmdb14,
    "labels": labels,
}


def _source(table: ClipTable, name: str, domain: str | None) -> Protocol:
    """A domain's own splits, or those of all; the same in every benchmark, so trained once."""
    if not len(table.rows("train", domain)):
        raise ValueError(f"clips of {table.name!r}: {name} has no labelled clip in the split train")
    return table.protocol(f"{table.name}/{name}", domain)


def _measured(table: ClipTable, domain: str | None) -> Split:
    where = "the split test" if domain is None else f"the split test of {domain}"
    return _labelled(table, table.rows("test", domain), where)


def _pool(table: ClipTable, domain: str, shots: Sequence[int]) -> Split | None:
    """The clips from which shots are drawn; None where none are wanted."""
    if not shots:
        return None
    rows = table.rows("train", domain)
    if not len(rows):
        raise ValueError(
            f"clips of {table.name!r}: {domain} has no labelled clip in the split train to draw shots from; "
            "ask for no shots"
        )
    return table.split(rows)


def _labelled(table: ClipTable, rows: NDArray[np.int64], where: str) -> Split:
    if not len(rows):
        raise ValueError(f"clips of {table.name!r}: no labelled clip in {where}")
    return table.split(rows)


def _expect_names(what: str, wanted: Sequence[str], known: Sequence[str]) -> None:
    for name in wanted:
        if name not in known:
            there = ", ".join(known) or "nothing, since there are no others"
            raise ValueError(f"no {what} {name!r} here: {nearest(name, known)}expected one of {there}")
    if len(set(wanted)) != len(wanted):
        raise ValueError(f"expected each {what} once, got {', '.join(wanted)}")
