from __future__ import annotations

import numpy as np
import pytest
from numba import njit

from skeleton_models.random_keys import (
    bits,
    bits_at,
    clip_hashes,
    clip_keys,
    integers,
    mix,
    normal,
    rng_keys,
    stream_base,
    uniform,
    uniform_at,
)


def test_mix_is_splitmix64() -> None:
    gamma = np.uint64(0x9E3779B97F4A7C15)
    state = np.array([1234567], np.uint64) + gamma * np.arange(1, 6, dtype=np.uint64)
    assert mix(state).tolist() == [  # the published sequence of SplitMix64 from seed 1234567
        6457827717110365317, 3203168211198807973, 9817491932198370423, 4593380528125082431,
        16408922859458223821,
    ]  # fmt: skip


def test_known_answers_stay_the_same_for_ever() -> None:
    keys = clip_keys(0, 0, ["a", "b"])
    assert [hex(key) for key in keys.tolist()] == ["0xc981886f87e8e237", "0x25c476dd93370fa0"]
    expected = [[0.08048304070765333, 0.4757140372608265], [0.1331117489793745, 0.8994097042961544]]
    assert uniform(keys, 3, 2).tolist() == expected


def test_a_draw_depends_on_seed_epoch_clip_stream_and_place_only() -> None:
    names = [f"clip {i}" for i in range(50)]
    keys = clip_keys(7, 3, names)
    assert clip_keys(7, 3, clip_hashes(names)).tolist() == keys.tolist()
    alone = np.concatenate([uniform(clip_keys(7, 3, [name]), 5, 4) for name in names[::-1]])[::-1]
    assert np.array_equal(alone, uniform(keys, 5, 4))
    for draws in (uniform, normal, bits):
        assert np.array_equal(draws(keys, 5, 9)[:, :4], draws(keys, 5, 4))  # type: ignore[operator]
    others = [clip_keys(8, 3, names), clip_keys(7, 4, names), keys]
    streams = [5, 5, 6]
    for other, stream in zip(others, streams, strict=True):
        assert not np.any(uniform(other, stream, 4) == uniform(keys, 5, 4))
    assert len(set(np.concatenate([clip_keys(s, e, names) for s in range(5) for e in range(5)]))) == 1250


def test_distributions() -> None:
    keys = clip_keys(1, 0, [str(i) for i in range(4000)])
    draws = uniform(keys, 0, 5)
    assert draws.min() >= 0 and draws.max() < 1
    np.testing.assert_allclose(draws.mean(0), 0.5, atol=0.02)
    np.testing.assert_allclose(draws.std(0), 12**-0.5, atol=0.01)
    assert np.abs(np.corrcoef(np.concatenate([draws, uniform(keys, 1, 5)], 1).T) - np.eye(10)).max() < 0.07
    gauss = normal(keys, 2, 3)
    np.testing.assert_allclose(gauss.mean(0), 0, atol=0.06)
    np.testing.assert_allclose(gauss.std(0), 1, atol=0.05)
    counts = np.bincount(integers(keys, 3, 2, 7).ravel(), minlength=7)
    assert len(counts) == 7 and np.abs(counts / 8000 - 1 / 7).max() < 0.02
    per_clip = integers(keys[:3], 3, 50, np.array([[1], [2], [1000]]))
    assert per_clip[0].max() == 0 and per_clip[1].max() == 1 and per_clip[2].max() > 800


def test_kernels_draw_the_same_numbers() -> None:
    @njit
    def drawn(keys: np.ndarray, stream: int, count: int) -> tuple[np.ndarray, np.ndarray]:
        words, units = np.empty((len(keys), count), np.uint64), np.empty((len(keys), count))
        for n in range(len(keys)):
            base = stream_base(keys[n], np.uint64(stream))
            for i in range(count):
                words[n, i], units[n, i] = bits_at(base, np.uint64(i)), uniform_at(base, np.uint64(i))
        return words, units

    keys = clip_keys(0, 1, ["x", "y", "z"])
    words, units = drawn(keys, 70, 6)
    assert np.array_equal(words, bits(keys, 70, 6))
    assert np.array_equal(units, uniform(keys, 70, 6))


def test_keys_of_a_generator_and_wrong_seeds() -> None:
    assert rng_keys(np.random.default_rng(5), 3).tolist() == rng_keys(np.random.default_rng(5), 3).tolist()
    with pytest.raises(ValueError, match="at least 0"):
        clip_keys(-1, 0, ["a"])
