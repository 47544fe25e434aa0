"""Frames and heatmaps together: one crop and one mirror image for both, trained in the same loop."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from tests.fidget.training.frame_samples import SIDES, ArrayClips, frame_protocol
from tests.skeleton_models import graph_checks
from torch import Tensor

from fidget.training.builders import build_input
from fidget.training.loop import train
from fidget.training.losses import ActionLoss, mean_of_heads, mixed_loss
from fidget.training.network import load_pretrained, make_network
from fidget.training.posed_videos import PosedVideos
from fidget.training.recipe import LossTable, TwoPathRecipe, load_recipe, parse_recipe, to_toml
from fidget.training.run_directory import load_tensors
from fidget.training.two_path_batches import TwoPathBatches
from poses.layout import get_layout
from skeleton_models.clip_arrays import ClipArrays
from skeleton_models.random_keys import clip_keys

COCO = get_layout("coco17")
LEFT_WRIST, RIGHT_WRIST = 9, 10
HEIGHT, WIDTH = 48, 64

RECIPE = """
name = "tiny_both"
[model]
name = "rgbpose_conv3d"
options = { base_channels = [8, 4], rgb_blocks = [1, 1, 1, 1], pose_blocks = [1, 1, 1], dropout = 0.0 }
[input]
form = "frames_and_heatmap"
frames = 2
pose_frames = 8
sampling = "uniform"
size = 32
[augment]
crop = "random_resized"
crop_area = [0.5, 1.0]
flip_probability = 0.5
[train]
epochs = 2
batch_size = 4
learning_rate = 0.01
threads = 1
"""


def recipe_of(*overrides: str) -> TwoPathRecipe:
    recipe = parse_recipe(RECIPE, "tiny_both", overrides)
    assert isinstance(recipe, TwoPathRecipe)
    return recipe


class SquarePoses:
    """Poses of twice the pictures' size: the left wrist lies on a red square, the right one on a green."""

    layout, where, cache_hash, simulated = COCO, "poses", "fedcba9876543210", False

    def __init__(self, clips: dict[str, np.ndarray], short: tuple[str, ...] = ()) -> None:
        self.status = dict.fromkeys(clips, "ok")
        self._clips, self._short = clips, short

    def read(self, clip_id: str) -> ClipArrays:
        pictures = self._clips[clip_id].astype(int)
        frames = len(pictures) - (clip_id in self._short)
        xyz = np.full((1, frames, 17, 2), np.nan, np.float32)
        score = np.zeros((1, frames, 17), np.float32)
        for joint, channel in ((LEFT_WRIST, 0), (RIGHT_WRIST, 1)):
            for t in range(frames):
                ys, xs = np.nonzero(pictures[t, :, :, channel] > 150)
                xyz[0, t, joint] = 2 * (xs.mean() + 0.5) - 0.5, 2 * (ys.mean() + 0.5) - 0.5
                score[0, t, joint] = 1
        return ClipArrays(xyz, score, (2 * HEIGHT, 2 * WIDTH))


def squares(number: int, frames: int = 12) -> np.ndarray:
    """(T, H, W, 3) a red square and a green one that move apart, together or not at all."""
    pictures = np.zeros((frames, HEIGHT, WIDTH, 3), np.uint8)
    for t in range(frames):
        way = round((0, 8, -8)[number % 3] * t / frames)
        pictures[t, 18:26, 36 + way : 44 + way, 0] = 255
        pictures[t, 22:30, 20 - way : 28 - way, 1] = 255
    return pictures


@pytest.fixture(scope="module")
def both() -> PosedVideos:
    clips = {f"clip{n:02d}": squares(n, 8 + n % 6) for n in range(18)}
    return PosedVideos(ArrayClips(clips), SquarePoses(clips))


def builder(both: PosedVideos, part: int, *overrides: str) -> TwoPathBatches:
    made = build_input(recipe_of(*overrides), both.layout, "cpu", SIDES)[part]
    assert isinstance(made, TwoPathBatches)
    return made


def centre(mass: Tensor) -> Tensor:
    """(2,) x and y of a picture's mass, pixel centres at whole numbers and a half."""
    mass = mass.double()
    ys, xs = torch.meshgrid(*(torch.arange(n) + 0.5 for n in mass.shape), indexing="ij")
    return torch.stack([(mass * xs).sum(), (mass * ys).sum()]) / mass.sum()


