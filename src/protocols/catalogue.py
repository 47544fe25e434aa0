"""Protocols by name: a data set's own, or a labels CSV."""

from __future__ import annotations

import difflib
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from pathlib import Path

from protocols import jhmdb, nw_ucla
from protocols.clip_tables import KINDS, protocol_of_files
from protocols.labels_csv import read_labels_csv
from protocols.protocol import Protocol

# Name -> what makes the protocol of a cache's clip ids. A data set is one file and its lines here.
PROTOCOLS: Mapping[str, Callable[[Sequence[str]], Protocol]] = {
    **{name: partial(nw_ucla.nw_ucla, name=name) for name in nw_ucla.VARIANTS},
    **{name: partial(jhmdb.jhmdb, name=name) for name in jhmdb.VARIANTS},
}


def find_protocol(name_or_path: str | Path, clip_ids: Sequence[str], without_poses: bool = False) -> Protocol:
    """The protocol of a name in `PROTOCOLS`, or of a labels CSV.

    Args:
        name_or_path: such as `nw_ucla`, `labels.csv`, or `labels.csv:xsub` for the splits `xsub_train`,
            `xsub_val` and `xsub_test` of that file; or `ma52:DIR` for a data set that is read from files
            (`protocols.clip_tables` has their names).
        clip_ids: of the cache; the protocol's clips are among them.
        without_poses: take clips of a file that are not in the cache too, for who counts them himself.

    Raises:
        ValueError: no such name or file (names the nearest); clips that do not belong to the data set.
    """
    text = str(name_or_path)
    if text in PROTOCOLS:
        return PROTOCOLS[text](clip_ids)
    if text.partition(":")[0] in KINDS and not Path(text).exists():
        return protocol_of_files(text, clip_ids, without_poses)
    path, prefix = Path(text), ""
    if not path.exists() and ".csv:" in text:
        stem, _, prefix = text.rpartition(":")
        path = Path(stem)
    if path.is_file():
        return read_labels_csv(
            path, f"{prefix}_" if prefix else "", clip_ids=None if without_poses else clip_ids
        )
    near = difflib.get_close_matches(text.partition(":")[0], [*PROTOCOLS, *KINDS], n=1)
    hint = f"did you mean {near[0]!r}? " if near else ""
    raise ValueError(
        f"no protocol {text!r}, and no such file: {hint}expected one of {', '.join(PROTOCOLS)}, "
        f"a CSV with the columns clip_id, label, split, or NAME:PATH with one of {', '.join(KINDS)}"
    )
