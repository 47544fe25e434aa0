"""COCO keypoint JSON: ground truth and results, body (17) and whole body (133), as mmpose reads and writes.

Format: https://cocodataset.org/#format-data, https://github.com/jin-s13/COCO-WholeBody. COCO knows images,
not clips; the keys that add clips (`videos`, `video_id`, `frame_id`, `track_id`) are those of its video
offspring, and are left out without harm.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from fractions import Fraction
from pathlib import Path, PurePosixPath
from typing import Any

import numpy as np
from numpy.typing import NDArray

from poses.formats.people import Person, lasting_id, load_json, numbers, stack_people
from poses.formats.record import FormatError, LabelledClip, OnBroken, expect_joint_count, field_of
from poses.layout import Layout

_NUMBER = (int, float)
# The arrays whose concatenation is COCO-WholeBody's 133 joints, and how many joints each has.
WHOLE_BODY = (
    ("keypoints", 17), ("foot_kpts", 6), ("face_kpts", 68), ("lefthand_kpts", 21), ("righthand_kpts", 21),
)  # fmt: skip


def read_coco(
    path: str | Path,
    layout: Layout,
    fps: Fraction | None = None,
    frame_hw: tuple[int, int] | None = None,
    images: str | Path | None = None,
    on_broken: OnBroken | None = None,
) -> Iterator[LabelledClip]:
    """Read ground truth or results. The file is held in memory: JSON cannot be read by parts.

    Images of one video become the frames of a clip; an image without video is a clip of one frame, named by
    its file name without suffix. In ground truth every labelled joint (v = 1 or 2) has score 1, unless the
    annotation has `keypoint_scores`, as files from `write_coco` do. Annotations of other categories than
    person (1), and those without a joint, are left out.

    Args:
        path: the file.
        layout: the joint set; whole-body annotations are also read as `coco17`.
        fps: frame rate where the file's videos have none (30 where not given).
        frame_hw: frame size for results without `images`.
        images: for results, the ground-truth file whose `images` (and `videos`) they belong to.
        on_broken: called with clip id and problem instead of raising, for one bad clip among good.

    Raises:
        FormatError: not this format, or another number of joints.
    """
    path = Path(path)
    content = load_json(path)
    if isinstance(content, list):
        context = load_json(Path(images)) if images is not None else {}
        annotations = content
    else:
        context, annotations = content, field_of(content, "annotations", list, str(path))
    is_truth = not isinstance(content, list)
    for frames in _clips(context, annotations, path, is_truth):
        try:
            labelled = frames.read(layout, fps, frame_hw, path)
        except ValueError as error:
            if on_broken is None:
                raise
            on_broken(frames.clip_id, str(error))
            continue
        yield labelled


@dataclass
class _Frames:
    """The images of one clip, in order, with their annotations."""

    clip_id: str
    video: Mapping[str, Any] | None
    is_truth: bool
    images: list[Mapping[str, Any]] = field(default_factory=list)
    people: dict[Any, list[Any]] = field(default_factory=dict)

    def read(
        self, layout: Layout, fps: Fraction | None, frame_hw: tuple[int, int] | None, path: Path
    ) -> LabelledClip:
        where = f"{path}, {self.clip_id!r}"
        frames = [self._people(image, layout, where) for image in self.images]
        raw = stack_people(self.clip_id, layout, frames, where)
        video = self.video or {}
        sizes = {_size(image) for image in self.images}
        if len(sizes) > 1:
            raise FormatError(f"{where}: images of one video have several sizes: {sorted(map(str, sizes))}")
        raw.frame_hw = sizes.pop() or frame_hw
        raw.fps = _rate(video.get("fps"), where) or fps
        times = [image.get("time_s") for image in self.images]
        if all(isinstance(time_s, _NUMBER) for time_s in times):
            raw.time_s = np.array(times, np.float64)
        elif len(self.images) > 1:
            first = _frame_number(self.images[0])
            frame_numbers = np.array([_frame_number(image) - first for image in self.images])
            raw.time_s = frame_numbers / float(raw.fps or 30)
            if raw.fps is None:
                raw.notes.append("no frame rate in the file: 30 frames per second assumed")
        else:
            raw.time_s = np.zeros(1)
        label = video.get("label")
        splits = video.get("splits")
        return raw.finish(
            label if isinstance(label, int) and not isinstance(label, bool) else None,
            tuple(map(str, splits)) if isinstance(splits, list) else (),
        )

    def _people(self, image: Mapping[str, Any], layout: Layout, where: str) -> list[Person]:
        people = []
        for annotation in self.people.get(image.get("id"), []):
            # A crowd, or a person nobody labelled, may come without keypoints.
            is_empty = annotation.get("num_keypoints") == 0 and "keypoints" not in annotation
            if annotation.get("category_id", 1) == 1 and not is_empty:
                person = _person(
                    annotation, layout, self.is_truth, f"{where}, annotation {annotation.get('id', '')}"
                )
                if (person.joints[:, 2] > 0).any():
                    people.append(person)
        return people


def _clips(context: Any, annotations: list[Any], path: Path, is_truth: bool) -> Iterator[_Frames]:
    has_images = isinstance(context, Mapping) and "images" in context
    images = field_of(context, "images", list, str(path)) if has_images else None
    people: dict[Any, list[Any]] = {}
    for annotation in annotations:
        image_id = field_of(annotation, "image_id", (int, str), f"{path}, an annotation")
        people.setdefault(image_id, []).append(annotation)
    if images is None:
        images = [{"id": image_id, "file_name": str(image_id)} for image_id in people]
    videos = {}
    for video in field_of(context, "videos", list, str(path)) if "videos" in context else []:
        videos[field_of(video, "id", (int, str), f"{path}, a video")] = video
    clips: dict[tuple[str, Any], _Frames] = {}
    for image in images:
        image_id = field_of(image, "id", (int, str), f"{path}, an image")
        video_id = image.get("video_id", image.get("vid_id"))
        if not isinstance(video_id, int | str | None):
            raise FormatError(f"{path}: expected video_id as a number or text, got {video_id!r}")
        key = ("image", image_id) if video_id is None else ("video", video_id)
        if key not in clips:
            video = videos.get(video_id)
            name = field_of(video, "name", str, f"{path}, a video") if video else _image_name(image, path)
            clips[key] = _Frames(name, video, is_truth)
        clips[key].images.append(image)
        clips[key].people[image_id] = people.pop(image_id, [])
    if people:
        raise FormatError(f"{path}: annotations of images that are not listed: {list(people)[:5]}")
    for frames in clips.values():
        if len(frames.images) > 1:
            frames.images.sort(key=_frame_number)
        yield frames


def _image_name(image: Mapping[str, Any], path: Path) -> str:
    name = PurePosixPath(field_of(image, "file_name", str, f"{path}, image {image.get('id')!r}"))
    video = image.get("video_id", image.get("vid_id"))
    return str(name.with_suffix("") if name.name else name) if video is None else str(video)


def _frame_number(image: Mapping[str, Any]) -> int:
    number = image.get("frame_id", image.get("id"))
    return number if isinstance(number, int) else 0


def _size(image: Mapping[str, Any]) -> tuple[int, int] | None:
    height, width = image.get("height"), image.get("width")
    return (height, width) if isinstance(height, int) and isinstance(width, int) else None


def _rate(value: object, where: str) -> Fraction | None:
    if value is None:
        return None
    try:
        rate = Fraction(value) if isinstance(value, str | int) else Fraction(str(value))
    except (ValueError, ZeroDivisionError):
        raise FormatError(f"{where}: expected fps as a number or a fraction, got {value!r}") from None
    return rate


def _person(annotation: Mapping[str, Any], layout: Layout, is_truth: bool, where: str) -> Person:
    joints = _joints(annotation, layout, where)
    scores = annotation.get("keypoint_scores")
    if is_truth:  # v is 0 (not labelled), 1 (hidden) or 2
        joints[:, 2] = np.minimum(joints[:, 2], 1)
        if scores is not None:
            exact = numbers(scores, f"{where}, keypoint_scores")
            if layout.name == "coco17" and "face_kpts" in annotation:
                exact = exact[: len(joints)]  # of a whole body, the body
            if len(exact) != len(joints):
                raise FormatError(f"{where}: {len(joints)} keypoints, {len(exact)} keypoint_scores")
            joints[:, 2] = np.where(joints[:, 2] > 0, exact, 0)
    return Person(joints, _box(annotation.get("bbox"), where), lasting_id(annotation.get("track_id")))


def _joints(annotation: Mapping[str, Any], layout: Layout, where: str) -> NDArray[np.float32]:
    """(V, 3) x, y, v or score."""
    keys: list[str] = ["keypoints"]
    if "face_kpts" in annotation and layout.name != "coco17":
        keys = [key for key, _ in WHOLE_BODY]
    parts = [numbers(field_of(annotation, key, list, where), f"{where}, {key}") for key in keys]
    flat = np.concatenate(parts)
    if len(flat) % 3:
        raise FormatError(f"{where}: expected x, y, v for each joint, got {len(flat)} numbers")
    expect_joint_count(len(flat) // 3, layout, where)
    return flat.reshape(-1, 3).astype(np.float32)


def _box(value: object, where: str) -> tuple[float, float, float, float] | None:
    """COCO's x, y, width, height as two corners."""
    if value is None:
        return None
    corner = numbers(value, f"{where}, bbox")
    if len(corner) != 4:
        raise FormatError(f"{where}: expected bbox x, y, width, height, got {len(corner)} numbers")
    x, y, width, height = corner.tolist()
    return x, y, x + width, y + height
