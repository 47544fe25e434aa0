from __future__ import annotations

import numpy as np
import torch
from torch import nn
from torch.nn import functional

from emotion_models.emotion_fan import EmotionFan, FrameAttention
from emotion_models.event_attention import EventAttention, events_of
from emotion_models.fitting import Schedule, built, fit
from emotion_models.vaanet import VaaNet, VisualAttention, polarity_loss


def test_frame_attention_follows_the_equations():
    torch.manual_seed(0)
    attention, x = FrameAttention(4), torch.randn(2, 5, 4)
    features, weights = attention(x)
    q0, q1 = attention.alone, attention.against
    for clip in range(2):
        alpha = torch.stack([torch.sigmoid(q0(f)) for f in x[clip]])
        whole = sum(a * f for a, f in zip(alpha, x[clip], strict=True)) / alpha.sum()
        beta = torch.stack([torch.sigmoid(q1(torch.cat([f, whole]))) for f in x[clip]])
        mixed = sum(a * b * torch.cat([f, whole]) for a, b, f in zip(alpha, beta, x[clip], strict=True))
        torch.testing.assert_close(features[clip], mixed / (alpha * beta).sum())
    torch.testing.assert_close(weights.sum(1), torch.ones(2))
    alone, _ = FrameAttention(4, relation=False)(x)
    assert alone.shape == (2, 4) and features.shape == (2, 8)


def test_frame_attention_finds_the_frame_that_counts():
    rng = np.random.default_rng(0)
    labels = torch.from_numpy(np.arange(60) % 2)
    x = torch.from_numpy(rng.normal(0, 1, (60, 8, 3)).astype(np.float32))
    x[:, 3, 0] = labels.float() * 6 - 3
    x[:, 3, 2] = 6  # marks the frame
    network = built(lambda: EmotionFan(nn.Identity(), 3, 2, dropout=0), 0)
    losses = fit(
        network,
        lambda net, rows: functional.cross_entropy(net(x[rows]), labels[rows]),
        torch.arange(60),
        0,
        Schedule(epochs=60, rate=0.03),
    )
    assert losses[-1] < 0.2 < losses[0]
    weights = network.attention(x)[1].mean(0)
    assert weights.argmax() == 3 and weights[3] > 0.3


def test_visual_attention_weighs_places_channels_and_segments():
    torch.manual_seed(0)
    attention = VisualAttention(6, 8)
    features, segments = attention(torch.randn(2, 3, 6, 4, 4))
    assert features.shape == (2, 6)
    torch.testing.assert_close(segments.sum(1), torch.ones(2))
    same = torch.ones(1, 1, 6, 4, 4) * torch.arange(6.0)[:, None, None]  # every place alike: its own mean
    seen, _ = attention(same)
    what = attention.channel(torch.arange(6.0)).softmax(0) * 6
    torch.testing.assert_close(seen[0], what * torch.arange(6.0))


def test_vaanet_runs_over_segments_and_learns_something():
    torch.manual_seed(0)
    encoder = nn.Sequential(nn.Conv3d(3, 8, (2, 4, 4), (2, 4, 4)), nn.ReLU())

    class Flat(nn.Module):
        def forward(self, x):
            return encoder(x).mean(2)

    network = VaaNet(Flat(), 8, 4)
    x = torch.randn(2, 3, 3, 4, 16, 16)  # two clips, three segments of four frames
    assert network(x).shape == (2, 4)
    polarity_loss(network(x), torch.tensor([0, 3]), (False, False, True, True)).backward()
    assert network.attention.segment[0].weight.grad is not None


def test_polarity_loss_punishes_the_other_side_more():
    logits = torch.tensor([[5.0, 0, 0], [5.0, 0, 0]])
    positive = (True, True, False)
    near, far = torch.tensor([1]), torch.tensor([2])
    plain = functional.cross_entropy(logits[:1], near)
    torch.testing.assert_close(polarity_loss(logits[:1], near, positive), plain)
    torch.testing.assert_close(polarity_loss(logits[:1], far, positive, 0.5), 1.5 * plain)


def event(*rows):
    actions, starts, ends, scores = zip(*rows, strict=True) if rows else ((), (), (), ())
    return (
        np.array(actions, np.int64),
        np.array(starts, float),
        np.array(ends, float),
        np.array(scores, float),
    )


def test_events_are_ordered_padded_and_cut():
    events = events_of([event((3, 2.0, 3.0, 0.5), (1, 0.5, 1.0, 0.9), (2, 1.0, 4.5, 0.1)), event()], most=2)
    assert events.actions.tolist() == [[1, 3], [0, 0]] and events.there.tolist() == [
        [True, True],
        [False, False],
    ]
    np.testing.assert_allclose(
        events.numbers[0],
        [[0, np.log1p(0.5), 0.9, 0], [0.6, np.log1p(1), 0.5, np.log1p(1.5)]],
        rtol=1e-6,
    )
    empty = events_of([event()])
    assert empty.actions.shape == (1, 1) and not empty.there.any()


def test_event_attention_ignores_padding_and_takes_clips_without_events():
    network = built(lambda: EventAttention(5, 3, 8), 0).eval()
    one = event((2, 0.0, 1.0, 0.8))
    alone, padded = (
        events_of([one]),
        events_of([one, event((1, 0, 1, 0.5), (2, 1, 2, 0.5), (3, 2, 3, 0.5)), event()]),
    )
    torch.testing.assert_close(network(alone)[0], network(padded)[0])
    weights, _ = network.weights_and_features(padded)
    torch.testing.assert_close(weights.sum(1), torch.ones(3))
    assert weights[2].tolist() == [1, 0, 0, 0] and torch.isfinite(network(padded)).all()


def test_event_attention_learns_from_one_telling_event():
    rng = np.random.default_rng(0)
    clips, labels = [], []
    for number in range(80):
        label = number % 2
        rows = [(int(rng.integers(2, 6)), float(t), float(t) + 1, 0.7) for t in rng.uniform(0, 8, 4)]
        rows[int(rng.integers(4))] = (label, 3.0, 4.0, 0.7)
        clips.append(event(*rows))
        labels.append(label)
    events, target = events_of(clips), torch.tensor(labels)

    def train(seed):
        network = built(lambda: EventAttention(6, 2, 16, 2), seed)
        fit(
            network,
            lambda net, rows: functional.cross_entropy(net(events.rows(rows)), target[rows]),
            torch.arange(60),
            seed,
            Schedule(epochs=25, rate=0.01),
        )
        return network(events).detach()

    logits = train(3)
    assert (logits[60:].argmax(1) == target[60:]).float().mean() > 0.9
    torch.testing.assert_close(train(3), logits, rtol=0, atol=0)  # one seed, one result
