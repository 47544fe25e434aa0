"""The annotation pickle of pyskl and mmaction2: 2D skeletons, one dict per clip.

Keys after pyskl's tools/data/README.md and mmaction2's tools/data/skeleton/README.md (docs/formats.md).
"""

from __future__ import annotations

import io
import pickle
from collections.abc import Iterable, Iterator, Sequence
from fractions import Fraction
from pathlib import Path
from typing import Any, BinaryIO, Literal

import numpy as np

from poses.formats.record import (
    SPATIAL_FRAME_HW,
    FormatError,
    LabelledClip,
    OnBroken,
    RawClip,
    expect_joint_count,
    field_of,
    zeroed,
)
from poses.layout import Layout
from poses.restricted_pickle import MAX_BYTES, load_pickle
from poses.whole_file import replacing

# Protocol 3 has no frames, so that pieces can be joined, and every Python 3 reads it.
_PROTOCOL = 3


def read_pyskl(
    path: str | Path,
    layout: Layout,
    fps: Fraction | None = None,
    frame_hw: tuple[int, int] | None = None,
    on_broken: OnBroken | None = None,
    max_bytes: int = MAX_BYTES,
) -> Iterator[LabelledClip]:
    """Read a pickle of annotations (with or without splits), or a directory of one-clip pickles.

    The file has no joint names and no frame rate: `layout` and `fps` (30 where not given, noted) say them.
    Missing joints and padded people (score 0, or exactly 0, 0 without scores) become NaN or are dropped.

    Args:
        path: a `.pkl` file, or a directory of them.
        layout: the joint set of the file.
        fps: frame rate of the videos.
        frame_hw: used where an annotation has no `img_shape`.
        on_broken: called with clip id and problem instead of raising, for one bad annotation among good.
        max_bytes: largest file that is opened.

    Raises:
        UnsafePickleError: the pickle holds more than plain data.
        FormatError: not this format, another number of joints, or compressed.
    """
    path = Path(path)
    files = sorted(path.rglob("*.pkl")) if path.is_dir() else [path]
    if not files:
        raise FormatError(f"{path}: expected .pkl files in the directory, found none")
    for file in files:
        try:
            annotations, splits_of = split_annotations(load_pickle(file, max_bytes), str(file))
        except ValueError as error:
            if on_broken is None or file is path:
                raise
            on_broken(file.stem, str(error))
            continue
        for index, annotation in enumerate(annotations):
            clip_id = annotation_id(annotation, f"{file.stem}-{index}")
            try:
                raw = _raw_clip(annotation, clip_id, layout, f"{file}, {clip_id!r}")
                raw.fps, raw.frame_hw = fps, raw.frame_hw or frame_hw
                splits = splits_of.get(clip_id) or splits_of.get(str(annotation.get("filename")), ())
                yield raw.finish(_label(annotation), splits)
            except _WholeFile:
                raise
            except ValueError as error:
                if on_broken is None:
                    raise
                on_broken(clip_id, str(error))


class _WholeFile(FormatError):
    """Nothing in the file can be read: no use going on with the next annotation."""


def split_annotations(content: Any, where: str) -> tuple[Sequence[Any], dict[str, tuple[str, ...]]]:
    """The annotations of any of the three forms, and clip id -> names of its splits."""
    if isinstance(content, dict) and "annotations" in content:
        annotations = field_of(content, "annotations", (list, tuple), where)
        splits_of: dict[str, tuple[str, ...]] = {}
        splits = content.get("split")
        splits = {} if splits is None else splits
        if not isinstance(splits, dict):
            raise FormatError(f"{where}: expected 'split' to be a dict of lists, got {type(splits).__name__}")
        for split, members in splits.items():
            listed = members.ravel() if isinstance(members, np.ndarray) else members
            for member in listed if isinstance(listed, list | tuple | np.ndarray) else ():
                splits_of[str(member)] = (*splits_of.get(str(member), ()), str(split))
        return annotations, splits_of
    if isinstance(content, dict) and ("keypoint" in content or "frame_dir" in content):
        return [content], {}
    if isinstance(content, list | tuple) and all(isinstance(item, dict) for item in content):
        return content, {}
    found = f"a dict with {sorted(map(str, content))[:8]}" if isinstance(content, dict) else _kind(content)
    raise FormatError(
        f"{where}: expected a dict with 'annotations', a list of annotations or one annotation, got {found}"
    )


