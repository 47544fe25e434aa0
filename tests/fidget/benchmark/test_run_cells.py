from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from tests.fidget.benchmark.benchmark_samples import TINY, domain_table, write_place

from fidget.benchmark.benchmark_directory import BenchmarkDirectory, Contents
from fidget.benchmark.cell_jobs import Work
from fidget.benchmark.methods import make_methods
from fidget.benchmark.plan import Choices, make_plan, task_hashes
from fidget.benchmark.run_cells import run_cells
from protocols.benchmarks import make_tasks
from protocols.k_shot import read_support
from protocols.recognition import measures_of
from protocols.scores import read_scores


@pytest.fixture(scope="module")
def place(tmp_path_factory) -> Path:
    return write_place(tmp_path_factory.mktemp("benchmark"))


def _work(place: Path, out: Path, benchmark: str = "mma82/cross-domain", *recipes: str, **asked) -> Work:
    tasks = make_tasks(benchmark, domain_table(), **asked)
    methods = make_methods([str(place / name) for name in recipes or ("tiny.toml",)])
    return Work(out, place / "cache", tasks, methods, "cpu")


def _run(work: Work, choices: Choices = Choices(), jobs: int = 1):  # noqa: B008
    lines: list[str] = []
    cells = run_cells(make_plan(work.tasks, work.methods, choices), work, jobs, lines.append)
    return cells, lines


@pytest.fixture(scope="module")
def once(place, tmp_path_factory):
    work = _work(place, tmp_path_factory.mktemp("once"), shots=())
    return work, *_run(work)


def test_cells_hold_what_their_score_files_say(once) -> None:
    work, cells, lines = once
    assert [(cell.task, cell.status, cell.source_domain, cell.target_domain) for cell in cells] == [
        ("laboratory to street", "done", "laboratory", "street"),
        ("laboratory to home", "done", "laboratory", "home"),
    ]
    for cell, task in zip(cells, work.tasks, strict=True):
        scores = read_scores(work.directory / cell.scores)
        assert scores.clip_ids == task.target.clip_ids
        assert tuple(scores.labels) == task.target.labels
        assert cell.measures == measures_of(scores)
        assert cell.facts["clips"] == 3
        assert cell.facts["source_clips"] == 9
        assert cell.facts["target_pose_bytes"] > 0
        assert cell.facts["target_video_bytes"] == 0  # made up: there is no video
    assert "2 of 2 cells to do, 1 networks to train, 1 at a time" in lines
    assert any(line.startswith("tiny seed 0 on tiny/laboratory: epoch 1/1") for line in lines)


def test_measured_in_its_own_domain_a_cell_is_what_training_measured(place, tmp_path) -> None:
    work = _work(place, tmp_path, "mma82/in-domain", targets=["street"])
    (cell,), _ = _run(work)
    summary = json.loads((tmp_path / cell.run / "summary.json").read_text())
    assert cell.measures["action/top1"] == summary["test"]["top1"]
    ours, theirs = (
        read_scores(tmp_path / cell.scores),
        read_scores(tmp_path / cell.run / "scores/test.parquet"),
    )
    assert np.array_equal(ours.scores, theirs.scores)


def test_a_second_call_does_what_is_missing_only(place, once, monkeypatch) -> None:
    work, cells, _ = once
    at = BenchmarkDirectory(work.directory)
    stamps = {path: path.stat().st_mtime_ns for path in sorted(work.directory.rglob("*.*"))}
    again, lines = _run(work)
    assert lines == ["all 2 cells are there"]
    assert [replace(cell, facts={}) for cell in again] == [replace(cell, facts={}) for cell in cells]
    assert stamps == {path: path.stat().st_mtime_ns for path in sorted(work.directory.rglob("*.*"))}

    name = "laboratory-to-home__tiny__seed0"
    at.cell(name).write_text('{"half')
    at.scores("laboratory-to-street__tiny__seed0").unlink()
    monkeypatch.setattr("fidget.benchmark.cell_jobs.train", None)  # the network is there: nobody may train
    again, lines = _run(work)
    assert lines[0] == "2 of 2 cells to do, 0 networks to train, 1 at a time"
    assert [cell.measures for cell in again] == [cell.measures for cell in cells]


def test_a_failing_method_is_named_and_the_others_go_on(place, tmp_path) -> None:
    (place / "broken.toml").write_text(TINY.replace('"tiny"', '"broken"').replace('"stgcnpp"', '"nosuch"'))
    work = _work(place, tmp_path, "mma82/cross-domain", "broken.toml", "tiny.toml", shots=())
    cells, lines = _run(work, Choices((0,)), jobs=2)
    assert [(cell.method, cell.status) for cell in cells] == [
        ("broken", "failed"), ("tiny", "done"), ("broken", "failed"), ("tiny", "done"),
    ]  # fmt: skip
    assert "broken seed 0 on tiny/laboratory failed: unknown model 'nosuch'" in cells[0].error
    (told,) = [line for line in lines if "failed" in line]
    assert "(2 cells need it): unknown model 'nosuch'" in told
    assert "Traceback" in next((tmp_path / "logs").glob("*.txt")).read_text()
    again, lines = _run(work, Choices((0,)))
    assert lines[0] == "2 of 4 cells to do, 1 networks to train, 1 at a time"
    assert [cell.status for cell in again] == ["failed", "done", "failed", "done"]


