from __future__ import annotations

import csv

import pytest

from protocols.published import (
    TABLES,
    find_published,
    published_measures,
    published_methods,
    read_published,
    reprint,
)

NUMBERS = {
    "mma82_in_domain": 200,
    "mma82_cross_domain": 120,
    "mma82_detection": 36,
    "mma82_emotion": 12,
    "mma82_splits": 35,
    "ma52_recognition": 80,
    "ma52_ablations": 78,
    "ma52pro_emotion": 28,
}


@pytest.mark.shared
@pytest.mark.parametrize("table", TABLES)
def test_reprinted_tables_are_the_facts(shared_dir, table):
    """Made anew from the numbers in the package, each table has every row of the facts, cell by cell."""
    with (shared_dir / "facts" / f"{table}.csv").open(newline="", encoding="utf-8") as file:
        expected = list(csv.reader(file))
    assert list(csv.reader(reprint(table).splitlines())) == expected


@pytest.mark.shared
def test_every_table_of_the_facts_is_carried(shared_dir):
    names = {path.stem for path in (shared_dir / "facts").glob("*.csv")}
    assert names - {"ma52_classes", "mma82_classes"} == set(TABLES)  # the classes are label trees


@pytest.mark.parametrize("table", TABLES)
def test_numbers_have_source_and_setting(table):
    values = read_published(table)
    assert len(values) == NUMBERS[table]
    assert len({(v.method, v.setting, v.metric) for v in values}) == len(values)  # none twice
    for value in values:
        assert value.source and value.dataset == TABLES[table].dataset
        assert [name for name, _ in value.setting] == list(TABLES[table].settings)
        assert float(value.text) == value.value
        if TABLES[table].unit.startswith("per cent"):
            assert value.fraction == pytest.approx(value.value / 100) and 0 <= value.fraction <= 1
        else:
            with pytest.raises(ValueError, match="is no percentage"):
                _ = value.fraction


def test_f1_mean_is_the_mean_of_its_parts():
    """MA-52's F1mean is the mean of four F1: a check of the numbers against one another."""
    for method in published_methods("ma52_recognition"):
        found = {name: value.value for name, value in published_measures("ma52", method).items()}
        parts = [found[f"{level}/{f1}_f1"] for level in ("action", "body") for f1 in ("macro", "micro")]
        assert found["f1_mean"] == pytest.approx(sum(parts) / 4, abs=0.011), method


def test_splits_add_up():
    cells = {(dict(v.setting)["domain"], v.metric): v.value for v in read_published("mma82_splits")}
    domains = ("lab", "psychiatric", "street", "emotion")
    for split in ("train", "val", "test", "total"):
        assert sum(cells[domain, split] for domain in domains) == cells["all", split]
    assert cells["all", "total"] == 39_816


def test_find():
    (value,) = find_published(
        "mma82_cross_domain", "posec3d", "mca", source="laboratory", target="street", shots=5, level="action"
    )
    assert (value.text, value.measure, value.fraction) == (
        "16.17",
        "action/mean_class",
        pytest.approx(0.1617),
    )
    assert value.setting == (("source", "lab"), ("target", "street"), ("shots", "5"), ("level", "action"))
    assert len(find_published("mma82_cross_domain", target="street")) == 40
    assert find_published("mma82_cross_domain", metric="action/top1", shots=0)[0].text == "27.30"
    assert find_published("mma82_in_domain", method="nobody") == ()
    (value,) = find_published("mma82_detection", metric="avg", backbone="VideoMAE-L")
    assert value.text == "23.41"
    (value,) = find_published("ma52_ablations", metric="f1_mean", table="components", setting="MANet")
    assert value.text == "65.59"


@pytest.mark.parametrize(
    ("asked", "expected"),
    [
        (
            ("mma82/in-domain", "PoseC3D"),
            {"action/top1": 56.62, "action/mean_class": 36.77, "body/top1": 81.93},
        ),
        (("mma82/in-domain", "PoseC3D", "", "laboratory"), {"action/top1": 64.84, "body/top1": 86.73}),
        (("mma82/in-domain", "PoseC3D", "", "", 0, "val"), {"action/top1": 54.43}),
        (("mma82/cross-domain", "PoseC3D", "laboratory", "emotion", 10), {"action/top1": 17.70}),
        (("ma52", "MANet"), {"f1_mean": 65.59, "action/top5": 88.83, "body/macro_f1": 72.87}),
        (("ma52", "CTR-GCN"), {}),
        (("ma52", "MANet", "", "", 0, "val"), {}),
        (("nw_ucla/cross-camera", "CTR-GCN"), {}),
        (("mma82/cross-domain", "PoseC3D", "street", "laboratory"), {}),
    ],
)
def test_measures_of_a_cell(asked, expected):
    found = {name: value.value for name, value in published_measures(*asked).items()}
    assert {name: found[name] for name in expected} == expected
    assert bool(found) == bool(expected)


def test_unknown_names():
    with pytest.raises(
        ValueError, match=r"no published table 'mma82_detecton': did you mean 'mma82_detection'\?"
    ):
        read_published("mma82_detecton")
    with pytest.raises(
        ValueError, match=r"has no setting 'targett': did you mean 'target'\? it has source, target"
    ):
        find_published("mma82_cross_domain", **{"targett": "street"})
