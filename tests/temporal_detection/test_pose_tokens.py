from __future__ import annotations

import numpy as np
import pytest
import torch
from tests.skeleton_models.named_weights import named_input, named_weights

from poses.layout import LAYOUTS, get_layout
from temporal_detection.pose_tokens import PoseTokenEncoder, PoseTokens, body_parts, token_joints

COCO = get_layout("coco17")


def small(**options) -> PoseTokenEncoder:
    given = {"width": 8, "num_features": 6, "strides": (1, 2), "kernel": 3, "graphs": 2}
    encoder = PoseTokenEncoder(COCO, 3, **(given | options))
    encoder.load_state_dict(named_weights(encoder.state_dict()))
    return encoder.eval()


def poses(name: str = "poses", windows: int = 1, persons: int = 1, frames: int = 32) -> torch.Tensor:
    return named_input(name, (windows, persons, frames, 17, 3))


def everything(x: torch.Tensor) -> torch.Tensor:
    return torch.ones(len(x), x.shape[2], dtype=torch.bool)


@pytest.mark.parametrize("name", LAYOUTS)
def test_every_joint_has_its_part_and_parts_are_mirror_images(name: str) -> None:
    layout = LAYOUTS[name]
    parts = body_parts(layout)
    assert set().union(*parts.values()) == set(range(len(layout.joints)))
    for part, joints in parts.items():
        other = part.translate(str.maketrans({})).replace("left", "*").replace("right", "left")
        assert {layout.mirror[joint] for joint in joints} == set(parts[other.replace("*", "right")])


def test_parts_of_whole_bodies() -> None:
    parts = body_parts(get_layout("coco_wholebody133"))
    assert {part: len(joints) for part, joints in parts.items()} == {
        "head": 5, "left_arm": 3, "torso": 4, "right_arm": 3, "left_leg": 6, "right_leg": 6,
        "face": 68, "left_hand": 21, "right_hand": 21,
    }  # fmt: skip
    assert set(body_parts(get_layout("coco_wholebody133/hands"))) == {"left_hand", "right_hand"}
    blaze = get_layout("blazepose33")
    assert blaze.index("left_foot_index") in body_parts(blaze)["left_leg"]
    assert len(token_joints(COCO, "joints")) == 17
    assert token_joints(COCO, "whole") == [tuple(range(17))]
    with pytest.raises(ValueError, match="tokens must be one of parts, joints, whole, got 'limbs'"):
        token_joints(COCO, "limbs")


def test_channels_are_normalised_over_the_frames_seen() -> None:
    tokens = PoseTokens(2, 3, [[0], [1]], 3).train()
    for layer in tokens.layers:
        torch.nn.init.eye_(layer.weight)
        torch.nn.init.zeros_(layer.bias)
    x = torch.randn(3, 40, 2, 3) * 5 + 2
    seen = torch.ones(3, 40, dtype=torch.bool)
    seen[1, 10:] = False
    x[1, 10:] = 1e4  # padding counts for nothing
    got = tokens(x, seen)[seen]
    np.testing.assert_allclose(got.mean(0).detach(), 0, atol=1e-5)
    np.testing.assert_allclose(got.var(0, unbiased=False).detach(), 1, atol=1e-3)
    tokens.norm.momentum = 1.0
    trained = tokens(x, seen)
    again = tokens.eval()(x, seen)
    torch.testing.assert_close(trained[seen], again[seen], rtol=0.01, atol=0.01)


@pytest.mark.parametrize("tokens", ["parts", "joints", "whole"])
@pytest.mark.parametrize(("strides", "features"), [((1, 1), 32), ((1, 2), 16), ((2, 2), 8)])
def test_feature_i_stands_for_frame_i_times_the_stride(tokens: str, strides: tuple, features: int) -> None:
    encoder = small(tokens=tokens, strides=strides)
    x = poses()
    moved = x.clone()
    moved[:, :, 16] += 1
    with torch.no_grad():
        here, there = encoder(x, everything(x)), encoder(moved, everything(x))
    assert here.shape == (1, 6, features)
    changed = torch.nonzero((here != there).any(1)[0])[:, 0]
    assert changed.float().mean() * encoder.stride == 16  # as far before as behind
    assert len(changed) < features


def test_padding_changes_nothing() -> None:
    encoder = small()
    x = poses(frames=20)
    padded = torch.cat([x, torch.full((1, 1, 13, 17, 3), 7.0)], dim=2)
    valid = torch.arange(33)[None] < 20
    with torch.no_grad():
        alone, in_window = encoder(x, everything(x)), encoder(padded, valid)
    torch.testing.assert_close(in_window[:, :, :10], alone)
    assert (in_window[:, :, 10:] == 0).all()


def test_persons_who_are_not_there_change_nothing() -> None:
    encoder = small()
    x = poses(windows=2, persons=3)
    x[0, 1:] = 0
    x[1] = 0
    with torch.no_grad():
        both = encoder(x, everything(x))
        torch.testing.assert_close(both[:1], encoder(x[:1, :1], everything(x[:1])))
        assert (both[1] == 0).all()
        several = encoder(poses(persons=2), everything(poses()))
        each = [encoder(poses(persons=2)[:, m : m + 1], everything(poses())) for m in range(2)]
    torch.testing.assert_close(several, torch.maximum(*each))


def test_graph_begins_within_each_token_and_learns_others() -> None:
    encoder = PoseTokenEncoder(COCO, 3, width=8, num_features=6, strides=(1,), graphs=2)
    graph = encoder.blocks[0].graph
    assert torch.equal(graph[0], torch.eye(len(graph[0])))
    x = poses(windows=2)
    encoder.train()(x, everything(x)).square().sum().backward()
    assert (graph.grad != 0).any(dim=0).all()


def test_shapes_are_checked() -> None:
    encoder = small()
    with pytest.raises(ValueError, match=r"expected poses \(N, M, T, 17, 3\), got \(1, 1, 8, 17, 2\)"):
        encoder(torch.zeros(1, 1, 8, 17, 2), torch.ones(1, 8, dtype=torch.bool))
    with pytest.raises(ValueError, match=r"expected valid as booleans \(1, 8\), got torch.float32 \(1, 8\)"):
        encoder(torch.zeros(1, 1, 8, 17, 3), torch.ones(1, 8))
    with pytest.raises(ValueError, match="odd kernel and a width that 3 graphs divide"):
        small(graphs=3)
