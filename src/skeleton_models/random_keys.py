"""Randomness that depends on (seed, epoch, clip) and on nothing else: a key a clip, draws by counting.

A key is 64 bits; draw i of stream s is a hash of (key, s, i), so the draws of a clip are the same in any
batch, in any order, on any number of workers, and a whole batch is drawn by a few array operations. The
hash is the finaliser of SplitMix64 (Steele, Lea, Flood: Fast Splittable Pseudorandom Number Generators,
OOPSLA 2014). Streams keep purposes apart: what one augmentation draws never moves another's draws.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence

import numpy as np
from numba import njit
from numpy.typing import ArrayLike, NDArray

Keys = NDArray[np.uint64]

_GAMMA = np.uint64(0x9E3779B97F4A7C15)  # 2^64 / golden ratio: the step of SplitMix64
_MIX_1 = np.uint64(0xBF58476D1CE4E5B9)
_MIX_2 = np.uint64(0x94D049BB133111EB)
_S27, _S30, _S31, _S11 = np.uint64(27), np.uint64(30), np.uint64(31), np.uint64(11)
_TO_UNIT = 2.0**-53


def mix(values: NDArray[np.uint64]) -> NDArray[np.uint64]:
    """SplitMix64's finaliser: a bijection of 64 bits in which every bit moves every other; any shape."""
    values = (values ^ (values >> _S30)) * _MIX_1
    values = (values ^ (values >> _S27)) * _MIX_2
    return values ^ (values >> _S31)


def clip_hashes(clip_ids: Sequence[str]) -> Keys:
    """(N,) a hash of each clip's name; made once a dataset, then a batch's keys cost microseconds."""
    digests = b"".join(hashlib.blake2b(name.encode(), digest_size=8).digest() for name in clip_ids)
    return np.frombuffer(digests, "<u8").astype(np.uint64)


def clip_keys(seed: int, epoch: int, clip_ids: Sequence[str] | Keys) -> Keys:
    """(N,) a key for each clip of an epoch.

    Args:
        seed: of the run.
        epoch: from 0; for a clip that comes several times an epoch, count its visits here.
        clip_ids: names, or what `clip_hashes` made of them.

    Raises:
        ValueError: seed or epoch is negative.
    """
    if seed < 0 or epoch < 0:
        raise ValueError(f"seed and epoch must be at least 0, got {seed} and {epoch}")
    hashes = clip_ids if isinstance(clip_ids, np.ndarray) else clip_hashes(clip_ids)
    run = mix(np.array([seed % 2**64], np.uint64) + _GAMMA)
    run = mix(run + np.array([epoch % 2**64], np.uint64) * _GAMMA + _GAMMA)
    return mix(hashes ^ run)


def rng_keys(rng: np.random.Generator, count: int = 1) -> Keys:
    """(count,) keys out of a generator, for whoever holds one instead of a clip's name."""
    return rng.integers(2**64, size=count, dtype=np.uint64)


def bits(keys: Keys, stream: int, count: int) -> NDArray[np.uint64]:
    """(N, count) 64 random bits each; `count` draws from one stream begin with those of a smaller count."""
    base = mix(keys ^ mix(np.array([stream % 2**64], np.uint64) * _GAMMA + _MIX_1))  # (N,)
    return mix(base[:, None] + np.arange(1, count + 1, dtype=np.uint64) * _GAMMA)


def uniform(
    keys: Keys, stream: int, count: int, low: ArrayLike = 0.0, high: ArrayLike = 1.0
) -> NDArray[np.float64]:
    """(N, count) in low..high, `high` left out; the bounds broadcast against (N, count)."""
    unit = (bits(keys, stream, count) >> _S11) * _TO_UNIT
    return np.asarray(low) + unit * (np.asarray(high, np.float64) - low)


def normal(keys: Keys, stream: int, count: int) -> NDArray[np.float64]:
    """(N, count) of mean 0 and standard deviation 1 (Box and Muller, 1958)."""
    pairs = uniform(keys, stream, 2 * count)
    return np.sqrt(-2.0 * np.log1p(-pairs[:, 0::2])) * np.cos(2.0 * np.pi * pairs[:, 1::2])


def integers(keys: Keys, stream: int, count: int, high: ArrayLike) -> NDArray[np.int64]:
    """(N, count) in 0..high - 1; `high` broadcasts against (N, count), is at least 1 and below 2^40."""
    return np.floor(uniform(keys, stream, count) * np.asarray(high, np.float64)).astype(np.int64)


@njit(inline="always")
def mix_one(value: np.uint64) -> np.uint64:
    """`mix` of one number, inside kernels."""
    value = (value ^ (value >> _S30)) * _MIX_1
    value = (value ^ (value >> _S27)) * _MIX_2
    return value ^ (value >> _S31)


@njit(inline="always")
def stream_base(key: np.uint64, stream: np.uint64) -> np.uint64:
    """The base that `bits_at` counts from, one for each key and stream."""
    return mix_one(key ^ mix_one(stream * _GAMMA + _MIX_1))


@njit(inline="always")
def bits_at(base: np.uint64, index: np.uint64) -> np.uint64:
    """Draw `index` of a stream, inside kernels: the number that `bits` has in that column."""
    return mix_one(base + (index + np.uint64(1)) * _GAMMA)


@njit(inline="always")
def uniform_at(base: np.uint64, index: np.uint64) -> np.float64:
    """Draw `index` of a stream in 0..1, inside kernels: the number that `uniform` has in that column."""
    return np.float64(bits_at(base, index) >> _S11) * _TO_UNIT