def check_aligned(frames: Tensor, volumes: Tensor) -> None:
    """Where a square is in the first picture, there is the wrist's map in the first of the maps."""
    for joint, channel in ((LEFT_WRIST, 0), (RIGHT_WRIST, 1)):
        square = (frames[channel, 0] > frames[channel, 0].max() - 1).float()
        torch.testing.assert_close(4 * centre(volumes[joint, 0]), centre(square), rtol=0, atol=1.6)


def still(both: PosedVideos) -> list:
    """Clips of the class that rests, so that it does not matter which frames are drawn."""
    return [both.read(f"clip{n:02d}") for n in range(0, 18, 3)]


def test_pictures_and_maps_have_one_crop_and_one_mirror_image(both: PosedVideos) -> None:
    made = builder(both, 0)
    clips = still(both)
    batch = made.finish(made.batch(clips, clip_keys(0, 0, [clip.pictures.clip_id for clip in clips])))
    frames, volumes = batch.inputs
    assert frames.shape == (6, 3, 2, 32, 32)
    assert volumes.shape == (6, 17, 8, 8, 8)
    assert volumes.dtype == torch.uint8
    assert batch.flipped is not None
    assert 0 < batch.flipped.sum() < 6
    lefts = []
    for row in range(6):
        red, green = frames[row, 0, 0], frames[row, 1, 0]
        # The red square is the left wrist's; in a mirror image the right wrist's joint is there.
        turned = bool(batch.flipped[row])
        one, other = (RIGHT_WRIST, LEFT_WRIST) if turned else (LEFT_WRIST, RIGHT_WRIST)
        for joint, picture in ((one, red), (other, green)):
            square = (picture > picture.max() - 1).float()
            assert torch.allclose(4 * centre(volumes[row, joint, 0]), centre(square), rtol=0, atol=1.6)
        lefts.append(
            float(centre(volumes[row, LEFT_WRIST, 0])[0]) > float(centre(volumes[row, RIGHT_WRIST, 0])[0])
        )
    assert all(lefts)  # the left wrist is on the right of every picture, mirrored or not


def test_all_views_of_a_test_see_the_same_in_both(both: PosedVideos) -> None:
    made = builder(both, 2, "eval.test_clips=2", "input.test_crops=3", "eval.test_flip=true")
    clip = both.read("clip00")
    batch = made.finish(made.batch([clip], None))
    frames, volumes = batch.inputs
    assert batch.views == made.test_clips * made.flips == 12
    assert len(frames) == len(volumes) == 12
    for row in (1, 4):  # the crop in the middle, which has both squares
        check_aligned(frames[row], volumes[row])
    torch.testing.assert_close(volumes[6:], volumes[:6].flip(4)[:, list(COCO.mirror)])
    parts = [made.part(clip, n, n + 1) for n in range(2)]
    rows = torch.cat([made.finish(part).inputs[1][:3] for part in parts])
    torch.testing.assert_close(rows, volumes[:6])


def test_clips_look_the_same_in_any_batch(both: PosedVideos) -> None:
    made = builder(both, 0)
    names = ["clip01", "clip05", "clip07"]
    keys = clip_keys(0, 3, names)
    together = made.batch([both.read(name) for name in names], keys)
    alone = made.batch([both.read("clip05")], clip_keys(0, 3, ["clip05"]))
    torch.testing.assert_close(together.volumes[1:2], alone.volumes)
    torch.testing.assert_close(together.x[1:2], alone.x)


def test_poses_of_other_frames_and_clips_without_poses_are_named() -> None:
    clips = {f"clip{n:02d}": squares(n) for n in range(3)}
    poses = SquarePoses(clips, short=("clip01",))
    del poses.status["clip02"]
    both = PosedVideos(ArrayClips(clips), poses)
    with pytest.raises(
        ValueError, match="'clip01': expected poses in each of the video's 12 frames, got them in 11"
    ):
        both.read("clip01")
    assert "clip02" not in both.status
    with pytest.raises(ValueError, match=r"not mixed with each other: set augment\.mixup_alpha"):
        builder(both, 0, "augment.mixup_alpha=0.8")
    with pytest.raises(ValueError, match="a multiple of 4, for heatmaps of a quarter of it, got 30"):
        builder(both, 0, "input.size=30")


