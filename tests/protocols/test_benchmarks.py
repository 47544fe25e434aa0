from __future__ import annotations

from dataclasses import replace
from itertools import product

import numpy as np
import pytest

from protocols import nw_ucla
from protocols.benchmarks import BENCHMARKS, DOMAINS, domains_of, make_tasks
from protocols.clip_table import ClipTable
from protocols.jhmdb import TREE as JHMDB_TREE
from protocols.label_tree import LabelTree
from protocols.ma52 import read_ma52, subject_splits
from protocols.protocol import Split
from protocols.scores import NO_LABEL
from protocols.task import Task

TREE = LabelTree("three", ("nod", "wave", "kick"), ("head", "limb"), (0, 1, 1))


def _table(rows: list[tuple[str, int, str, str]], tree: LabelTree = TREE, name: str = "mma82") -> ClipTable:
    """Rows of clip, label, split, domain; the subject is the part of the clip's name before `_`."""
    ids, labels, splits, domains = zip(*rows, strict=True)
    subjects = tuple(one.partition("_")[0] for one in ids)
    return ClipTable(name, tree, ids, np.array(labels, np.int64), splits, domains, subjects)


def _four_domains() -> ClipTable:
    """In the file's order street comes first; two clips a class, split and domain, one without a label."""
    rows = [
        (f"{domain}_{split}{label}{n}", label, split, domain)
        for domain in ("street", "laboratory", "emotion", "psychiatric")
        for split, label, n in product(("train", "val", "test"), range(3), range(2))
    ]
    return _table([*rows, ("street_unknown", NO_LABEL, "test", "street")])


def _domains(table: ClipTable, split: Split) -> set[str]:
    domain_of = dict(zip(table.clip_ids, table.domains, strict=True))
    return {domain_of[one] for one in split.clip_ids}


def _trained(task: Task) -> set[str]:
    return {one for name in ("train", "val") for one in task.source.splits.get(name, Split((), ())).clip_ids}


def test_in_domain_is_all_and_each_domain_in_the_papers_order() -> None:
    table = _four_domains()
    tasks = make_tasks("mma82/in-domain", table)
    assert [task.name for task in tasks] == ["all", *DOMAINS]
    assert [len(task.target.clip_ids) for task in tasks] == [24, 6, 6, 6, 6]
    for task in tasks[1:]:
        assert _domains(table, task.target) == {task.name} == _domains(table, task.source.splits["train"])
        assert task.source.splits["test"] == task.target
        assert task.support is None
    assert [task.name for task in make_tasks("mma82/in-domain", table, targets=["street"])] == ["street"]


def test_one_domain_alone_is_one_task() -> None:
    table = _four_domains()
    only = replace(table, domains=("laboratory",) * len(table))
    assert [task.name for task in make_tasks("mma82/in-domain", only)] == ["laboratory"]
    without = replace(table, domains=("",) * len(table))
    assert [task.name for task in make_tasks("mma82/in-domain", without)] == ["all"]


def test_laboratory_to_each_of_the_others() -> None:
    table = _four_domains()
    tasks = make_tasks("mma82/cross-domain", table)
    assert [task.name for task in tasks] == [
        "laboratory to psychiatric", "laboratory to street", "laboratory to emotion",
    ]  # fmt: skip
    assert len({task.source.name for task in tasks}) == 1  # trained once
    for task in tasks:
        assert task.source_domain == "laboratory"
        assert _domains(table, task.source.splits["train"]) == {"laboratory"}
        assert _domains(table, task.target) == {task.target_domain} == _domains(table, task.support)
        assert task.shots == (1, 5, 10)
        assert len(task.target.clip_ids) == len(task.support.clip_ids) == 6
        assert not set(task.support.clip_ids) & set(task.target.clip_ids)
    own = make_tasks("mma82/in-domain", table, targets=["laboratory"])[0]
    assert own.source == tasks[0].source  # the same name and the same splits: one training serves both
    assert own.source.splits == tasks[0].source.splits


def test_any_source_target_and_number_of_shots() -> None:
    table = _four_domains()
    (task,) = make_tasks("mma82/cross-domain", table, source="emotion", targets=["laboratory"], shots=(3,))
    assert (task.name, task.shots) == ("emotion to laboratory", (3,))
    zero = make_tasks("mma82/cross-domain", table, shots=())
    assert all(task.support is None and task.shots == () for task in zero)


