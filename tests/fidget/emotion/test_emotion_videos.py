"""Emotion networks trained from drawn films: every network, resuming, and what cannot be looked at."""

from __future__ import annotations

import json
import shutil
from dataclasses import replace

import numpy as np
import pytest
import torch
from video_samples import draw_films, films_table, ids_of, joint_track, tiny_recipe

from fidget.emotion import video_training
from fidget.emotion.evaluating import evaluate_emotions
from fidget.emotion.face_frames import SharedFrames, nearest_with_face
from fidget.emotion.video_batches import emotion_builders
from fidget.emotion.video_clips import open_emotion_clips
from fidget.emotion.video_networks import EmotionLoss, make_network
from fidget.emotion.video_recipe import VideoNetwork, load_recipe, shipped_recipes
from fidget.emotion.video_training import train_from_videos
from fidget.faces.track_file import write_tracks
from fidget.frames.frame_clip import FrameClip
from poses.cache_reader import PoseCache
from protocols.scores import read_scores
from skeleton_models.random_keys import clip_hashes, clip_keys

NETWORKS = VideoNetwork.__args__
BOTH = "two_branch"


@pytest.fixture(scope="module")
def films(tmp_path_factory):
    directory = tmp_path_factory.mktemp("films")
    draw_films(directory)
    return directory


@pytest.fixture(autouse=True)
def own_cache(tmp_path_factory, monkeypatch):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path_factory.getbasetemp() / "user"))


def opened(films, recipe, table=None, say=lambda line: None, faces=None):
    table = films_table(films) if table is None else table
    kept = faces or films / "faces.parquet"
    return open_emotion_clips(table, recipe, films / "videos", films / "poses", say, kept)


@pytest.mark.parametrize("network", NETWORKS)
def test_every_network_trains_two_epochs_and_is_measured(network, films, tmp_path):
    recipe = tiny_recipe(network, "eval.test_flip=true", full=True)
    run, lines = tmp_path / "run", []
    summary = train_from_videos(recipe, opened(films, recipe), run, "cpu", say=lines.append)
    assert summary["simulated"] and summary["test"]["clips"] == 2
    assert "(simulated)" in lines[0]
    (file,) = (run / "scores").iterdir()
    scores = read_scores(file)
    assert "simulated" in scores.method and scores.split == "test"
    acts = network in ("two_branch", "face_branch", "action_branch")
    assert bool(summary["micro_action_map"]) == acts == (run / "micro_actions.csv").is_file()
    found = evaluate_emotions([run], 0, 20)
    assert found.simulated and bool(found.micro_action_map) == acts
    assert json.loads((run / "summary.json").read_text()) == summary


class StopError(Exception):
    """A kill, as far as the files can tell."""


def test_a_stopped_run_goes_on_to_the_same_numbers(films, tmp_path, monkeypatch):
    recipe = tiny_recipe(BOTH)
    clips = opened(films, recipe)
    train_from_videos(recipe, clips, tmp_path / "whole", "cpu", say=lambda line: None)
    saved = video_training._save

    def save_once(run, epoch, history, timing):
        if epoch == 1:
            raise StopError
        saved(run, epoch, history, timing)

    monkeypatch.setattr(video_training, "_save", save_once)
    with pytest.raises(StopError):
        train_from_videos(recipe, clips, tmp_path / "cut", "cpu", say=lambda line: None)
    monkeypatch.undo()
    lines = []
    train_from_videos(recipe, clips, tmp_path / "cut", "cpu", say=lines.append)
    assert "resumed after epoch 1" in lines
    for name in ("metrics.csv", "micro_actions.csv", "scores/both.parquet"):
        assert (tmp_path / "cut" / name).read_bytes() == (tmp_path / "whole" / name).read_bytes(), name


def test_another_recipe_or_table_is_another_run(films, tmp_path):
    recipe = tiny_recipe("face_branch")
    train_from_videos(recipe, opened(films, recipe), tmp_path / "run", "cpu", say=lambda line: None)
    other = tiny_recipe("face_branch", "loss.emotion_weight=0.5")
    with pytest.raises(ValueError, match=r"loss\.emotion_weight is 0\.03 there, 0\.5 now"):
        train_from_videos(other, opened(films, other), tmp_path / "run", "cpu", say=lambda line: None)
    table = films_table(films).without_groups(["Head"])
    with pytest.raises(ValueError, match="holds another run: labels is"):
        train_from_videos(recipe, opened(films, recipe, table), tmp_path / "run", "cpu", say=lambda _: None)


