from __future__ import annotations

import csv
import io
import json
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from tests.fidget.benchmark.benchmark_samples import TINY, write_place

from fidget.cli.main import main
from poses.cache_schema import CacheMetadata
from poses.cache_writer import CacheWriter

RUN = (
    "benchmark run cross-domain --poses cache --method tiny.toml --targets street --shots 1 --draws 2 "
    "--adaptations cosine_prototypes --settings inductive,transductive-prior --samples 50 --jobs 1 "
    "--device cpu"
)


def fidget(words: str) -> int:
    return main(words.split())


@pytest.fixture(scope="module")
def place(tmp_path_factory) -> Path:
    return write_place(tmp_path_factory.mktemp("command"))


@pytest.fixture
def here(place, monkeypatch) -> Path:
    monkeypatch.chdir(place)
    return place


@pytest.fixture(scope="module")
def ran(place) -> Path:
    import contextlib

    with contextlib.chdir(place):
        assert fidget(f"{RUN} -o out") == 0
    return place / "out"


def test_a_benchmark_leaves_what_it_promises(ran, here) -> None:
    assert len(list(ran.glob("cells/*.json"))) == len(list(ran.glob("scores/*.parquet"))) == 6
    assert len(list(ran.glob("supports/*.csv"))) == 2
    assert (ran / "report.html").read_text().startswith("<!doctype html>")
    assert json.loads((ran / "benchmark.json").read_text())["benchmark"] == "mma82/cross-domain"


def test_the_same_command_again_does_nothing_and_another_seed_adds(ran, here, capsys) -> None:
    assert fidget(f"{RUN} -o out") == 0
    assert "all 6 cells are there" in capsys.readouterr().out
    shutil.copytree(ran, here / "more")
    assert fidget(f"{RUN} -o more --seeds 0,1") == 0
    assert "6 of 12 cells to do, 1 networks to train" in capsys.readouterr().out
    assert fidget(f"{RUN} -o more --set train.epochs=2") == 1
    assert "'tiny' has other settings there; choose another directory with -o" in capsys.readouterr().err


def test_tables_in_every_form(ran, here, capsys) -> None:
    assert fidget("benchmark table cross-domain out --samples 20") == 0
    text = capsys.readouterr().out
    assert text.startswith("### mma82/cross-domain\n")
    assert "| street |   1 | tiny, cosine\\_prototypes" in text or "tiny, cosine_prototypes" in text
    assert "transductive: the measured clips were looked at together" in text
    assert fidget("benchmark table cross-domain out --samples 0 --format csv") == 0
    rows = list(csv.reader(io.StringIO(capsys.readouterr().out)))
    assert rows[0][:3] == ["target", "K", "method"]
    assert fidget("benchmark table mma82/cross-domain out --format latex -o t/table.tex") == 0
    assert (here / "t" / "table.tex").read_text().startswith("\\begin{table}")
    assert fidget("benchmark table cross-domain out --format html --html page.html") == 0
    assert "<table>" in capsys.readouterr().out
    assert "<table" in (here / "page.html").read_text()


def test_printing_tables_needs_no_torch(ran) -> None:
    code = (
        "import sys; from fidget.cli.main import main\n"
        f"assert main(['benchmark', 'table', 'cross-domain', {str(ran)!r}, '--samples', '9']) == 0\n"
        "assert not {'torch', 'numba', 'lightning', 'pydantic'} & set(sys.modules)"
    )
    subprocess.run([sys.executable, "-c", code], check=True, stdout=subprocess.DEVNULL)


def test_the_splits_of_any_labels_file(here, capsys) -> None:
    assert (
        fidget("benchmark run labels --poses cache --method tiny.toml --samples 0 --jobs 1 --device cpu") == 0
    )
    text = capsys.readouterr().out
    assert "### labels\n" in text
    assert "| test   |   0 | tiny   |" in text
    assert (here / "runs" / "labels" / "report.html").is_file()
    assert fidget("benchmark table labels --samples 0") == 0


def test_poses_behind_a_uri_and_budgets(here, capsys) -> None:
    words = f"{RUN} -o far --shots none --budget-kib 64 --settings inductive".replace(
        "--poses cache", f"--poses {(here / 'cache').as_uri()}"
    )
    assert fidget(words) == 0
    text = capsys.readouterr().out
    assert f"poses: {(here / 'cache').as_uri()}, " in text
    assert "what travels, poses beside video" in text
    assert "accuracy by bytes a clip" in text
    assert sorted(path.name for path in here.glob("far/cells/*")) == [
        "laboratory-to-street__tiny__seed0.json",
        "laboratory-to-street__tiny__seed0__64KiB.json",
    ]
    assert (here / "far" / "poses" / "fetched-labels.csv").is_file()


