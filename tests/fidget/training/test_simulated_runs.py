"""A run's summary says whether what it learned from was simulated, and who says so."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from tests.fidget.training.frame_samples import array_clips, frame_protocol, frame_recipe

from fidget.frames.simulated_videos import any_simulated, videos_simulated
from fidget.training.loop import train
from fidget.training.run import Machines
from protocols.clip_table import ClipTable
from protocols.label_tree import LabelTree
from protocols.labels_csv import read_labels_csv


@pytest.mark.parametrize(("labels", "clips"), [(False, False), (True, False), (False, True)])
def test_labels_or_clips_say_it(tmp_path, labels, clips) -> None:
    protocol = replace(frame_protocol(5, 1, 1), simulated=labels)
    source = array_clips(5)
    source.simulated = clips
    train(
        frame_recipe("train.epochs=1"), source, protocol, tmp_path / "run", Machines("cpu"), say=lambda _: 0
    )
    summary = json.loads((tmp_path / "run" / "summary.json").read_text())
    assert summary["simulated"] is (labels or clips)


@pytest.mark.parametrize(("said", "simulated"), [("true", True), ("", False), ("false", False)])
def test_a_table_of_labels_says_it(tmp_path, said, simulated) -> None:
    table = tmp_path / "labels.csv"
    table.write_text(f"clip_id,label,split,simulated\na,0,train,{said}\nb,1,test,\n")
    assert read_labels_csv(table).simulated is simulated


def test_a_table_of_clips_hands_it_on() -> None:
    table = ClipTable(
        "t", LabelTree("two", ("a", "b")), ("x", "y"), np.array([0, 1]), ("train", "test"), ("", ""),
        ("", ""), simulated=True,
    )  # fmt: skip
    assert table.protocol("p").simulated


def test_videos_below_a_marked_directory_are_simulated(tmp_path) -> None:
    made = tmp_path / "made" / "street"
    made.mkdir(parents=True)
    (tmp_path / "made" / "simulation.json").write_text('{"simulated": true}')
    assert videos_simulated(tmp_path / "made") and not videos_simulated(made)
    assert any_simulated([Path("/nowhere/x.mp4"), made / "clip.mp4"])
    assert not any_simulated([tmp_path / "other.mp4"])
    (tmp_path / "made" / "simulation.json").write_text("{")
    assert not any_simulated([made / "clip.mp4"])
