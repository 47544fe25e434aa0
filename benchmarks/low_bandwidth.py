"""What small pose caches cost in accuracy: every rung of the ladder, with a classifier of seconds.

    python -m benchmarks.low_bandwidth poses/nw_ucla --protocol nw_ucla_full
    python -m benchmarks.low_bandwidth poses/jhmdb --protocol jhmdb14_full

The classifier is ridge regression on joints of the main person (centred, divided by the person's size, 24
points in time) and their speeds. It is no rival of a network; it shows which settings lose what. Missing
joints take the clip's mean of that joint.
"""

from __future__ import annotations

import argparse
import tempfile
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from sklearn.linear_model import RidgeClassifier
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from fidget.benchmark.clip_economy import person_size
from fidget.benchmark.low_bandwidth import ladder, shrink
from poses.cache_reader import PoseCache
from poses.clip import PoseClip
from protocols.catalogue import find_protocol

_POINTS = 24


def features(clip: PoseClip) -> NDArray[np.float64]:
    """(2 * 24 * V * C,) positions and speeds of the main person; zeros without one."""
    axes = 2 if clip.z is None else 3
    v = len(clip.layout.joints)
    if not clip.persons:
        return np.zeros(2 * _POINTS * v * axes)
    place = clip.xy_px[0] if clip.z is None else np.concatenate([clip.xy_px[0], clip.z[0][..., None]], -1)
    place = place.astype(np.float64)
    seen = np.isfinite(place).all(axis=-1).any(axis=0)
    place[:, ~seen] = np.nanmean(place)
    place = np.where(np.isnan(place), np.nanmean(place, axis=0), place)
    place = (place - place.mean(axis=(0, 1))) / max(person_size(clip), 1e-9)
    clock = np.linspace(clip.time_s[0], clip.time_s[-1], _POINTS)
    flat = place.reshape(clip.frames, -1)
    there = np.stack([np.interp(clock, clip.time_s, column) for column in flat.T], axis=1)
    return np.concatenate([there.ravel(), np.gradient(there, axis=0).ravel() * 5])


def accuracy(poses: Path, protocol: str) -> tuple[float, int]:
    """Top-1 on the test split, and its clips."""
    cache = PoseCache(poses)
    splits = find_protocol(protocol, cache.clip_ids).splits
    x = {
        name: np.stack([features(cache.read(one)) for one in splits[name].clip_ids])
        for name in ("train", "test")
    }
    model = make_pipeline(StandardScaler(), RidgeClassifier(alpha=3000.0))
    model.fit(x["train"], splits["train"].labels)
    return float(model.score(x["test"], splits["test"].labels)), len(x["test"])


def main() -> None:
    """Print one row a rung."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("poses", type=Path)
    parser.add_argument("--protocol", required=True)
    args = parser.parse_args()
    top1, clips = accuracy(args.poses, args.protocol)
    print(f"| settings | bytes a clip | top-1 of {clips} clips |\n|---|---:|---:|")
    print(f"| as it is | | {100 * top1:.1f} |", flush=True)
    with tempfile.TemporaryDirectory() as scratch:
        for number, economy in enumerate(ladder(PoseCache(args.poses).layout)):
            made = shrink(args.poses, Path(scratch) / str(number), economy)
            top1, _ = accuracy(Path(scratch) / str(number), args.protocol)
            print(f"| {economy.told()} | {made.after.per_clip:,.0f} | {100 * top1:.1f} |", flush=True)


if __name__ == "__main__":
    main()