def test_simulated_poses_make_simulated_results(here, tmp_path, capsys) -> None:
    from tests.fidget.training.training_samples import synthetic_rows

    with CacheWriter(tmp_path / "made", CacheMetadata("coco17", {}, {"simulated": "true"})) as writer:
        for row in synthetic_rows(36):
            writer.add(row)
    shutil.copy(here / "cache-labels.csv", tmp_path / "made-labels.csv")
    words = f"{RUN} -o {tmp_path / 'out'} --shots none".replace(
        "--poses cache", f"--poses {tmp_path / 'made'}"
    )
    assert fidget(words) == 0
    text = capsys.readouterr().out
    assert "the clips are simulated: so are all results" in text
    assert "### mma82/cross-domain (simulated data)" in text
    cells = [json.loads(path.read_text()) for path in tmp_path.glob("out/cells/*")]
    assert cells
    assert all(cell["simulated"] for cell in cells)
    assert "simulated" in (tmp_path / "out" / "report.html").read_text()


def test_a_failed_cell_is_named_and_the_status_is_1(here, capsys) -> None:
    (here / "bad.toml").write_text(TINY.replace('"tiny"', '"bad"').replace('"stgcnpp"', '"nosuch"'))
    assert fidget(f"{RUN} -o partly --shots none --method bad.toml") == 1
    shown = capsys.readouterr()
    assert "fidget: failed: laboratory to street, bad, seed 0 and 1 more cells: bad seed 0 on" in shown.err
    assert "unknown model 'nosuch'" in shown.err
    assert "| street |   0 | tiny " in shown.out
    assert "Failed, and missing here: 2 cells" in shown.out


@pytest.mark.parametrize(
    ("words", "status", "told"),
    [
        ("benchmark run cros-domain --poses cache --method tiny.toml", 2, "did you mean"),
        ("benchmark run cross-domain --poses gone --method tiny.toml", 2, "gone: no such directory"),
        ("benchmark run cross-domain --poses cache", 2, "name a recipe with --method"),
        ("benchmark run cross-domain --poses cache --method stgcnp", 2, "nearest: stgcnpp"),
        (
            "benchmark run cross-domain --poses cache --method tiny.toml --labels gone.csv",
            2,
            "gone.csv: no such file",
        ),
        (
            "benchmark run cross-domain --poses cache --method tiny.toml --seeds 0,x",
            2,
            "--seeds takes numbers",
        ),
        (
            "benchmark run cross-domain --poses cache --method tiny.toml --seeds 1,1",
            2,
            "--seeds takes numbers",
        ),
        ("benchmark run cross-domain --poses cache --method tiny.toml --shots 0", 2, "1 or more"),
        ("benchmark run cross-domain --poses cache --method tiny.toml --draws 0", 2, "--draws is 1 or more"),
        (
            "benchmark run cross-domain --poses cache --method tiny.toml --jobs -1",
            2,
            "--jobs and --samples are 0",
        ),
        (
            "benchmark run cross-domain --poses cache --method tiny.toml --budget-kib 0",
            2,
            "--budget-kib takes",
        ),
        (
            "benchmark run cross-domain --poses cache --method tiny.toml --budget-kib nan",
            2,
            "--budget-kib takes",
        ),
        (
            "benchmark run cross-domain --poses cache --method tiny.toml --adaptations probe",
            2,
            "--adaptations: no 'probe'",
        ),
        ("benchmark run cross-domain --poses cache --method tiny.toml --settings x", 2, "--settings: no 'x'"),
        (
            "benchmark run cross-domain --poses cache --method tiny.toml --targets stret",
            2,
            "did you mean 'street'?",
        ),
        ("benchmark run cross-domain --poses cache --method tiny.toml --source moon", 2, "no source 'moon'"),
        (
            "benchmark run cross-domain --poses cache --method tiny.toml --set train.epoch=1",
            2,
            "nearest: epochs",
        ),
        ("benchmark run cross-domain --poses cache --method tiny.toml --columns x=y", 2, "--columns"),
        (
            "benchmark run nw_ucla/cross-camera --poses cache --method tiny.toml",
            1,
            "expected a Northwestern-UCLA name",
        ),
        (
            "benchmark run cross-domain --poses cache --method tiny.toml -o cache",
            1,
            "holds other files and no benchmark",
        ),
        ("benchmark table cross-domain gone", 2, "gone: no such directory"),
        ("benchmark table cross-domain cache", 1, "cache holds no cells of a benchmark"),
        ("benchmark table nosuch", 2, "no benchmark 'nosuch'"),
    ],
)
def test_wrong_input_is_one_line_and_a_status(here, capsys, words, status, told) -> None:
    assert fidget(words) == status
    shown = capsys.readouterr().err
    assert told in shown
    assert shown.startswith("fidget: ")
    assert shown.count("\n") == 1


def test_results_of_another_benchmark_are_not_printed_as_this_one(ran, here, capsys) -> None:
    assert fidget("benchmark table in-domain out") == 2
    assert "out holds results of mma82/cross-domain, not of mma82/in-domain" in capsys.readouterr().err