def test_batches_depend_on_seed_epoch_and_clip_alone(films):
    recipe = tiny_recipe(BOTH, "augment.flip_probability=0.5")
    clips = opened(films, recipe)
    training, _, _ = emotion_builders(recipe, clips.table.tree, "cpu")
    ids = clips.sets["train"].clip_ids
    keys = clip_keys(0, 1, clip_hashes(ids))
    whole = training.batch([clips.read(one) for one in ids], keys)
    threads = replace(training, threads=3).batch([clips.read(one) for one in ids], keys)
    assert torch.equal(whole.face.x, threads.face.x) and torch.equal(whole.person.x, threads.person.x)
    alone = training.batch([clips.read(ids[4])], keys[4:5])
    for one in ("face", "person"):
        assert torch.equal(getattr(whole, one).x[4:5], getattr(alone, one).x)
    assert whole.flipped.any() and not whole.flipped.all()
    np.testing.assert_array_equal(whole.face.flipped, whole.person.flipped)


def test_mirror_images_have_the_micro_actions_of_the_other_side(films):
    recipe = tiny_recipe("action_branch", "augment.flip_probability=1.0")
    clips = opened(films, recipe)
    training, _, _ = emotion_builders(recipe, clips.table.tree, "cpu")
    turned = replace(training, action_mirror=(1, 0, *range(2, 82)))
    clip = clips.read(clips.sets["train"].clip_ids[0])._replace(actions=np.arange(82) == 0)
    batch = turned.batch([clip], clip_keys(0, 0, clip_hashes(["a"])))
    assert batch.actions[0].nonzero().flatten().tolist() == [1]


def test_clips_that_cannot_be_looked_at_are_named(films, tmp_path):
    table = films_table(films)
    ids = table.clip_ids
    shutil.copytree(films / "videos", tmp_path / "videos")
    (tmp_path / "videos" / f"{ids[1]}.mp4").unlink()
    (tmp_path / "videos" / f"{ids[2]}.mp4").write_bytes(b"no video")
    tracks = [joint_track(films, one, faces=one != ids[0]) for one in ids_of(films)]
    write_tracks(tmp_path / "faces.parquet", tracks)
    recipe = tiny_recipe(BOTH)
    paths = (tmp_path / "videos", films / "poses", lambda line: None, tmp_path / "faces.parquet")
    clips = open_emotion_clips(table, recipe, *paths)
    assert sorted(line.partition(":")[0] for line in clips.left_out) == [
        "1 clips whose video cannot be read", "1 clips without a face", "1 clips without a video",
    ]  # fmt: skip
    assert clips.table.clip_ids == ids[3:] and len(clips.sets["train"]) == 3
    with pytest.raises(ValueError, match=r"1 clips without a video: .*or --set data.left_out=drop"):
        open_emotion_clips(table, tiny_recipe(BOTH, "data.left_out=refuse"), *paths)
    body = tiny_recipe("action_branch", "data.same_clips=false")
    assert len(open_emotion_clips(table, body, *paths).table) == 8  # a face is not needed


def test_kept_faces_of_other_videos_are_refused(films, tmp_path):
    track = joint_track(films, ids_of(films)[0])
    write_tracks(tmp_path / "faces.parquet", [replace(track, frame_hw=(9, 9))])
    with pytest.raises(ValueError, match=r"faces of another video of clip .*, got frame 5 of 9x9; delete"):
        opened(films, tiny_recipe(BOTH), faces=tmp_path / "faces.parquet")


def test_people_are_never_guessed(films, monkeypatch):
    recipe = tiny_recipe(BOTH)
    table = films_table(films)
    read = PoseCache.read
    first, second = table.clip_ids[:2]

    def crowd(self, clip_id):
        clip = read(self, clip_id)
        rows = {first: [0, 0], second: []}.get(clip_id, [0])
        return replace(
            clip, xy_px=clip.xy_px[rows], score=clip.score[rows], box_px=clip.box_px[rows],
            track_ids=np.arange(len(rows)),
        )  # fmt: skip

    monkeypatch.setattr(PoseCache, "read", crowd)
    told = " | ".join(opened(films, recipe).left_out)
    assert f"1 clips with several people, of whom the table names none: {first}" in told
    assert f"1 clips without a person: {second}" in told


def test_tables_without_splits_or_with_an_empty_one_are_refused(films):
    recipe = tiny_recipe(BOTH)
    with pytest.raises(ValueError, match="of the splits train and test, got no column split"):
        opened(films, recipe, replace(films_table(films), splits=()))
    table = films_table(films)
    ids = tuple(f"x{one}" if row > 7 else one for row, one in enumerate(table.clip_ids))
    with pytest.raises(ValueError, match="no clip left of the splits test: 2 clips without a video"):
        opened(films, recipe, replace(table, clip_ids=ids))


