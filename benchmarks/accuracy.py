"""How right the keypoints are, on the real material: two photographs and four clips.

    python -m benchmarks.accuracy --shared DIR

OKS is COCO's measure against its annotation. A joint that BlazePose cannot see (the small toes) counts as
wrong in the whole-body figures, whose share of joints with an answer stands beside them.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterator
from pathlib import Path

import numpy as np

from benchmarks.references import (
    EVERY_FRAMES,
    PHOTOGRAPHS,
    annotated_people,
    distance_in_heights,
    mediapipe_pose,
)
from benchmarks.table import Row, report

CLIPS = ("A1", "A2", "B1", "B2")
LEAST_OKS = 0.7
MOST_DISTANCE_PERCENT = 1.0
MAX_PERSONS, DETECT_EVERY_FRAMES = 5, 10


def body_rows(shared: Path) -> Iterator[Row]:
    """OKS of the body, a row for each annotated person, and how many of them were found."""
    from pose_extract.blazepose import BlazePoseEstimator
    from poses.layout import get_layout

    layout = get_layout("coco17")
    annotated = found = 0
    for image_id in PHOTOGRAPHS:
        truth = annotated_people(shared, image_id)
        estimator = BlazePoseEstimator(layout, MAX_PERSONS, DETECT_EVERY_FRAMES)
        (people,) = estimator.start_clip().push([truth.frame_bgr])
        similarity, there = truth.similarity(people.xy_px, layout), truth.found(people.xy_px)
        annotated, found = annotated + len(there), found + int(there.sum())
        for person in np.flatnonzero(there):
            value = float(similarity[person])
            what = f"photograph {image_id}, person {person + 1}: body"
            yield Row(what, value, "OKS", None, f">= {LEAST_OKS}", value >= LEAST_OKS)
    yield Row("annotated people who are found", found / annotated, f"of {annotated}")


def whole_body_rows(shared: Path) -> Iterator[Row]:
    """OKS of all 133 joints for each annotated person who is found, to be looked at, with no promise."""
    from pose_extract.blazepose import BlazePoseEstimator
    from poses.layout import get_layout

    layout = get_layout("coco_wholebody133")
    for image_id in PHOTOGRAPHS:
        truth = annotated_people(shared, image_id, whole_body=True)
        estimator = BlazePoseEstimator(layout, MAX_PERSONS, DETECT_EVERY_FRAMES)
        (people,) = estimator.start_clip().push([truth.frame_bgr])
        similarity, there = truth.similarity(people.xy_px, layout), truth.found(people.xy_px)
        for person in np.flatnonzero(there):
            alone = np.isfinite(people.xy_px).all(axis=-1)[:, truth.labelled[person]].mean(axis=1)  # (Q,)
            best = int(np.argmax([truth.similarity(one[None], layout)[person] for one in people.xy_px]))
            name = f"photograph {image_id}, person {person + 1}"
            yield Row(f"{name}: whole body", float(similarity[person]), "OKS")
            yield Row(f"{name}: labelled joints answered", float(alone[best]), "share")


def clip_rows(shared: Path) -> Iterator[Row]:
    """Frames with a person, and distance to MediaPipe's own pose solution, through the whole extraction."""
    from pose_extract.blazepose import BlazePoseEstimator
    from pose_extract.extract_clip import extract_clip
    from pose_extract.sources import VideoSource
    from poses.encoding import decode_row
    from poses.layout import get_layout
    from poses.quality import measure_quality

    layout = get_layout("blazepose33")
    estimator = BlazePoseEstimator(layout, 1, DETECT_EVERY_FRAMES)
    for name in CLIPS:
        row = extract_clip(VideoSource(clip_path(shared, name), name), estimator, layout, 1)
        if row.status != "ok":
            yield Row(f"{name}: frames with a person, BlazePose", 0.0, "share", None, "1", False)
            continue
        clip = decode_row(row, layout)
        share = measure_quality(clip).person_share
        yield Row(f"{name}: frames with a person, BlazePose", share, "share", None, "1", share == 1)
        theirs, _ = mediapipe_pose(name)  # (T, 33, 2)
        ours = clip.xy_px[0, ::EVERY_FRAMES][: len(theirs)]
        percent = 100 * distance_in_heights(ours, theirs)
        yield Row(
            f"{name}: distance to MediaPipe",
            percent,
            "% of height",
            None,
            f"< {MOST_DISTANCE_PERCENT}",
            percent < MOST_DISTANCE_PERCENT,
        )


def detector_rows(shared: Path) -> Iterator[Row]:
    """Frames in which RTMDet-nano sees a person, every frame looked at."""
    from pose_extract.onnx_session import OnnxSession
    from pose_extract.rtmdet import RtmDet
    from pose_extract.video import VideoFrames
    from weights.manifest import load_manifest

    weight = load_manifest()["rtmdet_nano"]
    detector = RtmDet.from_weight(OnnxSession(shared / "weights" / weight.file, "cpu"), weight)
    for name in CLIPS:
        with VideoFrames(clip_path(shared, name)) as video:
            seen = [len(detector.detect(frame)[0]) > 0 for _, frame in video]
        share = sum(seen) / len(seen)
        yield Row(f"{name}: frames with a person, RTMDet-nano", share, "share", None, "1", share == 1)


def clip_path(shared: Path, name: str) -> Path:
    """The clip whose name begins so."""
    (path,) = (shared / "data" / "clips").glob(f"{name}_*.mp4")
    return path


def main() -> int:
    """Measure and report; 1 if a promise is not kept."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--shared", type=Path, required=True, help="the real material")
    shared = parser.parse_args().shared
    if not (shared / "data" / "images").is_dir() or not (shared / "data" / "clips").is_dir():
        parser.error(f"--shared expects a directory with data/images and data/clips, got {shared}")
    rows = [*body_rows(shared), *whole_body_rows(shared), *clip_rows(shared), *detector_rows(shared)]
    report("accuracy", rows)
    return 1 if any(row.met is False for row in rows) else 0


if __name__ == "__main__":
    sys.exit(main())
