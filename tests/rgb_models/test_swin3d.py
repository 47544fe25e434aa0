"""Video Swin against the authors' and MMAction2's `SwinTransformer3D`, each with `I3DHead`.

SwinTransformer/Video-Swin-Transformer at commit db018fb, open-mmlab/mmaction2 at 4d6c934. In the originals
`relative_position_index` was left as they make it.
"""

from __future__ import annotations

import itertools
from functools import partial

import pytest
import torch
from tests.rgb_models import clip_checks, transformer_checks
from tests.skeleton_models import graph_checks
from tests.skeleton_models.named_weights import named_input, named_weights

from rgb_models.swin3d import PUBLISHED_NAMES, Swin3d, swin3d_small, swin3d_tiny
from rgb_models.swin_windows import join, partition, position_index, shift_mask, windows_on
from weights.checkpoint import load_exactly, rename

GOLDEN = {"swin": "swin3d_original", "mmaction2": "swin3d_mmaction2"}
small = partial(Swin3d, num_classes=5, embed_channels=8, depths=(2, 2, 3, 2), heads=(1, 2, 4, 4))


@pytest.mark.parametrize("toolbox", GOLDEN)
def test_equals_the_originals(toolbox: str) -> None:
    """Windows are padded and shifted along all axes, later along T only; shorter clips and sides cut them."""
    model = small(frames=20)
    clip_checks.check_golden(
        model, PUBLISHED_NAMES[toolbox], GOLDEN[toolbox], named_input("swin3d", (2, 3, 20, 72, 60))
    )
    shorter = small(frames=7).double()
    shorter.load_state_dict(model.state_dict())
    transformer_checks.check_output(
        shorter, named_input("swin3d", (1, 3, 7, 33, 45)), transformer_checks.stored(GOLDEN[toolbox], "cut")
    )


@pytest.mark.parametrize("toolbox", GOLDEN)
def test_published_size(toolbox: str) -> None:
    """28.2 M parameters and 88 G: configs/recognition/swin/metafile.yml."""
    model = clip_checks.check_published(
        lambda: swin3d_tiny(num_classes=400), PUBLISHED_NAMES[toolbox], GOLDEN[toolbox], 28.2
    )
    assert round(transformer_checks.giga_operations(model)) == 88


def test_published_size_of_the_small_one() -> None:
    """49.8 M parameters and 166 G: configs/recognition/swin/metafile.yml."""
    with torch.device("meta"):
        model = swin3d_small(num_classes=400).eval()
    assert round(sum(p.numel() for p in model.parameters()) / 1e6, 1) == 49.8
    assert round(transformer_checks.giga_operations(model)) == 166


def test_inflation_equals_the_authors() -> None:
    """Tables of 7 x 7 windows into windows of 4 x 5 x 5, as their `inflate_weights` does it."""
    model = small(frames=20, window=(4, 5, 5)).double()
    classifier = named_weights(
        {f"cls_head.fc_cls.{name}": tensor for name, tensor in model.fc.state_dict().items()}
    )
    load_exactly(model, model.state_dict() | rename(classifier, PUBLISHED_NAMES["swin"]))
    model.load_pictures(transformer_checks.pictures("swin3d_original"))
    expected = transformer_checks.stored("swin3d_original", "inflated")
    transformer_checks.check_output(model, named_input("swin3d", (2, 3, 20, 72, 60)), expected)


def test_a_still_clip_gives_what_the_picture_gave() -> None:
    """Where windows of one frame stand for the network over pictures."""
    make = partial(Swin3d, num_classes=4, embed_channels=8, depths=(2, 2), heads=(1, 2))
    frame_wise = make(frames=2, window=(1, 7, 7)).double().eval()
    graph_checks.shake(frame_wise)
    pictures = frame_wise.state_dict()
    pictures["patch_embed.proj.weight"] = pictures["patch_embed.proj.weight"].sum(2)
    still = torch.rand(1, 3, 1, 56, 56, dtype=torch.float64)
    with torch.no_grad():
        expected = frame_wise.forward_features(still.expand(-1, -1, 2, -1, -1))
        for frames in (6, 32):  # windows cut to what there is; two windows, shifted
            model = make(frames=frames).double().eval()
            model.load_pictures(pictures)
            got = model.forward_features(still.expand(-1, -1, frames, -1, -1))
            torch.testing.assert_close(got, expected)


