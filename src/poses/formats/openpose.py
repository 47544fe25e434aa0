"""The folder OpenPose's `--write_json` fills: one JSON a frame, people with body, face and hands.

Keys: https://github.com/CMU-Perceptual-Computing-Lab/openpose, doc/02_output.md. Each clip is the files of
one stem, `<stem>_<frame, 12 digits>_keypoints.json`; a clip id with directories becomes directories.
"""

from __future__ import annotations

import json
import os
import re
from collections.abc import Iterable, Iterator, Mapping
from fractions import Fraction
from pathlib import Path
from typing import Any
from urllib.parse import unquote

import numpy as np
from numpy.typing import NDArray

from poses.clip import PoseClip
from poses.formats.people import Person, lasting_id, load_json, numbers, stack_people
from poses.formats.record import FormatError, LabelledClip, OnBroken, field_of, shortest, zeroed
from poses.layout import LAYOUTS, Layout, convert

_FILE = re.compile(
    r"(?:(?P<stem>.*)_)?(?P<frame>\d+)_keypoints\.json|(?P<lone>.+)_keypoints\.json", re.DOTALL
)
_WHOLE = LAYOUTS["coco_wholebody133"].joints
# OpenPose's 70 face points are the 68 of COCO-WholeBody and two pupils; its hands are the same 21.
_EXTRAS = {
    "face_keypoints_2d": (*_WHOLE[23:91], "left_pupil", "right_pupil"),
    "hand_left_keypoints_2d": _WHOLE[91:112],
    "hand_right_keypoints_2d": _WHOLE[112:133],
}
_BODIES = {len(LAYOUTS[name].joints): LAYOUTS[name].joints for name in ("openpose25", "openpose18")}
# What a file or directory name cannot hold on some system, the escape sign itself, and undecodable bytes.
_NOT_IN_NAMES = re.compile(r'[\x00-\x1f\x7f<>:"|?*\\%\ud800-\udfff]')
_STEM_BYTES, _LONG_STEM = 200, "frame"


def read_openpose(
    path: str | Path,
    layout: Layout,
    fps: Fraction | None = None,
    frame_hw: tuple[int, int] | None = None,
    on_broken: OnBroken | None = None,
) -> Iterator[LabelledClip]:
    """Read all clips below a directory, one in memory at a time.

    BODY_25 and COCO-18 bodies are told apart by their length. Joints are taken by name, so `layout` may be
    `openpose25`, `openpose18`, `openpose28` (with hand tips), `coco_wholebody133` (with face and hands) or
    any that OpenPose's joints cover. The files have no frame size and no frame rate, and `person_id` is
    mostly -1: then people are joined by their position in each frame, and a note says so.

    Args:
        path: the directory.
        layout: the joint set wanted.
        fps: frame rate (30 where not given); the frame number over it is the time.
        frame_hw: frame size; without it, the smallest that holds all joints.
        on_broken: called with clip id and problem instead of raising, for one bad clip among good.

    Raises:
        FormatError: no such files, or a file that is not this format.
        ValueError: OpenPose's joints do not cover the layout.
    """
    root = Path(path)
    widest = _native(25)
    nobody = np.zeros((0, len(widest.joints), 2))
    convert(nobody, nobody[..., 0], widest, layout)  # refuses a layout that OpenPose does not cover
    for clip_id, files in find_clips(root):
        try:
            labelled = _read_clip(clip_id, files, layout, fps, frame_hw)
        except ValueError as error:
            if on_broken is None:
                raise
            on_broken(clip_id, str(error))
            continue
        yield labelled


def find_clips(root: Path) -> Iterator[tuple[str, dict[int, Path]]]:
    """Clip ids and their files by frame number, below a directory.

    Raises:
        FormatError: there are none.
    """
    is_empty = True
    for directory, folders, names in os.walk(root):
        folders.sort()
        clips = _clips(root, Path(directory), names)
        is_empty = is_empty and not clips
        yield from sorted(clips.items())
    if is_empty:
        raise FormatError(
            f"{root}: expected files named <clip>_000000000000_keypoints.json below it, found none"
        )


def _clips(root: Path, directory: Path, names: list[str]) -> dict[str, dict[int, Path]]:
    """Clip id -> frame number -> file, of one directory."""
    inside = [unescape_name(part) for part in directory.relative_to(root).parts]
    clips: dict[str, dict[int, Path]] = {}
    for name in names:
        match = _FILE.fullmatch(name)
        if match is None:
            continue
        stem = unescape_name(match["lone"] or match["stem"] or "")
        # `clip/clip_0..0_keypoints.json` is the clip `clip`, as is `clip/frame_0..0_keypoints.json`.
        is_leaf = bool(inside) and stem in ("", _LONG_STEM, inside[-1])
        clip_id = "/".join(inside if is_leaf else [*inside, stem or root.name])
        clips.setdefault(clip_id, {})[int(match["frame"] or 0)] = directory / name
    return clips


def _read_clip(
    clip_id: str,
    files: dict[int, Path],
    layout: Layout,
    fps: Fraction | None,
    frame_hw: tuple[int, int] | None,
) -> LabelledClip:
    order = sorted(files)
    contents = [load_json(files[number]) for number in order]
    people = [field_of(c, "people", list, str(files[n])) for n, c in zip(order, contents, strict=True)]
    body = _body(people, f"{clip_id!r}, first at {files[order[0]]}")
    native = _native(body)
    frames = [
        [_person(person, native, body, str(files[number])) for person in row]
        for number, row in zip(order, people, strict=True)
    ]
    raw = stack_people(clip_id, native, frames, str(files[order[0]].parent))
    raw.fps, raw.frame_hw = fps, frame_hw
    if fps is None:
        raw.notes.append("no frame rate in the files: 30 frames per second assumed")
    raw.time_s = np.array(order) / float(fps or 30)
    raw.xy, raw.score = convert(
        raw.xy, raw.score if raw.score is not None else raw.xy[..., 0], native, layout
    )
    raw.layout = layout
    return raw.finish()