def annotation_id(annotation: Any, otherwise: str) -> str:
    """The clip's identifier: `frame_dir`, else `filename`, else `otherwise`."""
    if isinstance(annotation, dict):
        for key in ("frame_dir", "filename"):
            if isinstance(annotation.get(key), str) and annotation[key]:
                return str(annotation[key])
    return otherwise


def _kind(value: Any) -> str:
    return f"{value.dtype} {value.shape}" if isinstance(value, np.ndarray) else type(value).__name__


def _raw_clip(annotation: Any, clip_id: str, layout: Layout, where: str) -> RawClip:
    keypoint = annotation.get("keypoint") if isinstance(annotation, dict) else None
    if keypoint is None and isinstance(annotation, dict) and "raw_file" in annotation:
        raise _WholeFile(
            f"{where}: this is the compressed form (frame_inds, raw_file), its keypoints lie in other files; "
            "expand it with pyskl's DecompressPose and save the annotations with 'keypoint'"
        )
    keypoint = field_of(annotation, "keypoint", np.ndarray, where)
    if keypoint.ndim != 4 or keypoint.dtype.kind not in "fiu":
        raise FormatError(f"{where}: expected keypoint (persons, frames, joints, 2), got {_kind(keypoint)}")
    if keypoint.shape[-1] not in (2, 3):
        raise FormatError(f"{where}: expected x, y or x, y, z a joint, got keypoint {keypoint.shape}")
    try:
        expect_joint_count(keypoint.shape[2], layout, where)
    except FormatError as error:
        raise _WholeFile(str(error)) from None
    score = _score(annotation, keypoint, where)
    frames = annotation.get("total_frames")
    if frames is not None and _whole_number(frames) != keypoint.shape[1]:
        raise FormatError(
            f"{where}: total_frames is {frames}, keypoint has {keypoint.shape[1]} frames; correct one of them"
        )
    raw = RawClip(clip_id, layout, keypoint[..., :2], score)
    raw.frame_hw = _frame_hw(annotation, where)
    if keypoint.shape[-1] == 3:
        raw.z = keypoint[..., 2]
        raw.frame_hw = raw.frame_hw or SPATIAL_FRAME_HW
    if score is None:
        raw.notes.append("no keypoint_score: 1 where a joint is not at 0, 0")
    if keypoint.dtype == np.float16:
        raw.notes.append("float16 coordinates: steps of up to 0.5 px above 512 and 1 px above 1024")
    return raw


def _score(annotation: dict[str, Any], keypoint: np.ndarray[Any, Any], where: str) -> Any:
    if annotation.get("keypoint_score") is None:
        return None
    score = field_of(annotation, "keypoint_score", np.ndarray, where)
    if score.shape == (*keypoint.shape[:-1], 1):
        score = score[..., 0]
    if score.shape != keypoint.shape[:-1] or score.dtype.kind not in "fiub":
        raise FormatError(f"{where}: expected keypoint_score {keypoint.shape[:-1]}, got {_kind(score)}")
    return score


def _whole_number(value: Any) -> int | None:
    return int(value) if isinstance(value, int | np.integer) and not isinstance(value, bool) else None


def _label(annotation: dict[str, Any]) -> int | None:
    return _whole_number(annotation.get("label"))


