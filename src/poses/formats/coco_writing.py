"""Write COCO keypoint JSON, ground truth or results, one clip in memory at a time."""

from __future__ import annotations

import json
import tempfile
from collections.abc import Iterable
from pathlib import Path
from typing import IO, Any

import numpy as np
from numpy.typing import NDArray

from poses.clip import PoseClip
from poses.formats.coco import WHOLE_BODY
from poses.formats.record import LabelledClip, boxes_around, shortest, zeroed
from poses.layout import Layout
from poses.whole_file import replacing


def write_coco(path: str | Path, clips: Iterable[LabelledClip], layout: Layout) -> int:
    """Write ground truth (`images`, `annotations`, `categories`); how many clips were written.

    Each frame is an image named `<clip_id>/<frame, six digits>.jpg`; each person in it an annotation with
    v = 2 for joints that were found. Whole-body poses go to `keypoints`, `foot_kpts`, `face_kpts`,
    `lefthand_kpts`, `righthand_kpts`. Beyond COCO there are `videos` (name, fps, label, splits), `video_id`,
    `frame_id` and `time_s` of images, `track_id` and `keypoint_scores` of annotations.

    Raises:
        ValueError: a clip of another layout.
    """
    path = Path(path)
    videos: list[dict[str, Any]] = []
    with (
        replacing(path) as part,
        part.open("w") as out,
        tempfile.TemporaryFile("w+", dir=path.parent) as spool,
    ):
        out.write('{"info": {"description": "Poses of video clips, written by Fidget"},\n"images": [\n')
        images = annotations = 0
        for number, labelled in enumerate(clips):
            _expect_layout(labelled, layout)
            for annotation in _annotations(labelled, images):
                annotations += 1
                _item(spool, {"id": annotations, **annotation}, annotations == 1)
            for image in _images(labelled, images, number + 1):
                images += 1
                _item(out, image, images == 1)
            videos.append(_video(labelled, number + 1))
        out.write('\n],\n"annotations": [\n')
        spool.seek(0)
        for block in iter(lambda: spool.read(1 << 20), ""):
            out.write(block)
        out.write(f'\n],\n"videos": {json.dumps(videos)},\n"categories": [{json.dumps(_person(layout))}]}}\n')
    return len(videos)


def write_coco_results(path: str | Path, clips: Iterable[LabelledClip], layout: Layout) -> int:
    """Write results: a list of persons with x, y, score a joint; how many clips were written.

    `image_id` counts frames over all clips from 1, as the ground truth written from the same clips does.
    All joints lie in `keypoints`, 133 for whole bodies.

    Raises:
        ValueError: a clip of another layout.
    """
    path = Path(path)
    images = written = 0
    is_first = True
    with replacing(path) as part, part.open("w") as out:
        out.write("[\n")
        for labelled in clips:
            _expect_layout(labelled, layout)
            clip = labelled.clip
            boxes, means = _boxes(clip), _mean_scores(clip)
            joints = shortest(np.concatenate([zeroed(clip), clip.score[..., None]], axis=-1))
            for t, m in np.argwhere((clip.score > 0).any(axis=-1).T).tolist():
                result = {
                    "image_id": images + t + 1,
                    "category_id": 1,
                    "keypoints": joints[m, t].ravel().tolist(),
                    "score": means[m, t].item(),
                    "bbox": boxes[m, t].tolist(),
                    "track_id": int(clip.track_ids[m]),
                }
                _item(out, result, is_first)
                is_first = False
            images += clip.frames
            written += 1
        out.write("\n]\n")
    return written


def _expect_layout(labelled: LabelledClip, layout: Layout) -> None:
    clip = labelled.clip
    if clip.layout != layout:
        raise ValueError(f"clip {clip.clip_id!r} is {clip.layout.name}, the file {layout.name}; convert it")


def _item(out: IO[str], item: dict[str, Any], is_first: bool) -> None:
    out.write(("" if is_first else ",\n") + json.dumps(item))


def _video(labelled: LabelledClip, video_id: int) -> dict[str, Any]:
    video: dict[str, Any] = {"id": video_id, "name": labelled.clip.clip_id, "fps": str(labelled.clip.fps)}
    if labelled.label is not None:
        video["label"] = labelled.label
    if labelled.splits:
        video["splits"] = list(labelled.splits)
    return video


def _images(labelled: LabelledClip, before: int, video_id: int) -> Iterable[dict[str, Any]]:
    clip = labelled.clip
    for t, time_s in enumerate(clip.time_s.tolist()):
        yield {
            "id": before + t + 1,
            "file_name": f"{clip.clip_id}/{t:06d}.jpg",
            "height": clip.frame_hw[0],
            "width": clip.frame_hw[1],
            "video_id": video_id,
            "frame_id": t,
            "time_s": time_s,
        }


def _annotations(labelled: LabelledClip, images_before: int) -> Iterable[dict[str, Any]]:
    clip = labelled.clip
    visible = clip.score > 0
    joints = shortest(np.concatenate([zeroed(clip), 2 * visible[..., None].astype(np.float32)], axis=-1))
    scores, boxes, means = shortest(clip.score), _boxes(clip), _mean_scores(clip)
    parts = WHOLE_BODY if clip.layout.name == "coco_wholebody133" else (("keypoints", joints.shape[2]),)
    for t, m in np.argwhere(visible.any(axis=-1).T).tolist():
        flat = joints[m, t].ravel().tolist()
        annotation: dict[str, Any] = {"image_id": images_before + t + 1, "category_id": 1, "iscrowd": 0}
        start = 0
        for key, count in parts:
            annotation[key] = flat[3 * start : 3 * (start + count)]
            start += count
        annotation["num_keypoints"] = int(visible[m, t, : parts[0][1]].sum())
        annotation["bbox"] = boxes[m, t].tolist()
        annotation["area"] = annotation["bbox"][2] * annotation["bbox"][3]
        annotation["track_id"] = int(clip.track_ids[m])
        annotation["score"] = means[m, t].item()
        annotation["keypoint_scores"] = scores[m, t].tolist()
        yield annotation


def _boxes(clip: PoseClip) -> NDArray[np.float64]:
    """(M, T, 4) x, y, width, height of the clip's boxes, or of its joints where it has none."""
    corners = np.where(np.isfinite(clip.box_px), clip.box_px, boxes_around(clip.xy_px))
    corners = shortest(np.nan_to_num(corners))
    return np.concatenate([corners[..., :2], corners[..., 2:] - corners[..., :2]], axis=-1)


def _mean_scores(clip: PoseClip) -> NDArray[np.float64]:
    """(M, T) mean over the joints that were found, which COCO's evaluation ranks people by."""
    found = np.maximum((clip.score > 0).sum(axis=-1), 1)
    means: NDArray[np.float64] = np.round(clip.score.sum(axis=-1, dtype=np.float64) / found, 6)
    return means


def _person(layout: Layout) -> dict[str, Any]:
    """The category; whole-body annotations name, as COCO-WholeBody does, the 17 of `keypoints`."""
    joints = layout.joints[:17] if layout.name == "coco_wholebody133" else layout.joints
    return {
        "id": 1,
        "name": "person",
        "supercategory": "person",
        "keypoints": list(joints),
        "skeleton": [[a + 1, b + 1] for a, b in layout.limbs if max(a, b) < len(joints)],
    }