def test_weights_of_clips_are_no_pictures() -> None:
    model = small(frames=4)
    with pytest.raises(
        ValueError, match=r"weights of pictures: .* got \(8, 3, 2, 4, 4\); weights of clips load"
    ):
        model.load_pictures(model.state_dict())
    with pytest.raises(ValueError, match="got none"):
        model.load_pictures({})


def test_as_any_clip_network() -> None:
    model = Swin3d(num_classes=4, frames=5, embed_channels=8, depths=(2, 2), heads=(1, 2), window=(2, 3, 3))
    clip_checks.check_clip_network(model, 33, 22)


@pytest.mark.parametrize(("frames", "height", "width"), [(1, 4, 4), (3, 1, 50), (2, 57, 31)])
def test_any_size(frames: int, height: int, width: int) -> None:
    model = small(frames=frames).eval()
    with torch.no_grad():
        assert model(torch.rand(1, 3, frames, height, width)).isfinite().all()


def test_paths_are_dropped_in_training() -> None:
    transformer_checks.check_paths_dropped(small(frames=2, drop_path=0.5, dropout=0.0))


def test_windows_are_padded_cut_and_shifted() -> None:
    assert windows_on((16, 56, 56), (8, 7, 7)) == ((8, 7, 7), (4, 3, 3), (16, 56, 56))
    assert windows_on((8, 15, 7), (8, 7, 7)) == ((8, 7, 7), (0, 3, 0), (8, 21, 7))
    assert windows_on((3, 2, 8), (8, 7, 7)) == ((3, 2, 7), (0, 0, 3), (3, 2, 14))


def test_join_reverses_partition() -> None:
    x = torch.arange(2 * 4 * 6 * 9 * 3).reshape(2, 4, 6, 9, 3)
    parts = partition(x, (2, 3, 3))
    assert parts.shape == (2, 12, 18, 3)
    assert parts[1, 0].tolist() == x[1, :2, :3, :3].reshape(18, 3).tolist()
    assert torch.equal(join(parts, (2, 3, 3), (4, 6, 9)), x)


def test_only_neighbours_attend_after_the_shift() -> None:
    """Two tokens of a window may attend exactly if they lay in one piece before the cyclic shift."""
    windows = windows_on((4, 6, 3), (2, 3, 3))
    assert windows.shift == (1, 1, 0)
    places = torch.stack(torch.meshgrid(*(torch.arange(n) for n in (4, 6, 3)), indexing="ij"), -1)
    shifted = partition(places.roll((-1, -1), (0, 1))[None], windows.size)[0]  # (P, L, 3), places before
    near = (shifted[:, :, None] - shifted[:, None]).abs() < torch.tensor(windows.size)
    mask = shift_mask(windows, torch.device("cpu"))
    assert torch.equal(mask == 0, near.all(-1))
    assert set(mask.unique().tolist()) == {0.0, -100.0}


def test_position_index_is_one_row_for_each_offset() -> None:
    window = (2, 3, 2)
    index = position_index(window)
    places = list(itertools.product(*map(range, window)))
    rows = {}
    for (a, first), (b, second) in itertools.product(enumerate(places), repeat=2):
        rows.setdefault(tuple(i - j for i, j in zip(first, second, strict=True)), set()).add(
            index[a, b].item()
        )
    assert len(rows) == 3 * 5 * 3
    assert sorted(row for found in rows.values() for row in found) == list(range(45))


@pytest.mark.parametrize(
    ("option", "value", "message"),
    [
        ("depths", (2, 2), "depths and heads must be of as many stages, got 2 and 4"),
        ("heads", (1, 2, 3, 4), "32 channels cannot be divided among 3 attention heads"),
        ("window", (8, 7), r"window must be three lengths .*, got \(8, 7\)"),
        ("drop_path", 1.0, "drop_path must be at least 0 and below 1, got 1.0"),
    ],
)
def test_options_out_of_range(option: str, value: object, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        small(**{option: value})