def _frame_hw(annotation: dict[str, Any], where: str) -> tuple[int, int] | None:
    shape = annotation.get("img_shape")
    if shape is None:
        shape = annotation.get("original_shape")
    if shape is None:
        return None
    listed = shape.ravel() if isinstance(shape, np.ndarray) else shape
    sizes = [_whole_number(size) for size in listed] if isinstance(listed, list | tuple | np.ndarray) else []
    if len(sizes) < 2 or sizes[0] is None or sizes[1] is None or min(sizes[0], sizes[1]) < 1:
        raise FormatError(f"{where}: expected img_shape (height, width), got {shape!r}")
    return sizes[0], sizes[1]


def write_pyskl(
    path: str | Path,
    clips: Iterable[LabelledClip],
    form: Literal["dict", "list"] = "dict",
    dtype: type[np.float16] | type[np.float32] = np.float32,
) -> int:
    """Write the pickle pyskl and mmaction2 train from, one clip in memory at a time; how many were written.

    `form` "dict" has `split` and `annotations`, "list" the bare annotations. Missing joints are exactly 0, 0
    with score 0; a clip without people has one person of zeros, which both toolboxes accept. It loads with
    numpy 1 and 2. float16 halves the file and rounds to 0.5 px above 512 and 1 px above 1024.

    Raises:
        ValueError: two clips with the same id.
    """
    splits: dict[str, list[str]] = {}
    seen: set[str] = set()
    path = Path(path)
    with replacing(path) as part, part.open("wb") as file:
        # Pickle's own instructions: a dict, opened; its key; a list; items appended one by one.
        file.write(pickle.PROTO + bytes([_PROTOCOL]))
        file.write(pickle.EMPTY_DICT + pickle.MARK + _body("annotations") if form == "dict" else b"")
        file.write(pickle.EMPTY_LIST)
        for labelled in clips:
            clip_id = labelled.clip.clip_id
            if clip_id in seen:
                raise ValueError(f"{path}: two clips have the id {clip_id!r}; ids must be unique")
            seen.add(clip_id)
            for split in labelled.splits:
                splits.setdefault(split, []).append(clip_id)
            _append(file, _annotation(labelled, dtype))
        if form == "dict":
            file.write(_body("split") + _body(splits) + pickle.SETITEMS)
        file.write(pickle.STOP)
    return len(seen)


def _append(file: BinaryIO, annotation: dict[str, Any]) -> None:
    file.write(_body(annotation) + pickle.APPEND)


def _annotation(labelled: LabelledClip, dtype: type[np.floating[Any]]) -> dict[str, Any]:
    clip = labelled.clip
    persons = max(clip.persons, 1)
    keypoint = np.zeros((persons, clip.frames, len(clip.layout.joints), 2), dtype)  # (M, T, V, 2)
    score = np.zeros(keypoint.shape[:-1], dtype)
    if clip.persons:
        keypoint[:], score[:] = zeroed(clip), clip.score
    annotation: dict[str, Any] = {
        "frame_dir": clip.clip_id,
        "total_frames": clip.frames,
        "img_shape": clip.frame_hw,
        "original_shape": clip.frame_hw,
        "keypoint": keypoint,
        "keypoint_score": score,
        "num_person_raw": clip.persons,
    }
    if labelled.label is not None:
        annotation["label"] = labelled.label
    return annotation


class _PlainPickler(pickle.Pickler):
    """Pickles arrays through `numpy.ndarray` itself: the usual way names a module numpy 1 does not have."""

    def reducer_override(self, obj: object) -> Any:
        if isinstance(obj, np.ndarray):
            plain = np.ascontiguousarray(obj)
            state = (1, plain.shape, plain.dtype, False, plain.tobytes())
            return np.ndarray, ((0,), plain.dtype), state
        return NotImplemented


def _body(value: object) -> bytes:
    """The instructions that build `value`, without the pickle's first two bytes and its end mark.

    Each body sets its memo entries before it gets them, so that bodies can follow one another.
    """
    buffer = io.BytesIO()
    _PlainPickler(buffer, _PROTOCOL).dump(value)
    return buffer.getvalue()[2:-1]
