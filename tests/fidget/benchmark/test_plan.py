from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
from tests.fidget.benchmark.benchmark_samples import TINY, domain_table

from fidget.benchmark.methods import make_methods
from fidget.benchmark.plan import Choices, PlannedCell, Training, file_name, make_plan, task_hashes
from protocols.benchmarks import make_tasks
from protocols.protocol import Split


@pytest.fixture
def recipes(tmp_path: Path) -> list[str]:
    (tmp_path / "one.toml").write_text(TINY.replace('"tiny"', '"one"'))
    streams = 'frames = 8\nstreams = ["joint", "bone"]\nseparate = true'
    (tmp_path / "two.toml").write_text(TINY.replace('"tiny"', '"two"').replace("frames = 8", streams))
    return [str(tmp_path / "one.toml"), str(tmp_path / "two.toml")]


def test_every_cell_is_planned_once_and_sources_share_their_networks(recipes) -> None:
    tasks = make_tasks("mma82/cross-domain", domain_table(), shots=(1, 5))
    choices = Choices((0, 1), 3, ("probe", "prototypes"), ("inductive", "prior"))
    plan = make_plan(tasks, make_methods(recipes), choices)
    # 2 targets x 2 methods x 2 seeds x (alone + alone with prior + 2 K x 3 draws x 2 ways x 2 settings)
    assert len(plan.cells) == 2 * 2 * 2 * (2 + 2 * 3 * 2 * 2)
    assert len({cell.name for cell in plan.cells}) == len(plan.cells)
    assert [training.told() for training in plan.trainings] == [
        "one seed 0 on tiny/laboratory",
        "two joint seed 0 on tiny/laboratory",
        "two bone seed 0 on tiny/laboratory",
        "one seed 1 on tiny/laboratory",
        "two joint seed 1 on tiny/laboratory",
        "two bone seed 1 on tiny/laboratory",
    ]
    alone = [cell for cell in plan.cells if not cell.shots]
    assert {(cell.draw, cell.adaptation) for cell in alone} == {(0, "none")}
    assert {cell.setting for cell in alone} == {"inductive", "prior"}


def test_settings_need_no_shots(recipes) -> None:
    tasks = make_tasks("mma82/cross-domain", domain_table(), targets=["street"], shots=())
    plan = make_plan(tasks, make_methods(recipes[:1]), Choices((0,), 10, ("probe",), ("inductive", "prior")))
    assert [(cell.shots, cell.setting) for cell in plan.cells] == [(0, "inductive"), (0, "prior")]


def test_in_domain_needs_neither_shots_nor_settings(recipes) -> None:
    tasks = make_tasks("mma82/in-domain", domain_table())
    plan = make_plan(tasks, make_methods(recipes[:1]), Choices((0,), 10, ("probe",), ("inductive", "prior")))
    assert [cell.name for cell in plan.cells] == [
        f"{name}__one__seed0" for name in ("all", "laboratory", "street", "home")
    ]
    assert len(plan.trainings) == 4


def test_budgets_measure_the_network_alone_on_poses_of_their_own(recipes) -> None:
    tasks = make_tasks("mma82/cross-domain", domain_table(), targets=["street"], shots=(1,))
    plan = make_plan(tasks, make_methods(recipes[:1]), Choices((0,), 1, ("probe",), budgets_kib=(1, 4)))
    assert [(cell.name, cell.trainings[0].path) for cell in plan.cells] == [
        ("laboratory-to-street__one__seed0", "runs/tiny-laboratory/one/seed0"),
        (
            "laboratory-to-street__one__seed0__k1__draw0__probe__inductive",
            "runs/tiny-laboratory/one/seed0",
        ),
        ("laboratory-to-street__one__seed0__1KiB", "runs/tiny-laboratory/one/seed0__1KiB"),
        ("laboratory-to-street__one__seed0__4KiB", "runs/tiny-laboratory/one/seed0__4KiB"),
    ]
    cell = plan.cells[2].cell(tasks[0], facts={"clips": 3})
    assert cell.facts == {"budget_kib": 1, "clips": 3}
    assert (cell.source_domain, cell.target_domain) == ("laboratory", "street")


