from __future__ import annotations

import torch

from emotion_models.two_branch import two_branch_loss
from fidget.emotion.frame_encoder import FrameEncoder, ma52pro_network
from rgb_models.manet import Manet


def tiny():
    return Manet(num_classes=3, frames=4, width=8, depths=(1,), dropout=0)


def test_an_encoder_gives_features_of_every_frame():
    torch.manual_seed(0)
    encoder, x = FrameEncoder(tiny()).eval(), torch.randn(2, 3, 4, 32, 32)
    assert encoder(x).shape == (2, 4, encoder.channels)
    torch.testing.assert_close(encoder(x).mean(1), encoder.network.forward_features(x))


def test_two_steps_of_the_paper_network_on_frames():
    torch.manual_seed(0)
    network = ma52pro_network(emotions=5, actions=6, face=tiny(), action=tiny()).eval()
    face, person = torch.randn(3, 3, 4, 32, 32), torch.randn(3, 3, 4, 32, 32)
    emotions, actions = torch.tensor([0, 1, 4]), (torch.rand(3, 6) < 0.4).float()
    trained = [weight for weight in network.parameters() if weight.requires_grad]
    optimizer, losses = torch.optim.SGD(trained, 0.3), []
    for _ in range(3):
        loss = two_branch_loss(network(face, person), emotions, actions)
        losses.append(float(loss.detach()))
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    assert losses[0] > losses[1] > losses[2]
    assert all(weight.grad is not None for weight in trained)  # no weight lies idle


def test_the_published_network_is_manet_in_both_branches():
    with torch.device("meta"):
        network = ma52pro_network(emotions=5, actions=52)
    assert network.emotion_head.in_features == 4096 and network.action_head.in_features == 2048
    assert network.face.network.frames == network.action.network.frames == 16
