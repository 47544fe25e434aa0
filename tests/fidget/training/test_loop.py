from __future__ import annotations

import json
import logging
import os
import signal
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
from lightning.fabric.plugins.precision import Precision
from lightning.fabric.utilities.rank_zero import rank_zero_info
from tests.fidget.training.training_samples import (
    RECIPE,
    protocol_of,
    synthetic_rows,
    tiny_recipe,
    write_cache,
)

from fidget.training import loop
from fidget.training.loop import train
from fidget.training.run import Machines, launch
from fidget.training.run_directory import load_tensors, read_rows
from poses.cache_lock import DirectoryLock
from protocols.scores import read_scores

_KILLED = """
import os, signal, sys
from pathlib import Path
from fidget.training import loop
from tests.fidget.training.training_samples import RECIPE, protocol_of, tiny_recipe

calls, rate = 0, loop.learning_rate_factor
def dying(*arguments):
    global calls
    calls += 1
    if calls == 7:  # three steps an epoch and one for its row: in the middle of the second
        os.kill(os.getpid(), signal.SIGKILL)
    return rate(*arguments)
loop.learning_rate_factor = dying
loop.train(tiny_recipe(*sys.argv[3:]), Path(sys.argv[1]), protocol_of(), Path(sys.argv[2]))
"""


@pytest.fixture(scope="module")
def cache(tmp_path_factory) -> Path:
    return write_cache(tmp_path_factory.mktemp("synthetic") / "cache", synthetic_rows())


def _weights(run: Path) -> dict[str, torch.Tensor]:
    return load_tensors(run / "checkpoints" / "last.pt")["model"]


def _train(cache: Path, run: Path, *overrides: str):
    said: list[str] = []
    summary = train(tiny_recipe(*overrides), cache, protocol_of(), run, say=said.append)
    return summary, said


def test_a_run_leaves_what_it_promises(cache, tmp_path) -> None:
    summary, said = _train(cache, tmp_path / "run", "train.tensorboard=true")
    files = {str(path.relative_to(tmp_path / "run")) for path in (tmp_path / "run").rglob("*")}
    assert files >= {
        "recipe.toml", "environment.json", "metrics.csv", "timing.csv", "summary.json",
        "checkpoints/last.pt", "checkpoints/selected.pt", "report.html",
        "tensorboard", "scores/val.parquet", "scores/test.parquet",
    }  # fmt: skip
    rows = read_rows(tmp_path / "run" / "metrics.csv")
    assert [row["epoch"] for row in rows] == ["1", "2", "3"]
    assert not {"train_s", "clips_per_s"} & rows[0].keys()  # wall clock has its own file
    scores = read_scores(tmp_path / "run" / "scores" / "test.parquet")
    assert scores.split == "test"
    assert scores.clip_ids == protocol_of().splits["test"].clip_ids
    assert scores.labels.tolist() == [0, 1, 2]
    assert summary["test"]["top1"] == (scores.scores.argmax(1) == scores.labels).mean()
    assert any("data wait" in line for line in said)


def test_the_same_command_again_changes_nothing_and_another_one_is_refused(cache, tmp_path) -> None:
    first, _ = _train(cache, tmp_path / "run")
    metrics = (tmp_path / "run" / "metrics.csv").read_bytes()
    again, said = _train(cache, tmp_path / "run")
    assert again["test"] == first["test"]
    assert (tmp_path / "run" / "metrics.csv").read_bytes() == metrics
    assert not any(line.startswith("epoch") for line in said)
    with pytest.raises(ValueError, match=r"train\.epochs is 3 there, 4 now"):
        _train(cache, tmp_path / "run", "train.epochs=4")


def test_a_run_that_another_process_trains_is_refused(cache, tmp_path) -> None:
    run = tmp_path / "run"
    run.mkdir()
    lock = DirectoryLock(run)
    with pytest.raises(ValueError, match="another process trains this run"):
        _train(cache, run)
    lock.release()
    _train(cache, run, "train.epochs=1")
    DirectoryLock(run).release()  # a run that has ended holds nothing