def test_names_of_files() -> None:
    assert file_name("laboratory to street") == "laboratory-to-street"
    assert file_name("posec3d_c3d_light") == "posec3d_c3d_light"
    hostile = ["../../etc", "a/b", "a\\b", "名", "", ".", "..", "-o", "a" * 300, "con\n", "a\x00b", "A:b"]
    names = [file_name(text) for text in hostile]
    assert len(set(names)) == len(hostile)
    for name in names:
        assert name.isascii() and len(name) <= 80
        assert not set(name) & set('/\\:\n\0<>|?*"')
        assert not name.startswith((".", "/"))


def test_the_run_of_streams_is_the_directory_above_them() -> None:
    streams = tuple(Training("s", "m", stream, 0) for stream in ("joint", "bone"))
    assert streams[0].path == "runs/s/m/seed0/joint"
    assert PlannedCell("t", "m", 0, streams).run == "runs/s/m/seed0"
    assert PlannedCell("t", "m", 0, (Training("s", "m", "", 0),)).run == "runs/s/m/seed0"


@pytest.mark.parametrize(
    ("choices", "told"),
    [
        (Choices(()), "expected tasks, methods and seeds, got 2, 1 and 0"),
        (Choices((0, 0)), "seeds of 0 or more, each once"),
        (Choices((-1,)), "seeds of 0 or more, each once"),
        (Choices((0,), 0), "at least 1 draw"),
        (Choices((0,), budgets_kib=(0.0,)), "budgets above 0 KiB"),
        (Choices((0,), budgets_kib=(float("nan"),)), "budgets above 0 KiB"),
    ],
)
def test_impossible_choices_are_refused(recipes, choices, told) -> None:
    tasks = make_tasks("mma82/cross-domain", domain_table())
    with pytest.raises(ValueError, match=told):
        make_plan(tasks, make_methods(recipes[:1]), choices)


def test_tasks_that_cannot_be_told_apart_are_refused(recipes) -> None:
    methods = make_methods(recipes[:1])
    task = make_tasks("mma82/cross-domain", domain_table())[0]
    with pytest.raises(ValueError, match="names of their own, twice: laboratory to street"):
        make_plan((task, task), methods, Choices())
    upper = replace(task, name="LABORATORY-to street")
    with pytest.raises(ValueError, match="differ too little for file names"):
        make_plan((task, upper), methods, Choices())
    other = replace(task, name="b", source=replace(task.source, note="another"))
    with pytest.raises(ValueError, match="two sources have the name 'tiny/laboratory' and differ"):
        make_plan((task, other), methods, Choices())


def test_overrides_go_to_all_methods_or_to_one(recipes) -> None:
    one, two = make_methods(recipes, ["train.epochs=7", f"{recipes[1]}:train.epochs=9"])
    assert one.recipe("", 5).train.epochs == 7
    assert one.recipe("", 5).train.seed == 5
    assert one.recipe("", 5).data.empty_classes == "keep"
    assert two.recipe("bone", 0).train.epochs == 9
    assert two.streams == ("joint", "bone")
    assert two.recipe("bone", 0).input.streams == ("bone",)
    assert (
        make_methods(recipes[:1], ["data.empty_classes=refuse"])[0].recipe("", 0).data.empty_classes
        == "refuse"
    )


@pytest.mark.parametrize(
    ("overrides", "told"),
    [
        (["ghost:train.epochs=1"], "--set ghost:...: no such --method"),
        (["train.seed=3"], "given by --seeds"),
        (["train.epoch=3"], "unknown key 'train.epoch'; nearest: epochs"),
    ],
)
def test_wrong_overrides_are_refused(recipes, overrides, told) -> None:
    with pytest.raises(ValueError, match=told):
        make_methods(recipes, overrides)


def test_two_recipes_of_one_name_are_refused(recipes) -> None:
    with pytest.raises(ValueError, match="two methods have the name 'one'"):
        make_methods([recipes[0], recipes[0]])


def test_the_hash_of_a_task_changes_with_any_label() -> None:
    task = make_tasks("mma82/cross-domain", domain_table())[0]
    labels = (*task.target.labels[:-1], 0)
    assert labels != task.target.labels
    changed = replace(task, target=Split(task.target.clip_ids, labels))
    assert task_hashes([task]) == task_hashes([replace(task)])
    assert task_hashes([task]) != task_hashes([changed])
    assert task_hashes([task]) != task_hashes([replace(task, support=None, shots=())])
