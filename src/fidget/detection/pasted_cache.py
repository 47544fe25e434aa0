"""Pasted tracks on disk: a pose cache and its table, to be trained with as recordings are."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

from fidget.benchmark.simulator.simulate import write_beside
from fidget.detection.pasted_clips import PastedTrack, pasted_tracks, table_of_tracks
from poses.cache_reader import PoseCache
from poses.cache_schema import SourceStamp
from poses.cache_writer import CacheWriter
from poses.encoding import encode_clip
from protocols.clip_table import ClipTable
from protocols.detection_table import DetectionTable
from protocols.instances_csv import instances_csv


def write_pasted(
    directory: Path | str,
    cache: PoseCache,
    table: ClipTable,
    number: int,
    clips_a_track: tuple[int, int] = (2, 5),
    pause_s: float = 1.0,
    seed: int = 0,
    split: str = "train",
) -> DetectionTable:
    """Write `pasted_tracks` as a pose cache, whose settings say so, and `<directory>-detection.csv`.

    One track is in memory at a time; tracks that are there already are not written again.

    Args:
        directory: of the new cache.
        cache: of the trimmed clips; its settings and models are kept beside what is added.
        table: as of `pasted_tracks`, likewise all that follows.
        number: of tracks.
        clips_a_track: fewest and most.
        pause_s: mean length of the pauses.
        seed: of all draws.
        split: whose clips are taken, and which the tracks are of.

    Returns:
        What happens in them.

    Raises:
        CacheMismatchError: the directory holds tracks that were made otherwise.
        NotACacheError: it holds something else.
        ValueError: as of `pasted_tracks`, or a table of other content is there.
        OSError: the place is read-only or full.
    """
    made = {
        "pasted": number,
        "pasted_clips": f"{clips_a_track[0]}..{clips_a_track[1]}",
        "pasted_pause_s": repr(pause_s),
        "pasted_seed": seed,
        "pasted_split": split,
        "simulated": "true" if table.simulated else "false",
    }
    metadata = replace(cache.metadata, settings={**cache.metadata.settings, **made})
    nowhere = SourceStamp("pasted", 0, 0)
    with CacheWriter(Path(directory), metadata) as writer:

        def written() -> Iterator[PastedTrack]:
            for track in pasted_tracks(cache, table, number, clips_a_track, pause_s, seed, split):
                if track.clip.clip_id not in writer:
                    writer.add(encode_clip(track.clip, nowhere))
                yield track

        found = table_of_tracks(written(), table, split)
    write_beside(Path(directory), "detection", instances_csv(found))
    return found