def _flat(person: Mapping[str, Any], key: str) -> Any:
    """The array of a key; OpenPose before 1.2 wrote it without `_2d`."""
    return person.get(key) or person.get(key.removesuffix("_2d")) or []


def _body(people: list[list[Any]], where: str) -> int:
    """Number of body joints: 25 or 18."""
    bodies = [
        _flat(person, "pose_keypoints_2d") for row in people for person in row if isinstance(person, dict)
    ]
    sizes = {len(numbers(body, f"{where}, pose_keypoints_2d")) for body in bodies}
    sizes -= {0}
    if not sizes:
        return 25
    if len(sizes) > 1 or min(sizes) % 3 or min(sizes) // 3 not in _BODIES:
        raise FormatError(
            f"{where}: expected 75 numbers (BODY_25) or 54 (COCO-18) as pose_keypoints_2d, got {sizes}"
        )
    return min(sizes) // 3


def _native(body: int) -> Layout:
    """Everything OpenPose names, as one layout that exists only while reading."""
    joints = _BODIES[body] + sum(_EXTRAS.values(), ())
    own = tuple(range(len(joints)))
    return Layout(f"OpenPose's {body} body joints, face and hands", joints, own, (), own)


def _person(person: Any, native: Layout, body: int, where: str) -> Person:
    if not isinstance(person, dict):
        raise FormatError(f"{where}: expected people as objects, got {type(person).__name__}")
    joints = np.zeros((len(native.joints), 3), np.float32)
    start = 0
    for key, count in {"pose_keypoints_2d": body, **{k: len(v) for k, v in _EXTRAS.items()}}.items():
        flat = numbers(_flat(person, key), f"{where}, {key}")
        if len(flat) not in (0, 3 * count):
            raise FormatError(f"{where}: expected {3 * count} numbers in {key}, got {len(flat)}")
        if len(flat):
            joints[start : start + count] = flat.reshape(count, 3)
        start += count
    ids = person.get("person_id")
    return Person(joints, None, lasting_id(ids[0] if isinstance(ids, list) and ids else ids))


def write_openpose(directory: str | Path, clips: Iterable[LabelledClip], body: Layout | None = None) -> int:
    """Write one JSON a frame, one clip in memory at a time; how many clips were written.

    Poses are converted to `body` (openpose25; openpose18 where the clip is openpose18 or 28); face and hand
    points follow where the clip's layout has them. Missing joints are 0, 0, 0. `person_id` is the track id.

    Raises:
        ValueError: the directory is not empty, or the clip's layout does not cover the body.
    """
    root = Path(directory)
    root.mkdir(parents=True, exist_ok=True)
    if any(root.iterdir()):
        raise ValueError(f"{root}: expected an empty directory, it has files in it; name another")
    written = 0
    for labelled in clips:
        clip = labelled.clip
        folder = root.joinpath(*map(escape_name, clip.clip_id.split("/")))
        folder.mkdir(parents=True, exist_ok=True)
        stem = folder.name if len(os.fsencode(folder.name)) <= _STEM_BYTES else _LONG_STEM
        target = (
            body
            or LAYOUTS["openpose18" if clip.layout.name in ("openpose18", "openpose28") else "openpose25"]
        )
        for t, people in enumerate(_people(clip, target)):
            content = json.dumps({"version": 1.3, "people": people})
            (folder / f"{stem}_{t:012d}_keypoints.json").write_text(content)
        written += 1
    return written


def escape_name(name: str) -> str:
    """One part of a clip id as a name every file system takes; bytes become `%XX`, nothing becomes `%`."""

    def escaped(match: re.Match[str]) -> str:
        return "".join(f"%{byte:02X}" for byte in os.fsencode(match[0]))

    name = _NOT_IN_NAMES.sub(escaped, name)
    if set(name) <= {"."}:  # the directory itself, its parent, or nothing
        return "%2E" * len(name) or "%"
    return name


def unescape_name(name: str) -> str:
    """The part of a clip id that `escape_name` made a name of."""
    return "" if name == "%" else unquote(name, errors="surrogateescape")


def _people(clip: PoseClip, body: Layout) -> Iterator[list[dict[str, Any]]]:
    """Frame by frame, the people in it."""
    xy_px, score = convert(clip.xy_px, clip.score, clip.layout, body)
    groups = {"pose_keypoints_2d": _xyc(xy_px, score)}  # (M, T, V, 3)
    native = _xyc(zeroed(clip), clip.score)
    for key, names in _EXTRAS.items():
        group = np.zeros((clip.persons, clip.frames, len(names), 3))
        known = [name in clip.layout.joints for name in names]
        group[:, :, known] = native[
            :, :, [clip.layout.joints.index(n) for n in names if n in clip.layout.joints]
        ]
        groups[key] = group if any(known) else group[:, :, :0]
    for t in range(clip.frames):
        present = np.flatnonzero((clip.score[:, t] > 0).any(axis=-1)).tolist()
        yield [
            {"person_id": [int(clip.track_ids[m])]}
            | {key: group[m, t].ravel().tolist() for key, group in groups.items()}
            | dict.fromkeys((key.replace("_2d", "_3d") for key in groups), ())
            for m in present
        ]


def _xyc(xy_px: NDArray[np.float32], score: NDArray[np.float32]) -> NDArray[np.float64]:
    """(M, T, V, 3) x, y, score, zeros where missing, in numbers that print briefly."""
    return shortest(np.concatenate([np.nan_to_num(xy_px), score[..., None]], axis=-1))
