from __future__ import annotations

import numpy as np
import pytest
import torch
from tests.skeleton_models.named_weights import named_input, named_weights

from poses.layout import get_layout
from skeleton_models.clip_arrays import ClipArrays
from skeleton_models.graph_input import GraphInput
from skeleton_models.zoo import create_model
from temporal_detection.detection_loss import DetectionLoss
from temporal_detection.detector import decode
from temporal_detection.pose_tokens import PoseTokenEncoder
from temporal_detection.skeleton_detector import (
    GraphEncoder,
    SkeletonDetector,
    SkeletonRecogniser,
    load_recogniser,
    pose_token_recogniser,
    skeleton_detector,
)

COCO = get_layout("coco17")
SMALL = {"token_width": 16, "width": 24, "arch": (1, 0, 2), "window": 5}


def small(**options) -> SkeletonDetector:
    return skeleton_detector(num_classes=2, channels=9, layout="coco17", **(SMALL | options))


def recording(rng: np.random.Generator, frames: int = 128) -> tuple[ClipArrays, np.ndarray, np.ndarray]:
    """Somebody who sits still, but waves one of the arms for a while: simulated."""
    xyz = np.zeros((1, frames, 17, 2), np.float32)
    xyz[..., 0] = 300 + 40 * np.where(np.arange(17) % 2, 1, -1)
    xyz[..., 1] = 100 + 12 * np.arange(17)
    xyz += rng.normal(0, 0.5, xyz.shape)
    start, length, label = rng.uniform(8, 70), rng.uniform(16, 40), int(rng.integers(2))
    frame = np.arange(frames)
    inside = (frame >= start) & (frame <= start + length)
    xyz[0, inside, 9 + label, 1] += 20 * np.sin(frame[inside])
    clip = ClipArrays(xyz, np.ones(xyz.shape[:3], np.float32), (480, 640))
    return clip, np.array([[start, start + length]], np.float32), np.array([label])


def test_learns_who_waves_and_when() -> None:
    torch.manual_seed(0)
    rng = np.random.default_rng(0)
    builder = GraphInput(
        layout=COCO, frames=128, streams=("joint", "bone", "joint_motion"), confidence=True, sampling="linear"
    )
    clips, spans, named = zip(*(recording(rng) for _ in range(4)), strict=True)
    x, valid = (
        builder.batch(clips, None).x.clone(),
        torch.ones(4, 128, dtype=torch.bool),
    )  # (4, 1, 128, 17, 9)
    segments, labels = [torch.from_numpy(span) for span in spans], [torch.from_numpy(one) for one in named]
    model = small(dropout=0.0).train()
    loss_of = DetectionLoss(2, model.strides, normaliser=20)
    optimizer = torch.optim.AdamW(model.parameters(), lr=0.005)
    totals = []
    for _ in range(50):
        losses = loss_of(model(x, valid), segments, labels)
        optimizer.zero_grad()
        losses.total.backward()
        optimizer.step()
        totals.append(losses.total.item())
    assert losses.unmatched == 0
    assert totals[-1] < 0.1 * totals[0]
    for found, span, label in zip(decode(model.eval()(x, valid)), spans, named, strict=True):
        (start, end), (a, b) = found.positions[0], span[0]
        assert min(end, b) - max(start, a) > 0.5 * (max(end, b) - min(start, a))
        assert found.label[0] == label[0]


def test_positions_and_strides_are_of_the_input() -> None:
    model = small(encoder_strides=(1, 2)).eval()
    assert model.strides == (2, 4, 8)
    x, valid = named_input("x", (2, 1, 31, 17, 9)), torch.arange(31)[None] < torch.tensor([[31], [20]])
    with torch.no_grad():
        output = model(x, valid)
    assert output.position[:16].tolist() == list(range(0, 32, 2))
    assert sorted(set(output.stride.tolist())) == [2, 4, 8]
    assert output.valid[1, :16].tolist() == [frame < 20 for frame in range(0, 32, 2)]
    assert output.logits.shape == (2, 16 + 8 + 4, 2)


def test_says_groups_where_actions_have_some() -> None:
    output = small(group_of=(0, 1)).eval()(torch.ones(1, 1, 16, 17, 9), torch.ones(1, 16, dtype=torch.bool))
    assert output.group_logits.shape == output.logits.shape
    assert (output.logits <= output.group_logits).all()  # an action is no surer than its group


def test_begins_from_a_recogniser() -> None:
    recogniser = pose_token_recogniser(
        num_classes=5, layout="coco17", in_channels=9, token_width=16, width=24
    )
    state = named_weights(recogniser.state_dict())
    recogniser.load_state_dict(state)
    x = named_input("clip", (2, 2, 16, 17, 9))
    present = torch.tensor([[True, True], [True, False]])
    logits = recogniser.eval()(x, present)
    assert logits.shape == (2, 5)
    torch.testing.assert_close(logits[1:], recogniser(x[1:, :1]))
    for given in (state, {f"model.{name}": tensor for name, tensor in state.items()}):
        model = small()
        load_recogniser(model, given)
        for name, tensor in model.encoder.state_dict().items():
            torch.testing.assert_close(tensor, state[f"encoder.{name}"])
    features = model.eval().encoder(x, torch.ones(2, 16, dtype=torch.bool))
    torch.testing.assert_close(recogniser.forward_features(x), features.mean(2))


def test_a_recogniser_that_does_not_fit_is_refused() -> None:
    state = SkeletonRecogniser(PoseTokenEncoder(COCO, 9, width=16, num_features=24), 5).state_dict()
    with pytest.raises(ValueError, match=r"none of 2 entries such as a, b is of the detector's encoder"):
        load_recogniser(small(), {"a": torch.zeros(1), "b": torch.zeros(1)})
    lacking = {name: tensor for name, tensor in state.items() if "blocks.3.time.bias" not in name}
    with pytest.raises(ValueError, match=r"missing \(1\): blocks.3.time.bias"):
        load_recogniser(small(), lacking)
    with pytest.raises(ValueError, match="of another shape"):
        load_recogniser(small(token_width=8), state)


def test_networks_of_the_graph_family_are_encoders_too() -> None:
    network = create_model(
        "stgcnpp", num_classes=4, layout="coco17", in_channels=3, base_channels=8, num_stages=4,
        inflate_stages=(3,), down_stages=(3,),
    ).eval()  # fmt: skip
    encoder = GraphEncoder(network, joints=17, channels=3, stride=2)
    x, valid = named_input("graph", (2, 1, 20, 17, 3)), torch.ones(2, 20, dtype=torch.bool)
    features = encoder(x, valid)
    assert features.shape == (2, encoder.num_features, 10)
    torch.testing.assert_close(features.mean(2), network.forward_features(x))
    detector = skeleton_detector(num_classes=2, channels=3, layout="coco17", encoder=encoder, width=24)
    assert detector.strides == (2, 4, 8, 16, 32, 64)
    assert detector.eval()(x, valid).logits.shape[2] == 2
    with pytest.raises(ValueError, match="expected 5 steps of 20 frames at stride 4, the network gives 10"):
        GraphEncoder(network, joints=17, channels=3, stride=4)(x, valid)
    with pytest.raises(ValueError, match="Linear has no data_bn, run_blocks, num_features; take stgcnpp"):
        GraphEncoder(torch.nn.Linear(1, 1), joints=1, channels=1, stride=1)