def test_a_killed_run_resumes_to_the_same_bits(cache, tmp_path) -> None:
    options = ("train.ema_decay=0.9", "input.streams=['joint','bone']", "augment.roll_deg=15")
    straight, _ = _train(cache, tmp_path / "straight", *options)
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
    dead = subprocess.run(
        [sys.executable, "-c", _KILLED, str(cache), str(tmp_path / "killed"), *options],
        env=environment, capture_output=True, text=True, timeout=400,
    )  # fmt: skip
    assert dead.returncode == -signal.SIGKILL, dead.stderr
    assert len(read_rows(tmp_path / "killed" / "metrics.csv")) == 1
    resumed, said = _train(cache, tmp_path / "killed", *options)
    assert "resumed after epoch 1" in said
    for name in ("metrics.csv", "scores/val.parquet", "scores/test.parquet"):
        assert (tmp_path / "killed" / name).read_bytes() == (tmp_path / "straight" / name).read_bytes()
    expected = _weights(tmp_path / "straight")
    for name, tensor in _weights(tmp_path / "killed").items():
        assert torch.equal(tensor, expected[name]), name
    assert resumed["test"] == straight["test"]


def test_neither_prefetch_nor_input_threads_change_a_bit_and_the_seed_does(cache, tmp_path) -> None:
    augmented = ("train.epochs=1", "augment.flip_probability=0.5", "augment.jitter=0.01")
    _train(cache, tmp_path / "a", *augmented)
    _train(cache, tmp_path / "b", *augmented, "train.prefetch=1", "input.threads=2")
    _train(cache, tmp_path / "c", *augmented, "train.seed=5")
    first = (tmp_path / "a" / "metrics.csv").read_text()
    assert (tmp_path / "b" / "metrics.csv").read_text() == first
    assert (tmp_path / "c" / "metrics.csv").read_text() != first


def test_best_weights_are_those_of_the_best_validation_epoch(cache, tmp_path) -> None:
    summary, _ = _train(cache, tmp_path / "run", "eval.select='best_val'", "train.learning_rate=0.2")
    values = [float(row["val_top1"]) for row in read_rows(tmp_path / "run" / "metrics.csv")]
    assert summary["selected_epoch"] == int(np.argmax(values)) + 1
    assert summary["val"]["top1"] == max(values)


def test_two_processes_train_one_network_and_score_every_clip(cache, tmp_path) -> None:
    labels = [
        f"{c},{n},{label}"
        for n, s in protocol_of().splits.items()
        for c, label in zip(s.clip_ids, s.labels, strict=True)
    ]
    (tmp_path / "labels.csv").write_text("\n".join(["clip_id,split,label", *labels]))
    (tmp_path / "tiny.toml").write_text(RECIPE)
    words = ["train", "tiny.toml", "--poses", str(cache), "--protocol", "labels.csv", "-o", "run"]
    done = subprocess.run(
        [sys.executable, "-m", "fidget.cli.main", *words, "--device", "cpu", "--devices", "2", "--set",
         "train.batch_size=2", "--set", "train.reference_batch=4", "--set", "train.epochs=1"],
        env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}, cwd=tmp_path, capture_output=True,
        text=True, timeout=400,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    (row,) = read_rows(tmp_path / "run" / "metrics.csv")
    _train(cache, tmp_path / "one", "train.epochs=1")
    (alone,) = read_rows(tmp_path / "one" / "metrics.csv")
    assert row["learning_rate"] == alone["learning_rate"]  # two processes of two clips are one of four
    scores = read_scores(tmp_path / "run" / "scores" / "test.parquet")
    assert scores.clip_ids == protocol_of().splits["test"].clip_ids


def test_only_the_splits_asked_for_are_scored_and_the_others_later(cache, tmp_path) -> None:
    run = tmp_path / "run"
    tuned, _ = _train(cache, run, "train.epochs=1", "eval.splits=['val']")
    assert "test" not in tuned
    assert {file.name for file in (run / "scores").iterdir()} == {"val.parquet"}
    last = (run / "checkpoints" / "last.pt").read_bytes()
    both, said = _train(cache, run, "train.epochs=1")
    assert both["val"] == tuned["val"]
    assert both["test"]["clips"] == 3
    assert (run / "checkpoints" / "last.pt").read_bytes() == last
    assert not any(line.startswith("epoch") for line in said)


def test_the_summary_says_what_computed_and_how_long_it_waited(cache, tmp_path) -> None:
    summary, said = _train(cache, tmp_path / "run", "train.epochs=1")
    assert summary["used"]["device"] == "cpu"
    assert summary["used"]["model"] == "stgcnpp"
    assert 0 <= summary["data_wait_share"] <= 1
    assert f"{100 * summary['data_wait_share']:.1f} % of it waiting for data" in said[-1]
    environment = json.loads((tmp_path / "run" / "environment.json").read_text())
    assert environment["device"] == "cpu"


