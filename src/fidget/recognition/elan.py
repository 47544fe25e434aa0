"""ELAN annotation files (.eaf, format 3.0): a tier per person and body group, times in milliseconds."""

from __future__ import annotations

import xml.etree.ElementTree as ET
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from urllib.parse import quote

from fidget.recognition.result import Person, Segment, VideoResult
from poses.whole_file import replacing

TYPE = "micro-action"
_SCHEMA = "http://www.mpi.nl/tools/elan/EAFv3.0.xsd"
_MIME = {".mp4": "video/mp4", ".m4v": "video/mp4", ".mov": "video/quicktime", ".mpg": "video/mpeg"}
_Placed = list[tuple[int, int, str]]  # start and end in milliseconds, and what is said


def write_eaf(path: Path, result: VideoResult, media: Path | None, media_start_s: float = 0.0) -> None:
    """Write the segments of a video for ELAN; the file is there whole or not at all.

    Annotations of one tier may not overlap in ELAN: where segments of a detector do, those behind the first
    go to a further tier of the same name and a number. What is unsure across body groups, or abstained, has
    a tier of its own.

    Args:
        path: of the file.
        result: what was recognised.
        media: the video that ELAN shall open; None for none.
        media_start_s: the time of the result at which that video begins.

    Raises:
        OSError: the place cannot be written.
    """
    root = ET.Element(
        "ANNOTATION_DOCUMENT",
        {
            "AUTHOR": "fidget recognize",
            "DATE": datetime.now(UTC).isoformat(timespec="seconds"),
            "FORMAT": "3.0",
            "VERSION": "3.0",
            "xmlns:xsi": "http://www.w3.org/2001/XMLSchema-instance",
            "xsi:noNamespaceSchemaLocation": _SCHEMA,
        },
    )
    _add_header(root, result, media, path)
    order = ET.SubElement(root, "TIME_ORDER")
    tiers = [
        (name, participant, placed)
        for person in result.persons
        for name, participant, placed in _tiers(person, result, media_start_s)
    ]
    for number, time_ms in enumerate(slots := _slots(tiers), 1):
        ET.SubElement(order, "TIME_SLOT", {"TIME_SLOT_ID": f"ts{number}", "TIME_VALUE": str(time_ms)})
    slot_of = {time_ms: f"ts{number}" for number, time_ms in enumerate(slots, 1)}
    _add_tiers(root, tiers, slot_of)
    ET.SubElement(
        root,
        "LINGUISTIC_TYPE",
        {"GRAPHIC_REFERENCES": "false", "LINGUISTIC_TYPE_ID": TYPE, "TIME_ALIGNABLE": "true"},
    )
    ET.indent(root)
    with replacing(path) as part:
        ET.ElementTree(root).write(part, encoding="UTF-8", xml_declaration=True)


def _add_header(root: ET.Element, result: VideoResult, media: Path | None, path: Path) -> None:
    """Unit, medium, and what the annotations come from."""
    header = ET.SubElement(root, "HEADER", {"MEDIA_FILE": "", "TIME_UNITS": "milliseconds"})
    if media is not None:
        ET.SubElement(
            header,
            "MEDIA_DESCRIPTOR",
            {
                "MEDIA_URL": _url(media.absolute()),
                "MIME_TYPE": _MIME.get(media.suffix.lower(), "video/*"),
                "RELATIVE_MEDIA_URL": _relative(media.absolute(), path.absolute().parent),
            },
        )
    for name, value in (("method", result.method), ("simulated", str(result.simulated).lower())):
        ET.SubElement(header, "PROPERTY", {"NAME": name}).text = _plain(value)


def _add_tiers(root: ET.Element, tiers: Sequence[tuple[str, str, _Placed]], slot_of: dict[int, str]) -> None:
    """The tiers with their annotations, numbered through."""
    annotation, used = 0, set[str]()
    for name, participant, placed in tiers:
        while name in used:  # groups whose names end in the number of a further tier
            name += "'"
        used.add(name)
        tier = ET.SubElement(
            root, "TIER", {"LINGUISTIC_TYPE_REF": TYPE, "PARTICIPANT": participant, "TIER_ID": name}
        )
        for start_ms, end_ms, words in placed:
            annotation += 1
            ids = {
                "ANNOTATION_ID": f"a{annotation}",
                "TIME_SLOT_REF1": slot_of[start_ms],
                "TIME_SLOT_REF2": slot_of[end_ms],
            }
            outer = ET.SubElement(tier, "ANNOTATION")
            ET.SubElement(ET.SubElement(outer, "ALIGNABLE_ANNOTATION", ids), "ANNOTATION_VALUE").text = words


def _tiers(person: Person, result: VideoResult, start_s: float) -> list[tuple[str, str, _Placed]]:
    """The tiers of a person: name, participant, annotations in order that do not overlap."""
    who = person.name
    by_group: dict[str, list[Segment]] = {}
    for one in person.segments:
        sure_group = "" if one.status == "sure" and not result.groups else "unsure"
        by_group.setdefault(one.group if one.group is not None else sure_group, []).append(one)
    order = [*result.groups, "", "unsure"]
    tiers = []
    for group in dict.fromkeys(order):  # a data set may have a group of this name
        if group not in by_group:
            continue
        for number, placed in enumerate(_apart(by_group[group], start_s), 1):
            name = f"{who} {group}".strip() + (f" {number}" if number > 1 else "")
            tiers.append((_plain(name), who, placed))
    return tiers


def _apart(segments: Sequence[Segment], start_s: float) -> list[_Placed]:
    """Annotations on as few tiers as are needed for none to overlap; each at least 1 ms long."""
    tiers: list[_Placed] = []
    for one in sorted(segments, key=lambda segment: segment.start_s):
        start_ms = max(0, round(1000 * (one.start_s - start_s)))
        end_ms = max(start_ms + 1, round(1000 * (one.end_s - start_s)))
        room = next((placed for placed in tiers if placed[-1][1] <= start_ms), None)
        if room is None:
            tiers.append(room := [])
        room.append((start_ms, end_ms, _plain(f"{one.words} ({one.probability:.2f})")))
    return tiers


def _slots(tiers: Sequence[tuple[str, str, _Placed]]) -> list[int]:
    """Every time once, rising."""
    return sorted({time for _, _, placed in tiers for start, end, _ in placed for time in (start, end)})


def _plain(text: str) -> str:
    """Without what XML 1.0 forbids: control characters, half surrogates, and two last code points."""
    return "".join(
        character if character.isprintable() or character in " \u00a0" else "\ufffd"
        for character in text
        if character not in "\ufffe\uffff"
    )


def _url(path: Path) -> str:
    return "file://" + quote(path.as_posix().encode("utf-8", "surrogateescape"))


def _relative(path: Path, directory: Path) -> str:
    import os

    return "./" + quote(Path(os.path.relpath(path, directory)).as_posix().encode("utf-8", "surrogateescape"))