def test_leave_one_domain_out() -> None:
    table = _four_domains()
    tasks = make_tasks("mma82/leave-one-domain-out", table)
    assert [task.target_domain for task in tasks] == list(DOMAINS)
    for task in tasks:
        others = set(DOMAINS) - {task.target_domain}
        assert task.name == f"others to {task.target_domain}"
        for split in ("train", "val", "test"):
            assert _domains(table, task.source.splits[split]) == others
        assert _domains(table, task.target) == {task.target_domain}
    assert len({task.source.name for task in tasks}) == 4


def test_domains_of_another_data_set_come_as_they_are() -> None:
    table = _four_domains()
    named = {"street": "Straße", "emotion": "emotion", "laboratory": "ward", "psychiatric": "home"}
    other = replace(table, domains=tuple(named[one] for one in table.domains))
    assert domains_of(other) == ("emotion", "Straße", "ward", "home")


def _ma52(test_label: int) -> ClipTable:
    subjects = list(subject_splits())
    rows = [
        (f"{subject}_01_{n:04d}", n % 3, "val" if n == 2 else "train", "")
        for subject, n in product(subjects, range(3))
    ]
    return _table([*rows, ("test0000", test_label, "test", ""), ("test0001", test_label, "test", "")])


def test_ma52_measures_val_while_the_test_labels_are_kept_back() -> None:
    (task,) = make_tasks("ma52", _ma52(NO_LABEL))
    assert task.name == "val"
    assert set(task.source.splits) == {"train"}
    assert len(task.target.clip_ids) == len(subject_splits())
    (known,) = make_tasks("ma52", _ma52(1))
    assert known.name == "test"
    assert set(known.source.splits) == {"train", "val", "test"}
    assert known.source.name != task.source.name  # other clips train: another network


def test_nobody_of_ma52_is_in_two_splits() -> None:
    table = _ma52(NO_LABEL)
    (task,) = make_tasks("ma52/subjects", table)
    subjects = {
        name: {one.partition("_")[0] for one in split.clip_ids} for name, split in task.source.splits.items()
    }
    assert set(subjects) == {"train", "val", "test"}
    assert sum(map(len, subjects.values())) == 186 == len(set().union(*subjects.values()))
    assert task.target == task.source.splits["test"]


@pytest.mark.shared
def test_ma52_by_subject_has_every_class_in_every_split(shared_dir) -> None:
    table = read_ma52(shared_dir / "data" / "annotations" / "ma52")
    (task,) = make_tasks("ma52/subjects", table)
    assert sum(len(split.clip_ids) for split in task.source.splits.values()) == 16_836
    for split in task.source.splits.values():
        assert set(split.labels) == set(range(52))
    (official,) = make_tasks("ma52", table)
    assert (official.name, len(official.target.clip_ids)) == ("val", 5586)


def _nw_ucla() -> ClipTable:
    ids = [
        f"a{action:02d}_s{performer:02d}_e00_v0{camera}"
        for action, performer, camera in product((1, 6, 12), range(1, 11), (1, 2, 3))
    ]
    labels = [nw_ucla.recording_of(one).label for one in ids]
    rows = [(one, label, "", "") for one, label in zip(ids, labels, strict=True)]
    return _table(rows, nw_ucla.TREE, "nw_ucla")


def test_cameras_to_cameras() -> None:
    tasks = make_tasks("nw_ucla/cross-camera", _nw_ucla())
    assert len(tasks) == 7
    published, *pairs = tasks
    assert (published.name, published.support) == ("cameras 1 and 2 to camera 3", None)
    assert len(published.source.splits["train"].clip_ids) == 60
    assert len(published.target.clip_ids) == 30
    assert {(task.source_domain, task.target_domain) for task in pairs} == {
        (f"camera {a}", f"camera {b}") for a, b in product((1, 2, 3), repeat=2) if a != b
    }
    assert len({task.source.name for task in tasks}) == 4
    for task in pairs:
        cameras = {one[-1] for one in task.source.splits["train"].clip_ids}
        assert cameras == {task.source_domain[-1]}
        assert {one[-1] for one in task.target.clip_ids + task.support.clip_ids} == {task.target_domain[-1]}
        assert {one[4:7] for one in task.support.clip_ids} == {"s08", "s09", "s10"}
        assert len(task.target.clip_ids) == 21
    to_two = make_tasks("nw_ucla/cross-camera", _nw_ucla(), targets=["camera 2"], shots=())
    assert [task.name for task in to_two] == ["camera 1 to camera 2", "camera 3 to camera 2"]
    assert all(task.support is None for task in to_two)