def test_the_loss_scale_is_resumed(cache, tmp_path, monkeypatch) -> None:
    given: list[object] = []
    monkeypatch.setattr(Precision, "state_dict", lambda _: {"scale": 1024.0})
    monkeypatch.setattr(Precision, "load_state_dict", lambda _, state: given.append(state))
    _train(cache, tmp_path / "run", "train.epochs=1")
    assert given == []
    _train(cache, tmp_path / "run", "train.epochs=1")
    assert given == [{"scale": 1024.0}]


def test_a_damaged_checkpoint_is_named(cache, tmp_path) -> None:
    _train(cache, tmp_path / "run", "train.epochs=1")
    last = tmp_path / "run" / "checkpoints" / "last.pt"
    last.write_bytes(last.read_bytes()[:3000])
    with pytest.raises(ValueError, match=r"last\.pt: not a checkpoint of tensors, or damaged"):
        _train(cache, tmp_path / "run", "train.epochs=1")


_VOLUMES = (
    "model.name='posec3d_c3d_light'", "model.options={}",
    "input={form='heatmap', frames=4, size_hw=[14, 14]}",
    "train.epochs=1", "train.batch_size=4", "eval.test_clips=3", "eval.test_flip=true",
)  # fmt: skip


def test_volumes_drawn_where_the_network_is_train_it_the_same(cache, tmp_path) -> None:
    here, _ = _train(cache, tmp_path / "here", *_VOLUMES, "input.render='cpu'")
    there, _ = _train(cache, tmp_path / "there", *_VOLUMES, "input.render='device'")
    assert here["recipe_hash"] == there["recipe_hash"]
    scores = [read_scores(tmp_path / run / "scores" / "test.parquet").scores for run in ("here", "there")]
    np.testing.assert_allclose(*scores, atol=1e-5)


def test_selection_needs_a_validation_split(cache, tmp_path) -> None:
    with pytest.raises(ValueError, match="needs a split 'val'"):
        train(tiny_recipe("eval.select='best_val'"), cache, protocol_of(val=0), tmp_path / "run")
    assert not (tmp_path / "run").exists()


@pytest.mark.parametrize("error", [torch.OutOfMemoryError("CUDA"), RuntimeError("can't allocate memory: 9")])
def test_out_of_memory_names_the_batch_size_to_try(cache, tmp_path, monkeypatch, error) -> None:
    def full(*_: object) -> None:
        raise error

    monkeypatch.setattr(loop, "train_epoch", full)
    with pytest.raises(ValueError, match=r"train\.batch_size 4; try --set train\.batch_size=2") as caught:
        _train(cache, tmp_path / "run")
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    "overrides",
    [
        ("train.optimizer='adamw'", "train.precision='bf16'", "train.clip_gradient_norm=1.0"),
        ("loss.soft_hierarchy=true", "loss.two_level_weight=0.5", "loss.logit_adjustment=1.0"),
        ("sampling.balance='class_balanced'", "sampling.repeat=2", "loss.kind='focal'"),
        ("input.compute_absent=true", "input.persons=2", "eval.test_clips=3", "eval.test_flip=true"),
    ],
)
def test_every_switch_runs(cache, tmp_path, overrides) -> None:
    summary, _ = _train(cache, tmp_path / "run", "train.epochs=1", *overrides)
    assert 0 <= summary["test"]["top1"] <= 1


@pytest.mark.parametrize(("sampling", "frames", "told"), [("uniform", 24, True), ("uniform", 8, False),
                                                          ("linear", 24, False)])  # fmt: skip
def test_clips_shorter_than_the_input_are_told_where_they_would_go_round_again(
    cache, tmp_path, sampling, frames, told
) -> None:
    _, said = _train(
        cache, tmp_path / "run", "train.epochs=1", f"input.sampling={sampling}", f"input.frames={frames}"
    )
    lines = [line for line in said if "fewer than" in line]
    assert lines == (
        [
            "12 of 12 training clips have fewer than 24 frames: uniform sampling goes round again in them "
            "and loses what came first; input.sampling=linear keeps the order"
        ]
        if told
        else []
    )


def test_opening_a_run_says_nothing_that_the_run_tells_itself(caplog, monkeypatch) -> None:
    for name in ("lightning.fabric", "lightning.pytorch"):
        monkeypatch.setattr(logging.getLogger(name), "propagate", True)
    with caplog.at_level(logging.INFO):
        fabric = launch(tiny_recipe("train.precision=bf16"), Machines("cpu"))
        assert fabric._precision.precision == "bf16-mixed" and not caplog.records
        rank_zero_info("other lines come through")
    assert [record.message for record in caplog.records] == ["other lines come through"]
