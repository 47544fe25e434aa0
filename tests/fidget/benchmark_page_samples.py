"""A benchmark's directory with cells, score files, features and poses, made up for the page."""

from __future__ import annotations

import json
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path

import numpy as np

from fidget.benchmark.cell import Cell
from poses.cache_schema import CacheMetadata, SourceStamp
from poses.cache_writer import CacheWriter
from poses.clip import PoseClip
from poses.encoding import encode_clip
from poses.layout import get_layout
from protocols.label_tree import LabelTree
from protocols.scores import ScoreFile, write_scores

_COCO_XY = (
    (100, 40), (106, 34), (94, 34), (114, 38), (86, 38), (130, 80), (70, 80), (144, 124), (56, 124),
    (138, 164), (62, 164), (120, 170), (80, 170), (124, 230), (76, 230), (126, 290), (74, 290),
)  # fmt: skip


@dataclass(frozen=True)
class Place:
    """Where a made-up benchmark lies."""

    directory: Path
    cells: list[Cell]
    poses: Path


def small_tree(first: str = "nodding") -> LabelTree:
    names = (first, "shaking head", "touching ear", "crossing arms", "shrugging", "swinging legs")
    return LabelTree("small", names, ("head", "hands", "legs"), (0, 0, 1, 1, 1, 2))


def write_benchmark(
    directory: Path,
    tree: LabelTree,
    tasks: tuple[str, ...] = ("laboratory to street", "laboratory to psychiatric"),
    clips: int = 60,
    seeds: int = 2,
    shots: tuple[int, ...] = (0, 1, 5),
    draws: int = 2,
    budgets: tuple[float, ...] = (4.0,),
    simulated: bool = False,
    moving: bool = True,
) -> Place:
    """Cells with score files; accuracy rises with K; features beside the runs; poses of the first clips."""
    rng = np.random.default_rng(11)
    cells: list[Cell] = []
    ids: list[str] = []
    for number, task in enumerate(tasks):
        domain = task.rpartition(" ")[2]
        task_ids = tuple(f"{domain}/clip_{n:04d}" for n in range(clips))
        ids += task_ids
        labels = np.arange(clips) % len(tree.actions)
        for seed in range(seeds):
            ways = [
                (k, way) for k in shots for way in (("linear_probe", "cosine_prototypes") if k else ("none",))
            ]
            for k, way in ways:
                for draw in range(draws if k else 1):
                    skill = 0.75 - 0.1 * number + 0.15 * np.log1p(k) + 0.1 * (way == "linear_probe")
                    cells.append(
                        _cell(
                            directory,
                            tree,
                            task,
                            seed,
                            k,
                            draw,
                            way,
                            0.0,
                            task_ids,
                            labels,
                            skill,
                            rng,
                            simulated,
                        )
                    )
            for budget in budgets:
                cells.append(
                    _cell(
                        directory, tree, task, seed, 0, 0, "none", budget, task_ids, labels,
                        0.6 - 0.1 * number, rng, simulated,
                    )
                )  # fmt: skip
    write_poses(directory / "poses-cache", ids if moving else ["another/clip"], simulated)
    return Place(directory, cells, directory / "poses-cache")


def _cell(
    directory: Path, tree: LabelTree, task: str, seed: int, shots: int, draw: int, way: str, budget: float,
    ids: tuple[str, ...], labels: np.ndarray, skill: float, rng: np.random.Generator, simulated: bool,
) -> Cell:  # fmt: skip
    logits = rng.normal(size=(len(ids), len(tree.actions))) + 4 * skill * np.eye(len(tree.actions))[labels]
    scores = np.exp(logits) / np.exp(logits).sum(axis=1, keepdims=True)
    scores = scores.astype(np.float32)
    name = f"{task}__s{seed}__k{shots}__d{draw}__{way}__{budget:g}".replace(" ", "_")
    path = directory / "scores" / f"{name}.parquet"
    write_scores(path, ScoreFile(tree, ids, labels.astype(np.int64), scores, "stgcnpp", seed=seed))
    run = f"runs/laboratory/stgcnpp/seed{seed}"
    if not shots and not budget:
        features = rng.normal(size=(len(tree.actions), 24))[labels] * 3 + rng.normal(size=(len(ids), 24))
        write_features(directory / run / "features" / f"{name}.npz", ids, features, scores)
    right = scores.argmax(axis=1) == labels
    return Cell(
        "mma82/cross-domain", task, "laboratory", task.rpartition(" ")[2], "stgcnpp", seed, shots, draw, way,
        measures={"action/top1": float(right.mean()), "action/mean_class": float(right.mean()) * 0.9},
        scores=str(path.relative_to(directory)), run=run, simulated=simulated,
        facts={
            "target_clips": len(ids), "target_pose_bytes": int(len(ids) * (1024 * budget or 12_000)),
            **({"budget_kib": budget} if budget else {}),
        },
    )  # fmt: skip


def write_features(path: Path, ids: tuple[str, ...], features: np.ndarray, scores: np.ndarray) -> None:
    """As `fidget.benchmark.features` keeps them."""
    path.parent.mkdir(parents=True, exist_ok=True)
    names = "\n".join(json.dumps(clip_id) for clip_id in ids)
    np.savez(
        path,
        clip_ids=np.frombuffer(names.encode("ascii"), np.uint8),
        features=features.astype(np.float32),
        log_probs=np.log(np.maximum(scores, 1e-12)),
    )


def write_poses(directory: Path, ids: list[str], simulated: bool) -> None:
    """People who nod and lift a hand."""
    rng = np.random.default_rng(5)
    layout = get_layout("coco17")
    settings = {"simulated": "true"} if simulated else {}
    with CacheWriter(directory, CacheMetadata("coco17", settings=settings)) as writer:
        for number, clip_id in enumerate(ids):
            t = np.arange(50) / 25
            xy_px = np.tile(np.array(_COCO_XY, np.float32), (1, 50, 1, 1)) + rng.normal(
                0, 0.6, (1, 50, 17, 2)
            )
            xy_px[0, :, :5, 1] += 6 * np.sin(6 * t + number)[:, None]
            xy_px[0, :, 9] += (70 * np.sin(2 * t + number) ** 2)[:, None] * (-0.2, -1.4)
            score = rng.uniform(0.4, 1, (1, 50, 17)).astype(np.float32)
            score[0, 20:30, 15] = 0
            xy_px[score == 0] = np.nan
            clip = PoseClip(
                clip_id, layout, xy_px.astype(np.float32), score, np.full((1, 50, 4), np.nan, np.float32),
                t, (360, 240), Fraction(25), np.array([1]),
            )  # fmt: skip
            writer.add(encode_clip(clip, SourceStamp(f"/v/{number}.mp4", 100_000, 1)))