def test_a_cell_that_fails_takes_no_other_along(place, tmp_path, monkeypatch) -> None:
    work = _work(place, tmp_path, shots=())
    from fidget.benchmark import cell_jobs

    whole = cell_jobs.score_target

    def half(run, poses, task, device, facts):
        if task.target_domain == "street":
            raise KeyError("clip")
        return whole(run, poses, task, device, facts)

    monkeypatch.setattr(cell_jobs, "score_target", half)
    cells, lines = _run(work)
    assert [(cell.status, cell.error) for cell in cells] == [("failed", "KeyError: 'clip'"), ("done", "")]
    assert any(
        line.startswith("[1/2] failed: laboratory to street, tiny, seed 0: KeyError") for line in lines
    )
    monkeypatch.undo()
    assert [cell.status for cell in _run(work)[0]] == ["done", "done"]


SCRIPT = """
import sys
from pathlib import Path
from tests.fidget.benchmark.test_run_cells import _run, _work
from fidget.benchmark.plan import Choices
if __name__ == "__main__":
    place, out, jobs = sys.argv[1:]
    work = _work(Path(place), Path(out), "mma82/cross-domain", "long.toml", shots=())
    _run(work, Choices((0, 1)), int(jobs))
"""


def test_a_killed_benchmark_goes_on_where_it_was(place, tmp_path) -> None:
    (place / "long.toml").write_text(TINY.replace('"tiny"', '"long"').replace("epochs = 1", "epochs = 12"))
    (tmp_path / "script.py").write_text(SCRIPT)
    out = tmp_path / "out"
    path = os.pathsep.join([os.getcwd(), os.environ.get("PYTHONPATH", "")])
    command = [sys.executable, str(tmp_path / "script.py"), str(place), str(out), "1"]
    killed = subprocess.Popen(command, env=os.environ | {"PYTHONPATH": path}, start_new_session=True)
    try:
        deadline = time.monotonic() + 300
        while not list(out.glob("runs/*/long/seed*/checkpoints/last.pt")):
            assert time.monotonic() < deadline
            assert killed.poll() is None
            time.sleep(0.02)
    finally:
        os.kill(killed.pid, signal.SIGKILL)
        killed.wait()
    assert not list(out.glob("cells/*.json"))
    work = _work(place, out, "mma82/cross-domain", "long.toml", shots=())
    cells, lines = _run(work, Choices((0, 1)))
    assert any("resumed after epoch" in line for line in lines)
    fresh = _run(replace(work, directory=tmp_path / "fresh"), Choices((0, 1)))[0]
    assert [cell.measures for cell in cells] == [cell.measures for cell in fresh]
    for one, other in zip(cells, fresh, strict=True):
        left, right = read_scores(out / one.scores), read_scores(tmp_path / "fresh" / other.scores)
        assert np.allclose(left.scores, right.scores, atol=1e-5)


def test_shots_are_drawn_saved_and_used(place, tmp_path) -> None:
    work = _work(place, tmp_path, targets=["street"], shots=(1,))
    choices = Choices((0,), 2, ("cosine_prototypes",), ("inductive", "transductive-prior"))
    cells, _ = _run(work, choices)
    assert [(c.shots, c.draw, c.adaptation, c.setting) for c in cells] == [
        (0, 0, "none", "inductive"),
        (0, 0, "none", "transductive-prior"),
        (1, 0, "cosine_prototypes", "inductive"),
        (1, 0, "cosine_prototypes", "transductive-prior"),
        (1, 1, "cosine_prototypes", "inductive"),
        (1, 1, "cosine_prototypes", "transductive-prior"),
    ]
    assert {c.status for c in cells} == {"done"}
    (task,) = work.tasks
    lists = {c.facts["support"] for c in cells if c.shots}
    assert lists == {f"supports/laboratory-to-street__k1__draw{draw}.csv" for draw in (0, 1)}
    for name in lists:
        support = read_support(tmp_path / name, task.source.tree, task.support)
        assert support.counts == {0: 1, 1: 1, 2: 1}


def _contents(work: Work, **changed: object) -> Contents:
    found = {
        "benchmark": "b", "data": "tiny", "simulated": False, "cache_hash": "0",
        "tasks": task_hashes(work.tasks), "methods": {m.name: m.recipe_hash for m in work.methods},
    }  # fmt: skip
    return Contents(**(found | changed))


def test_a_directory_takes_more_of_the_same_and_refuses_another(once, tmp_path) -> None:
    at, contents = BenchmarkDirectory(tmp_path / "new"), _contents(once[0])
    at.prepare(contents).release()
    at.prepare(_contents(once[0], methods={"other": "1"})).release()
    assert set(at.contents().methods) == {"tiny", "other"}
    for changed, told in [
        ({"cache_hash": "1"}, "cache_hash is '0' there, '1' now"),
        ({"simulated": True}, "simulated is False there, True now"),
        ({"methods": {"tiny": "0"}}, "'tiny' has other settings there"),
        ({"tasks": {"laboratory to street": "0"}}, "'laboratory to street' has other clips or labels there"),
    ]:
        with pytest.raises(ValueError, match=told):
            at.prepare(_contents(once[0], **changed))
    lock = at.prepare(contents)
    with pytest.raises(ValueError, match="another process runs this benchmark"):
        at.prepare(contents)
    lock.release()
    (tmp_path / "new" / "benchmark.json").write_text("[]")
    with pytest.raises(ValueError, match=r"benchmark\.json: damaged"):
        at.prepare(contents)
    (tmp_path / "full").mkdir()
    (tmp_path / "full" / "thesis.tex").write_text("")
    with pytest.raises(ValueError, match="holds other files and no benchmark"):
        BenchmarkDirectory(tmp_path / "full").prepare(contents)
