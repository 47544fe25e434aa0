from __future__ import annotations

import json
import subprocess
import zipfile
from pathlib import Path

import numpy as np
import pytest
import torch

from fidget.recognition.analysis import extraction_layout, load_model
from fidget.recognition.demo_recogniser import COMMANDS, FILE, MOST_BYTES, known, main, pack_run, unpack_run
from skeleton_models.clip_arrays import ClipArrays


def test_the_file_is_small_and_says_that_it_is_simulated(tmp_path) -> None:
    assert FILE.stat().st_size < MOST_BYTES
    model = load_model([unpack_run(FILE, tmp_path / "demo")], "cpu")
    assert model.simulated and "simulated" in model.method and model.calibrated
    assert extraction_layout(model) == "coco_wholebody133" and len(model.tree.actions) == 82
    text = "".join((tmp_path / "demo" / name).read_text() for name in ("environment.json", "summary.json"))
    assert "/tmp" not in text and "/work" not in text and "/home" not in text


def test_the_page_tells_what_the_file_says_of_itself() -> None:
    page = Path(__file__).parents[3] / "docs" / "recognize.md"
    assert known(FILE) in " ".join(page.read_text(encoding="utf-8").split())


def test_the_program_simulates_trains_and_packs(tmp_path, monkeypatch, capsys) -> None:
    told = []

    def run(command, cwd, check):
        told.append(command[3:])
        run_directory = cwd / "trained" / "runs" / "mma82-laboratory" / "mma82_stgcnpp_small" / "seed0"
        if "run" in command:
            unpack_run(FILE, run_directory)
        return subprocess.CompletedProcess(command, 0)

    monkeypatch.setattr(subprocess, "run", run)
    assert main(["--work", str(tmp_path / "work"), "-o", str(tmp_path / "a.zip")]) == 0
    assert [tuple(one) for one in told] == list(COMMANDS)
    assert known(FILE) in capsys.readouterr().out
    assert known(tmp_path / "a.zip") == known(FILE)
    monkeypatch.setattr(subprocess, "run", lambda command, **_: subprocess.CompletedProcess(command, 2))
    assert main(["--work", str(tmp_path / "work"), "-o", str(tmp_path / "b.zip")]) == 1
    assert "simulate --scale 0.05" in capsys.readouterr().err


def test_it_gives_probabilities(tmp_path) -> None:
    model = load_model([unpack_run(FILE, tmp_path / "demo")], "cpu")
    xy_px = np.random.default_rng(0).uniform(0, 99, (1, 20, len(model.layout.joints), 2)).astype(np.float32)
    poses = ClipArrays(xy_px, np.ones(xy_px.shape[:3], np.float32), (100, 100))
    found = model.probabilities(1, lambda _: poses, all_views=False)
    np.testing.assert_allclose(found.sum(axis=1), 1)


def test_a_run_is_packed_the_same_way_each_time(tmp_path, capsys) -> None:
    run = unpack_run(FILE, tmp_path / "demo")
    assert main(["--run", str(run), "-o", str(tmp_path / "a.zip")]) == 0
    assert "trained on simulated data" in capsys.readouterr().out
    pack_run(run, tmp_path / "b.zip")
    assert (tmp_path / "a.zip").read_bytes() == (tmp_path / "b.zip").read_bytes()
    again = unpack_run(tmp_path / "a.zip", tmp_path / "again")
    assert json.loads((again / "summary.json").read_text())["simulated"] is True


def test_weights_stay_what_they_are_to_half_precision(tmp_path) -> None:
    run = unpack_run(FILE, tmp_path / "demo")
    weights = run / "checkpoints" / "selected.pt"
    stored = torch.load(weights, weights_only=True)
    large = max(stored["model"], key=lambda name: stored["model"][name].numel())
    exact = torch.randn(stored["model"][large].shape)
    stored["model"][large] = exact
    torch.save(stored, weights)
    pack_run(run, tmp_path / "a.zip")
    again = torch.load(
        unpack_run(tmp_path / "a.zip", tmp_path / "again") / "checkpoints" / "selected.pt", weights_only=True
    )
    torch.testing.assert_close(again["model"][large].float(), exact, rtol=1e-3, atol=1e-6)
    stored["model"][large] = exact * 1e9
    torch.save(stored, weights)
    with pytest.raises(ValueError, match="half precision cannot hold"):
        pack_run(run, tmp_path / "b.zip")


def test_what_is_no_run_is_refused(tmp_path, capsys) -> None:
    assert main(["--run", str(tmp_path), "-o", str(tmp_path / "a.zip")]) == 1
    assert "there is no recipe.toml" in capsys.readouterr().err and not (tmp_path / "a.zip").exists()
    (tmp_path / "b.zip").write_bytes(b"no zip")
    with pytest.raises(ValueError, match="got no zip file"):
        unpack_run(tmp_path / "b.zip", tmp_path / "out")


def test_names_that_lead_elsewhere_are_refused(tmp_path) -> None:
    evil = tmp_path / "evil.zip"
    with zipfile.ZipFile(FILE) as source, zipfile.ZipFile(evil, "w") as archive:
        for entry in source.namelist():
            archive.writestr(entry, source.read(entry))
        archive.writestr("../escaped", b"")
    with pytest.raises(ValueError, match="expected the files of a run"):
        unpack_run(evil, tmp_path / "out")
    assert not (tmp_path / "escaped").exists() and not (tmp_path / "out").exists()


def test_a_run_that_is_too_large_is_refused(tmp_path) -> None:
    run = unpack_run(FILE, tmp_path / "demo")
    torch.save({"model": {"w": torch.randn(2_000_000)}}, run / "checkpoints" / "selected.pt")
    with pytest.raises(ValueError, match="at most"):
        pack_run(run, tmp_path / "a.zip")
    assert not list(Path(tmp_path).glob("*.zip"))
