"""Networks over frames see windows as their own evaluation sees clips; several networks are one."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pytest
from tests.fidget.recognition.frame_run_samples import (
    FPS,
    FRAMES,
    posed,
    train_kind,
    write_poses,
    write_samples,
)
from tests.fidget.training.frame_samples import frames_of_clip, write_video

from fidget.fusion.rule_file import fusion_of, write_fusion
from fidget.fusion.weighted_mean import WeightedMean
from fidget.recognition import window_frames
from fidget.recognition.analysis import AnalysisRules, load_model
from fidget.recognition.job import recognise_all
from fidget.recognition.person_windows import WindowLength
from fidget.recognition.result import NOBODY
from fidget.recognition.video_files import OutputRules
from fidget.recognition.window_frames import WindowFrames
from protocols.prior_shift import tempered
from protocols.score_fusion import weighted_mean
from protocols.scores import read_scores

KINDS = ("poses", "whole", "person", "both")
WHOLE = AnalysisRules(WindowLength(FRAMES / FPS, FRAMES / FPS))
SLIDING = AnalysisRules(WindowLength(0.5, 0.25))


class Place(NamedTuple):
    """Videos, their poses, a run of each kind, and a recording of two people."""

    videos: Path
    poses: Path
    runs: dict[str, Path]
    two: Path


@pytest.fixture(scope="module")
def place(tmp_path_factory) -> Place:
    directory = tmp_path_factory.mktemp("frame_runs")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("XDG_CACHE_HOME", str(directory / "user"))
        samples = write_samples(directory)
        runs = {kind: train_kind(kind, samples, directory / "runs" / kind) for kind in KINDS}
    write_video(directory / "two" / "two.mp4", frames_of_clip(1, 40), FPS)
    two = write_poses(directory / "two_poses", directory / "two", [posed("two", 40, persons=2, seed=9)])
    return Place(samples[0], samples[1], runs, two)


def recognised(model, cache: Path, rules: AnalysisRules, output: Path):
    said: list[str] = []
    job = recognise_all(model, cache, [], rules, OutputRules(output, overlay=False), said.append)
    return {found.video_id: found for found, _ in job.done}, "\n".join(said), job.failed


@pytest.mark.parametrize("kind", KINDS)
def test_a_window_of_a_whole_clip_is_what_the_run_itself_scored(place, kind, tmp_path) -> None:
    model = load_model([place.runs[kind]], "cpu")
    assert model.calibrated and model.networks[0].takes_frames is (kind != "poses")
    found, _, failed = recognised(model, place.poses, WHOLE, tmp_path)
    assert not failed
    own = read_scores(place.runs[kind] / "scores" / "val.parquet")
    expected = tempered(own.scores, model.temperature)
    for clip_id, row in zip(own.clip_ids, expected, strict=True):
        (person,) = found[clip_id].persons
        assert person.curves.probability.shape == (3, 1) and person.track_id == 3
        np.testing.assert_allclose(person.curves.probability[:, 0], row, atol=2e-5)


def test_frames_are_decoded_once_and_let_go(place, tmp_path, monkeypatch) -> None:
    passes, held = [], []
    real = window_frames.write_frames

    def counted(entry, wanted, *rest):
        passes.append(len(wanted))
        return real(entry, wanted, *rest)

    class Watched(WindowFrames):
        def read(self, numbers):
            found = super().read(numbers)
            held.append(self.held)
            return found

    def refused(*_):
        raise AssertionError("a frame was decoded again")

    monkeypatch.setattr(window_frames, "write_frames", counted)
    monkeypatch.setattr(window_frames, "read_frames", refused)
    monkeypatch.setattr("fidget.recognition.clip_windows.WindowFrames", Watched)
    found, _, failed = recognised(load_model([place.runs["person"]], "cpu"), place.two, SLIDING, tmp_path)
    assert not failed and len(passes) == 1 and passes[0] <= 40
    assert max(held) <= 20  # of 40: two windows of six frames and what decoding was ahead
    one, other = (person.curves for person in found["two"].persons)
    assert one.probability.shape[1] == other.probability.shape[1] > 8
    assert np.abs(one.probability - other.probability).max() > 1e-4  # each was cropped


def test_of_a_whole_picture_nobody_in_particular_is_told(place, tmp_path) -> None:
    found, said, _ = recognised(load_model([place.runs["whole"]], "cpu"), place.two, SLIDING, tmp_path)
    (person,) = found["two"].persons
    assert person.track_id == NOBODY and person.name == "whole picture" and not len(person.quality)
    assert "2 persons: what it says is not assigned to a person" in said and " s, whole picture," in said
    text = (tmp_path / "two.eaf").read_text()
    assert "whole picture" in text and "person -1" not in text and "person -1" not in said
    fused = load_model([place.runs["whole"], place.runs["poses"]], "cpu")
    found, said, _ = recognised(fused, place.two, SLIDING, tmp_path / "fused")
    assert [one.track_id for one in found["two"].persons] == [3, 4]
    assert "whole rgb sees the whole picture: of 2 persons it says the same at a time" in said


def _fused_by_hand(place, kinds, weights, temperature):
    files = [read_scores(place.runs[kind] / "scores" / "val.parquet") for kind in kinds]
    together = weighted_mean(np.stack([one.scores.astype(float) for one in files]), weights, "log")
    return files[0].clip_ids, tempered(together, temperature)


def test_several_runs_are_fused_and_calibrated_together(place, tmp_path) -> None:
    kinds = ("poses", "person")
    model = load_model([place.runs[kind] for kind in kinds], "cpu")
    assert model.calibrated and "of the 2 networks fused" in model.calibration
    found, _, _ = recognised(model, place.poses, WHOLE, tmp_path)
    ids, expected = _fused_by_hand(place, kinds, (1, 1), model.temperature)
    for clip_id, row in zip(ids, expected, strict=True):
        np.testing.assert_allclose(found[clip_id].persons[0].curves.probability[:, 0], row, atol=5e-5)
    assert "tiny: stgcnpp" in found["c3"].method and "person: tsm_r50" in found["c3"].method


def test_a_saved_fusion_finds_its_runs_in_any_order(place, tmp_path) -> None:
    files = [read_scores(place.runs[kind] / "scores" / "val.parquet") for kind in ("person", "poses")]
    saved = tmp_path / "fusion.json"
    write_fusion(saved, fusion_of(WeightedMean((0.9, 0.1), "log"), files))
    model = load_model([place.runs["poses"], place.runs["person"]], "cpu", saved)
    assert [one.name for one in model.networks] == ["person rgb", "tiny joint"]
    found, _, _ = recognised(model, place.poses, WHOLE, tmp_path / "o")
    ids, expected = _fused_by_hand(place, ("person", "poses"), (0.9, 0.1), model.temperature)
    np.testing.assert_allclose(found[ids[0]].persons[0].curves.probability[:, 0], expected[0], atol=5e-5)
    with pytest.raises(ValueError, match=r"fusion.json fuses scores of 'person rgb', 'tiny joint', the runs"):
        load_model([place.runs["poses"], place.runs["whole"]], "cpu", saved)


def test_streams_of_a_directory_are_one_recogniser(place, tmp_path) -> None:
    for stream in ("bone", "joint"):
        shutil.copytree(place.runs["poses"], tmp_path / "all" / stream)
    (tmp_path / "all" / "joint" / "scores" / "val.parquet").unlink()
    shutil.copytree(
        place.runs["person"] / "scores", tmp_path / "all" / "joint" / "scores", dirs_exist_ok=True
    )
    model = load_model([tmp_path / "all"], "cpu")
    assert len(model.networks) == 2 and model.layout.name == "coco17"
    shutil.rmtree(tmp_path / "all" / "bone" / "scores")
    with pytest.raises(ValueError, match="expected a score file in scores/"):
        load_model([tmp_path / "all"], "cpu")


def test_what_does_not_go_together_is_named(place, tmp_path) -> None:
    from dataclasses import replace

    from protocols.label_tree import LabelTree
    from protocols.scores import write_scores

    other = shutil.copytree(place.runs["poses"], tmp_path / "other")
    scores = read_scores(other / "scores" / "val.parquet")
    tree = LabelTree("moods", ("a", "b", "c"))
    write_scores(other / "scores" / "val.parquet", replace(scores, tree=tree))
    with pytest.raises(ValueError, match=r"names the 3 actions of 'sides', .*other the 3 of 'moods'"):
        load_model([place.runs["person"], other], "cpu")
    fewer = shutil.copytree(place.runs["poses"], tmp_path / "fewer")
    ids = tuple(f"x{n}" for n in range(len(scores)))
    write_scores(fewer / "scores" / "val.parquet", replace(scores, clip_ids=ids))
    model = load_model([place.runs["person"], fewer], "cpu")
    assert not model.calibrated and "validated on other clips each" in model.calibration


def test_frames_need_the_video_that_the_poses_are_of(place, tmp_path) -> None:
    model = load_model([place.runs["person"]], "cpu")
    clip = posed("gone", 20)
    (tmp_path / "v").mkdir()
    write_video(tmp_path / "v" / "gone.mp4", frames_of_clip(0, 20), FPS)
    cache = write_poses(tmp_path / "p", tmp_path / "v", [clip])
    write_video(tmp_path / "v" / "gone.mp4", frames_of_clip(0, 9), FPS)
    _, _, failed = recognised(model, cache, SLIDING, tmp_path / "o")
    assert (
        len(failed) == 1 and "expected the 20 frames that its poses were extracted from, got 9" in failed[0]
    )
    (tmp_path / "v" / "gone.mp4").unlink()
    _, _, failed = recognised(model, cache, SLIDING, tmp_path / "o")
    assert failed == ["gone: its video is not at hand, and the model takes frames: name the video"]


def test_a_run_that_does_not_record_its_data_says_so(place, tmp_path) -> None:
    run = shutil.copytree(place.runs["poses"], tmp_path / "old")
    summary = json.loads((run / "summary.json").read_text())
    assert summary.pop("simulated") is False
    (run / "summary.json").write_text(json.dumps({**summary, "data": ["train: simulated"]}))
    model = load_model([run], "cpu")
    assert model.simulated and model.unrecorded == ("tiny joint",)
    _, said, _ = recognised(model, place.two, SLIDING, tmp_path / "o")
    assert "tiny joint does not record whether its data was simulated" in said


def test_live_takes_several_networks_over_poses_and_names_those_over_frames(place, tmp_path, capsys) -> None:
    from fidget.cli.main import main
    from fidget.training.data import PoseClips

    poses = PoseClips(place.two).read("two")
    one = type(poses)(poses.xyz[:1], poses.score[:1], poses.frame_hw)
    twice, alone = (load_model([place.runs["poses"]] * many, "cpu") for many in (2, 1))
    found, expected = (model.probabilities(1, lambda _: one, all_views=False) for model in (twice, alone))
    np.testing.assert_allclose(found, expected, atol=1e-4)
    words = ["--run", str(place.runs["poses"]), "--run", str(place.runs["whole"]), "--device", "cpu"]
    assert main(["recognize", "--live", "0", *words]) == 2
    said = capsys.readouterr().err
    assert "--live takes recognisers over poses: whole rgb sees frames" in said and said.count("\n") == 1
