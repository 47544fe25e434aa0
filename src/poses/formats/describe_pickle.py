"""Say in plain words what a skeleton pickle holds, and what is wrong with it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from poses.formats.describe import Description, in_range, plain_axes, value_in_words
from poses.formats.pyskl import annotation_id, split_annotations
from poses.formats.record import FormatError
from poses.layout import LAYOUTS
from poses.restricted_pickle import MAX_BYTES, load_pickle


def describe_pickle(path: str | Path, max_bytes: int = MAX_BYTES) -> Description:
    """Describe a pyskl or mmaction2 pickle, or any pickle of plain data.

    Raises:
        UnsafePickleError: the pickle holds more than plain data, or is damaged.
    """
    content = load_pickle(path, max_bytes)
    try:
        annotations, _ = split_annotations(content, str(path))
    except FormatError as error:
        return Description(
            "a pickle, but no skeleton annotations", axes=plain_axes(content), problems=[str(error)]
        )
    dicts = [one for one in annotations if isinstance(one, dict)]
    if dicts and not any("keypoint" in one or "raw_file" in one for one in dicts[:100]):
        keys = sorted({str(key) for one in dicts[:100] for key in one})
        hint = "these are prediction results" if "pred_score" in keys else "no annotation has 'keypoint'"
        return Description(
            "a list of dicts, but no skeleton annotations", axes=plain_axes(content), problems=[hint]
        )
    description = Description("pyskl / mmaction2 skeleton pickle", clips=len(annotations))
    if isinstance(content, dict) and "annotations" in content:
        _describe_splits(content.get("split"), dicts, description)
    elif len(annotations) == 1 and isinstance(content, dict):
        description.kind += ", one clip"
    else:
        description.kind += ", a bare list without splits"
    if len(dicts) < len(annotations):
        description.problems.append(f"{len(annotations) - len(dicts)} annotations are no dicts")
    _describe_annotations(dicts, description)
    return description


def _describe_splits(splits: Any, annotations: Sequence[dict[Any, Any]], description: Description) -> None:
    if not isinstance(splits, dict) or not splits:
        description.notes.append("'split' is missing or empty: no clip belongs to a split")
        return
    members = {
        str(name): list(map(str, ids)) for name, ids in splits.items() if isinstance(ids, list | tuple)
    }
    sizes = ", ".join(f"{name} {len(ids):,}" for name, ids in members.items())
    description.axes["split"] = f"{len(members)} lists of clip ids: {sizes}"
    known = {annotation_id(one, "") for one in annotations} | {
        str(one.get("filename")) for one in annotations
    }
    for name, ids in members.items():
        absent = [clip_id for clip_id in ids if clip_id not in known]
        if absent:
            description.problems.append(
                f"split {name} lists {len(absent)} clips that are not there: {absent[:3]}"
            )


def _describe_annotations(annotations: Sequence[dict[Any, Any]], description: Description) -> None:
    ids = Counter(annotation_id(one, f"annotation {n}") for n, one in enumerate(annotations))
    double = [clip_id for clip_id, count in ids.items() if count > 1]
    if double:
        description.problems.append(f"{len(double)} clip ids are there twice: {double[:3]}")
    keys = list(dict.fromkeys(str(key) for one in annotations[:1000] for key in one))
    for key in keys:
        values = [one[key] for one in annotations if one.get(key) is not None]
        if key == "keypoint":
            _describe_keypoint(values, description)
        else:
            description.axes[key] = _values_in_words(key, values)
        if 0 < len(values) < len(annotations):
            to = description.problems if key == "keypoint" else description.notes
            to.append(f"{len(annotations) - len(values)} clips have no {key!r}")
    if "raw_file" in keys:
        description.problems.append(
            "the compressed form, whose keypoints lie in the files that raw_file names; "
            "expand it with pyskl's DecompressPose"
        )
        return
    if "keypoint_score" not in keys:
        description.notes.append("no keypoint_score: an import takes 1 where a joint is not at 0, 0")
    if "img_shape" not in keys and "original_shape" not in keys:
        description.notes.append(
            "no img_shape: an import needs --frame-size, or takes the smallest that fits"
        )
    if "label" not in keys:
        description.notes.append("no label: good for inference only")
    _compare_shapes(annotations, description)


def _compare_shapes(annotations: Sequence[dict[Any, Any]], description: Description) -> None:
    wrong_frames, wrong_scores, above, flat = [], [], 0, 0
    for n, one in enumerate(annotations):
        keypoint: Any = one.get("keypoint")
        score: Any = one.get("keypoint_score")
        if not _is_keypoint(keypoint):
            continue
        clip_id = annotation_id(one, f"annotation {n}")
        frames = one.get("total_frames")
        if isinstance(frames, int | np.integer) and frames != keypoint.shape[1]:
            wrong_frames.append(clip_id)
        if isinstance(score, np.ndarray) and score.dtype.kind in "iuf":
            if score.shape[:3] != keypoint.shape[:3]:
                wrong_scores.append(clip_id)
            above += bool(score.size) and bool(np.nanmax(score) > 1)
        flat += not np.any(np.nan_to_num(keypoint))
    for clip_ids, what in (
        (wrong_frames, "total_frames that differ from keypoint's frames"),
        (wrong_scores, "a keypoint_score whose shape differs from keypoint's"),
    ):
        if clip_ids:
            description.problems.append(f"{len(clip_ids)} clips have {what}: {clip_ids[:3]}")
    if above:
        description.notes.append(f"{above} clips have scores above 1, which an import sets to 1")
    if flat:
        description.notes.append(f"{flat} clips have nobody in them: all keypoints are 0")


def _is_keypoint(value: Any) -> bool:
    return isinstance(value, np.ndarray) and value.ndim == 4 and value.dtype.kind in "iuf"


def _describe_keypoint(values: Sequence[Any], description: Description) -> None:
    arrays = [one for one in values if _is_keypoint(one)]
    if len(arrays) < len(values):
        example = next(one for one in values if not _is_keypoint(one))
        description.problems.append(
            f"{len(values) - len(arrays)} keypoints are no array (M, T, V, C), as {value_in_words(example)}"
        )
    if not arrays:
        return
    largest = max(
        (float(np.nanmax(np.abs(a.astype(np.float32)), initial=0)) for a in arrays if a.size), default=0
    )
    joints, channels = {a.shape[2] for a in arrays}, {a.shape[3] for a in arrays}
    unit = "fractions, not pixels" if 0 < largest < 4 else "pixels"
    meaning = (
        {2: f"x, y {unit}", 3: "x, y, z"}.get(min(channels), "unknown") if len(channels) == 1 else "mixed"
    )
    description.axes["keypoint"] = (
        f"{_dtypes(arrays)} (M={in_range(a.shape[0] for a in arrays)} persons, "
        f"T={in_range(a.shape[1] for a in arrays)} frames, V={in_range(joints)} joints, "
        f"C={in_range(channels)}: {meaning})"
    )
    fitting = [name for name, layout in LAYOUTS.items() if joints == {len(layout.joints)}]
    description.axes["joints"] = (
        f"as many as in {', '.join(fitting)}" if fitting else "as many as in no known layout"
    )
    if len(joints) > 1:
        description.problems.append(f"clips have different numbers of joints: {sorted(joints)}")
    if channels == {3}:
        description.notes.append("points in space (x, y, z): the cache has a third coordinate")
    if any(a.dtype == np.float16 for a in arrays) and largest > 512:
        description.notes.append(
            "float16: coordinates above 512 are off by up to 0.25 px, above 1024 by 0.5 px"
        )
    if 0 < largest < 4:
        description.notes.append(f"coordinates look normalised (largest {largest:.3g}), not pixels")


def _values_in_words(key: str, values: Sequence[Any]) -> str:
    if values and all(isinstance(value, np.ndarray) for value in values):
        axes = " (M, T, V)" if key == "keypoint_score" else ""
        filled = [value for value in values if value.size and value.dtype.kind in "iuf"]
        ends = [(float(np.nanmin(value)), float(np.nanmax(value))) for value in filled]
        span = f", {min(low for low, _ in ends):.4g} to {max(high for _, high in ends):.4g}" if ends else ""
        return f"{_dtypes(values)} array{axes}{span}"
    if values and all(isinstance(value, int | np.integer) for value in values):
        return f"whole numbers {in_range(values)}, {len(set(map(int, values)))} different"
    if values and all(isinstance(value, tuple | list) and len(value) <= 4 for value in values):
        sizes = Counter(map(str, values)).most_common(3)
        order = " (height, width)" if key in ("img_shape", "original_shape") else ""
        return f"{order.strip()} {len(set(map(str, values)))} different, mostly {sizes[0][0]}".strip()
    return value_in_words(values[0]) if values else "always None"


def _dtypes(arrays: Iterable[np.ndarray[Any, Any]]) -> str:
    return " or ".join(sorted({str(array.dtype) for array in arrays}))
