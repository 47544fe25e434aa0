"""What class names mean, as vectors: one a class, made from its words by whoever made the file.

A `.npz` holds `actions` (names) and `vectors` (A, D). A plain `.npy` holds the vectors alone, in the order of
a label tree; MANet's of MA-52 (52, 300; the mean GloVe vector of each name's words) is such a file.
"""

from __future__ import annotations

import difflib
import zipfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from poses.whole_file import replacing

_BYTES_READABLE = 2**28


@dataclass(frozen=True, eq=False)
class LabelVectors:
    """A vector for every action; it checks itself once.

    Attributes:
        actions: names, each once.
        vectors: (A, D) float32.

    Raises:
        ValueError: shapes that do not agree, names that repeat, vectors that are not finite or 0; named.
    """

    actions: tuple[str, ...]
    vectors: NDArray[np.float32]

    def __post_init__(self) -> None:
        problems = []
        if self.vectors.ndim != 2 or len(self.vectors) != len(self.actions) or not self.vectors.size:
            problems.append(f"expected vectors ({len(self.actions)}, D), got {self.vectors.shape}")
        elif self.vectors.dtype != np.float32:
            problems.append(f"expected float32, got {self.vectors.dtype}")
        else:
            bad = ~np.isfinite(self.vectors).all(axis=1) | ~self.vectors.any(axis=1)
            if bad.any():
                names = [self.actions[row] for row in np.flatnonzero(bad)]
                problems.append(f"vectors that are 0 or not finite: {', '.join(names[:8])}")
        twice = sorted({name for name in self.actions if self.actions.count(name) > 1})
        if twice:
            problems.append(f"actions are there twice: {', '.join(twice[:8])}")
        if problems:
            raise ValueError("label vectors: " + "; ".join(problems))

    def of(self, actions: Sequence[str]) -> NDArray[np.float64]:
        """(A', D) vectors of these actions, each of length 1.

        Raises:
            ValueError: actions without a vector; named.
        """
        row_of = {name: row for row, name in enumerate(self.actions)}
        unknown = [name for name in actions if name not in row_of]
        if unknown:
            near = difflib.get_close_matches(unknown[0], self.actions, n=1)
            hint = f"; the nearest to the first is {near[0]!r}" if near else ""
            raise ValueError(f"no label vectors of {', '.join(map(repr, unknown[:8]))}{hint}")
        found = self.vectors[[row_of[name] for name in actions]].astype(np.float64)
        unit: NDArray[np.float64] = found / np.linalg.norm(found, axis=1, keepdims=True)
        return unit


def read_label_vectors(path: str | Path, actions: Sequence[str] = ()) -> LabelVectors:
    """Read label vectors.

    Args:
        path: a `.npz` with `actions` and `vectors`, or a `.npy` with the vectors alone.
        actions: names in the order of a `.npy`; a `.npz` brings its own.

    Raises:
        ValueError: it is neither, or its parts do not agree; names the file.
        OSError: it cannot be opened.
    """
    path = Path(path)
    try:
        if path.suffix.lower() == ".npz":
            names, vectors = _read_npz(path)
        else:
            if not actions:
                raise ValueError("expected the names of the actions beside a .npy, which has none; give them")
            names, vectors = tuple(actions), np.array(np.load(path, mmap_mode="r", allow_pickle=False))
        if vectors.dtype.kind != "f":
            raise ValueError(f"expected vectors of floats, got {vectors.dtype}")
        return LabelVectors(names, vectors.astype(np.float32))
    except (ValueError, EOFError, KeyError, MemoryError, zipfile.BadZipFile) as error:
        raise ValueError(f"{path}: no label vectors: {' '.join(str(error).split())[:300]}") from error


def _read_npz(path: Path) -> tuple[tuple[str, ...], NDArray[np.float32]]:
    with zipfile.ZipFile(path) as archive:
        size = sum(entry.file_size for entry in archive.infolist())
    if size > _BYTES_READABLE:
        raise ValueError(f"claims {size} bytes, at most {_BYTES_READABLE} are read")
    with np.load(path, allow_pickle=False) as file:
        missing = [name for name in ("actions", "vectors") if name not in file.files]
        if missing:
            raise ValueError(f"expected the arrays actions and vectors, {', '.join(missing)} missing")
        names, vectors = file["actions"], file["vectors"]
    if names.ndim != 1 or names.dtype.kind != "U":
        raise ValueError(f"expected actions as a list of text, got {names.dtype} {names.shape}")
    return tuple(map(str, names.tolist())), vectors


def write_label_vectors(path: str | Path, vectors: LabelVectors) -> None:
    """Write a `.npz` that `read_label_vectors` reads.

    Raises:
        OSError: no room, or no permission.
    """
    with replacing(Path(path)) as temporary, temporary.open("wb") as file:
        np.savez_compressed(file, actions=np.array(vectors.actions, np.str_), vectors=vectors.vectors)