def test_frames_are_read_once_for_face_and_person():
    asked = []

    def read(numbers):
        asked.append(numbers.tolist())
        return np.stack([np.full((4, 4, 3), number, np.uint8) for number in numbers])

    shared = SharedFrames(FrameClip("a", 9, (4, 4), read))
    assert shared.read(np.array([3, 1, 3]))[:, 0, 0, 0].tolist() == [3, 1, 3]
    assert shared.read(np.array([1, 5]))[:, 0, 0, 0].tolist() == [1, 5]
    assert asked == [[1, 3], [5]]


def test_the_nearest_face_stands_for_a_frame_without(films):
    track = joint_track(films, ids_of(films)[0])
    faceless = [0, 1, 4]
    box, eyes = track.box_xyxy_px.copy(), track.eyes_xy_px.copy()
    found, score = track.found.copy(), track.score.copy()
    box[faceless], eyes[faceless], found[faceless], score[faceless] = np.nan, np.nan, 3, 0
    cut = replace(track, box_xyxy_px=box, eyes_xy_px=eyes, found=found, score=score)
    assert nearest_with_face(cut, np.array([0, 2, 5, 1])).tolist() == [2, 2, 5, 2]
    with pytest.raises(ValueError, match="no face to use"):
        nearest_with_face(joint_track(films, ids_of(films)[0], faces=False), np.array([0]))


@pytest.mark.parametrize("name", sorted(shipped_recipes()))
def test_shipped_recipes_build_in_full(name):
    network = {"ma52pro": BOTH, "ma52pro_small": BOTH}.get(name, name.removesuffix("_small"))
    recipe = load_recipe(network, name)
    with torch.device("meta"):
        made = make_network(recipe, 5, 52)
    assert all(weight.shape.numel() for weight in made.parameters())
    if name == "ma52pro":
        assert recipe.loss.emotion_weight == 0.03 and recipe.input.frames == 16
        assert made.model.emotion_head.in_features == 4096
        assert recipe.face.name == recipe.action.name == "manet_r50" and recipe.train.batch_size == 3


def test_wrong_recipes_are_refused_in_one_line(films):
    for network, name, overrides, told in (
        ("vaanet", "emotion_fan", (), r"needs an encoder, this recipe has none: give a table \[action\]"),
        (BOTH, "", ("loss.emotion_wieght=1",), "nearest: emotion_weight"),
        (BOTH, "", ("augment.mixup_alpha=0.2",), "leave them out"),
        (BOTH, "nobody", (), "no emotion recipe 'nobody'"),
    ):
        with pytest.raises(ValueError, match=told) as caught:
            load_recipe(network, name, overrides)
        assert "\n" not in str(caught.value)
    with torch.device("meta"), pytest.raises(ValueError, match="gives no features of every frame"):
        make_network(load_recipe(BOTH, "", ("face.name=c3d",)), 5, 9)
    with (
        torch.device("meta"),
        pytest.raises(ValueError, match="frames cannot be shared out to 3 segments"),
    ):
        make_network(load_recipe("vaanet", "", ("head.segments=3",)), 5, 9)
    with pytest.raises(ValueError, match="'joy' not among the emotions sad, happy"):
        EmotionLoss(load_recipe("vaanet", "", ('loss.positive=["joy"]',)), ("sad", "happy"))


def test_polarity_counts_where_it_is_said():
    said = torch.tensor([[2.0, 0.0]]), None
    label, actions = torch.tensor([1]), torch.zeros(1, 3)
    plain = EmotionLoss(load_recipe("vaanet", ""), ("sad", "happy"))
    polar = EmotionLoss(load_recipe("vaanet", "", ('loss.positive=["happy"]',)), ("sad", "happy"))
    torch.testing.assert_close(polar(said, label, actions), 1.5 * plain(said, label, actions))


def test_lack_of_memory_is_one_line(films, tmp_path, monkeypatch):
    recipe = tiny_recipe("face_branch")

    def full(*_):
        raise torch.OutOfMemoryError("CUDA out of memory")

    monkeypatch.setattr(video_training, "train_epoch", full)
    with pytest.raises(ValueError, match=r"out of memory on cpu with train.batch_size 3; try --set"):
        train_from_videos(recipe, opened(films, recipe), tmp_path / "run", "cpu", say=lambda line: None)