def test_jhmdb_and_a_labels_file() -> None:
    rows = [
        (f"{part}/{action}_{n:03d}", label, "", "")
        for part in ("train", "test")
        for label, action in enumerate(JHMDB_TREE.actions)
        for n in range(4)
    ]
    (task,) = make_tasks("jhmdb14", _table(rows, JHMDB_TREE, "jhmdb14"))
    assert len(task.target.clip_ids) == len(task.source.splits["train"].clip_ids) == 56
    (labels,) = make_tasks("labels", _four_domains())
    assert labels.target == labels.source.splits["test"]


@pytest.mark.parametrize("benchmark", ["mma82/in-domain", "mma82/cross-domain", "mma82/leave-one-domain-out"])
def test_no_measured_clip_is_trained_or_drawn(benchmark) -> None:
    for task in make_tasks(benchmark, _four_domains()):
        drawn = set(task.support.clip_ids) if task.support else set()
        assert not set(task.target.clip_ids) & (_trained(task) | drawn)
        assert not drawn & _trained(task)
        assert "street_unknown" not in task.target.clip_ids  # without a label nothing is measured


def test_every_benchmark_can_be_asked_for_without_options() -> None:
    tables = {
        "ma52": _ma52(0), "ma52/subjects": _ma52(NO_LABEL), "nw_ucla/cross-camera": _nw_ucla(),
        "jhmdb14": _table([("train/clap_000", 1, "", ""), ("test/clap_000", 1, "", "")], JHMDB_TREE),
    }  # fmt: skip
    for name, tasks_of in BENCHMARKS.items():
        tasks = tasks_of(tables.get(name, _four_domains()))
        assert len({task.name for task in tasks}) == len(tasks) > 0
        assert {task.benchmark for task in tasks} == {name}


def _without(split: str, domain: str) -> ClipTable:
    table = _four_domains()
    kept = [row for row in range(len(table)) if (table.splits[row], table.domains[row]) != (split, domain)]
    return _table(
        [(table.clip_ids[r], int(table.labels[r]), table.splits[r], table.domains[r]) for r in kept]
    )


@pytest.mark.parametrize(
    ("call", "told"),
    [
        (lambda: make_tasks("mma82/cross_domain", _four_domains()), "did you mean 'mma82/cross-domain'"),
        (
            lambda: make_tasks("mma82/cross-domain", _four_domains(), source="laborattory"),
            "no source 'laborattory' here: did you mean 'laboratory'",
        ),
        (
            lambda: make_tasks("mma82/cross-domain", _four_domains(), targets=["laboratory"]),
            "no target 'laboratory' here: expected one of psychiatric, street, emotion",
        ),
        (
            lambda: make_tasks("mma82/cross-domain", _four_domains(), targets=["street", "street"]),
            "each target once",
        ),
        (lambda: make_tasks("mma82/cross-domain", _four_domains(), shots=(0, 1)), r"1 or more.*\[0, 1\]"),
        (lambda: make_tasks("mma82/cross-domain", _without("test", "street")), "the split test of street"),
        (lambda: make_tasks("mma82/cross-domain", _without("train", "street")), "train to draw shots from"),
        (
            lambda: make_tasks("mma82/cross-domain", _without("train", "laboratory")),
            "no labelled clip in the",
        ),
        (
            lambda: make_tasks("nw_ucla/cross-camera", _nw_ucla(), targets=["camera 4"]),
            "no target 'camera 4'",
        ),
        (lambda: make_tasks("nw_ucla/cross-camera", _four_domains()), "Northwestern-UCLA name"),
        (lambda: make_tasks("mma82/cross-domain", _nw_ucla()), "no source 'laboratory' here"),
        (lambda: make_tasks("mma82/leave-one-domain-out", _nw_ucla()), "two domains or more, got none"),
        (lambda: make_tasks("ma52/subjects", _four_domains()), "published subject split"),
    ],
)
def test_what_cannot_be_made_is_said_in_one_line(call, told) -> None:
    with pytest.raises(ValueError, match=told) as caught:
        call()
    assert "\n" not in str(caught.value)