def test_a_clip_without_a_person_has_empty_maps(both: PosedVideos) -> None:
    clip = both.read("clip00")
    nobody = clip._replace(
        poses=ClipArrays(np.zeros((0, 12, 17, 2), np.float32), np.zeros((0, 12, 17), np.float32), (96, 128))
    )
    batch = builder(both, 1).batch([clip, nobody], None)
    assert batch.volumes[0].max() > 200
    assert batch.volumes[1].max() == 0


def test_both_heads_have_their_loss_and_one_answer() -> None:
    loss = ActionLoss(LossTable(), torch.ones(3, dtype=torch.long))
    labels = torch.tensor([0, 2])
    heads = torch.randn(2, 2, 3, generator=torch.Generator().manual_seed(0)).log_softmax(2)
    summed = mixed_loss(loss, heads, labels, None, None, None)
    torch.testing.assert_close(summed, loss(heads[0], labels) + loss(heads[1], labels))
    torch.testing.assert_close(mean_of_heads(heads).exp(), heads.exp().mean(0))
    torch.testing.assert_close(mean_of_heads(heads[0]), heads[0])


def test_it_trains_in_the_same_loop_and_resumes(both: PosedVideos, tmp_path) -> None:
    said: list[str] = []
    protocol = frame_protocol()
    whole = train(recipe_of(), both, protocol, tmp_path / "whole", say=said.append)
    assert said[0].startswith("tiny_both: rgbpose_conv3d")
    assert "2 frames of 32 px, uniform, coco17" in said[0]
    assert 0 <= whole["test"]["top1"] <= 1
    train(recipe_of("train.epochs=1"), both, protocol, tmp_path / "once", say=said.append)
    first = load_tensors(tmp_path / "once" / "checkpoints" / "last.pt")["model"]
    last = load_tensors(tmp_path / "whole" / "checkpoints" / "last.pt")["model"]
    assert first.keys() == last.keys()
    assert any(not torch.equal(first[name], last[name]) for name in first)
    network = make_network(recipe_of(), COCO, 17, SIDES, None)
    assert (
        load_pretrained(network.model, "rgbpose_conv3d", tmp_path / "whole/checkpoints/last.pt") == "fidget"
    )


def test_a_published_checkpoint_begins_with_a_head_of_our_classes(tmp_path) -> None:
    torch.save({"state_dict": graph_checks.published_state("rgbpose_pose_path")}, tmp_path / "published.pth")
    options = "model.options={base_channels=[8, 4], rgb_blocks=[1, 1, 1, 1], pose_blocks=[2, 2, 1]}"
    model = make_network(recipe_of(options), COCO, 17, SIDES, None).model
    fresh = model.fc_pose.weight.clone()
    assert load_pretrained(model, "rgbpose_conv3d", tmp_path / "published.pth") in ("pyskl", "mmaction2")
    torch.testing.assert_close(model.fc_pose.weight, fresh)  # five classes there, three here
    expected = graph_checks.published_state("rgbpose_pose_path")[
        "backbone.pose_path.layer2_lateral.conv.weight"
    ]
    torch.testing.assert_close(model.to_pose[1].conv.weight, expected)


def test_wrong_pairs_of_model_and_input_are_named(both: PosedVideos, tmp_path) -> None:
    for overrides, words in (
        (("model.name=tsm_r50", "model.options={}"), "'tsm_r50' takes frames or joints alone"),
        (("model.options.blocks=3",), "blocks"),
    ):
        with pytest.raises(ValueError, match=words):
            make_network(recipe_of(*overrides), COCO, 17, SIDES, None)
    with pytest.raises(ValueError, match=r"input\.form 'frames_and_heatmap'; got videos of memory"):
        train(recipe_of(), both._videos, frame_protocol(), tmp_path / "x")


def test_the_published_recipe_builds_the_published_network() -> None:
    recipe = load_recipe("rgbpose_conv3d")
    assert parse_recipe(to_toml(recipe), "again") == recipe
    with torch.device("meta"):
        network = make_network(recipe, COCO, 17, SIDES, None)
    assert sum(p.numel() for p in network.parameters()) == 35_994_208 + 3 * (2048 + 512 + 2)
    training, seen, measured = build_input(recipe, COCO, "cpu", SIDES)
    assert (training.pictures.frames, training.pose_frames, training.size) == (8, 32, 56)
    assert (seen.size, measured.test_clips) == (64, 10)  # 256 x 256, the whole of the square
