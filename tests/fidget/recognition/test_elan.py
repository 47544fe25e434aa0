"""The annotation file as ELAN's schema (EAF 3.0) wants it, and read back."""

from __future__ import annotations

import re
import xml.etree.ElementTree as ET
from itertools import pairwise
from pathlib import Path
from urllib.parse import unquote

import pytest
from tests.fidget.recognition.recognition_samples import HOSTILE, person, result_of, segment

from fidget.recognition.elan import write_eaf

ORDER = ("HEADER", "TIME_ORDER", "TIER", "LINGUISTIC_TYPE")
REQUIRED = {
    "ANNOTATION_DOCUMENT": {"DATE", "AUTHOR", "VERSION"},
    "HEADER": set(),
    "MEDIA_DESCRIPTOR": {"MEDIA_URL", "MIME_TYPE"},
    "PROPERTY": set(),
    "TIME_ORDER": set(),
    "TIME_SLOT": {"TIME_SLOT_ID"},
    "TIER": {"TIER_ID", "LINGUISTIC_TYPE_REF"},
    "ANNOTATION": set(),
    "ALIGNABLE_ANNOTATION": {"ANNOTATION_ID", "TIME_SLOT_REF1", "TIME_SLOT_REF2"},
    "ANNOTATION_VALUE": set(),
    "LINGUISTIC_TYPE": {"LINGUISTIC_TYPE_ID"},
}
ID = re.compile(r"[A-Za-z_][\w.-]*")  # xsd:ID, without the colon


def read_eaf(path: Path) -> dict[str, list[tuple[int, int, str]]]:
    """Tiers of an .eaf, checked as the schema asks and as ELAN needs them: in order, without overlap."""
    root = ET.parse(path).getroot()
    assert root.tag == "ANNOTATION_DOCUMENT"
    for element in root.iter():
        assert element.tag in REQUIRED, element.tag
        assert REQUIRED[element.tag] <= set(element.attrib), element.tag
    places = [ORDER.index(child.tag) for child in root]
    assert places == sorted(places) and {0, 1, 3} <= set(places)
    assert root.find("HEADER").get("TIME_UNITS") == "milliseconds"
    types = {one.get("LINGUISTIC_TYPE_ID") for one in root.findall("LINGUISTIC_TYPE")}
    slots = {one.get("TIME_SLOT_ID"): int(one.get("TIME_VALUE")) for one in root.find("TIME_ORDER")}
    assert list(slots.values()) == sorted(slots.values()) and min(slots.values(), default=0) >= 0
    ids = [*slots, *(one.get("ANNOTATION_ID") for one in root.iter("ALIGNABLE_ANNOTATION"))]
    assert len(set(ids)) == len(ids) and all(ID.fullmatch(one) for one in ids)
    tiers: dict[str, list[tuple[int, int, str]]] = {}
    for tier in root.findall("TIER"):
        assert tier.get("LINGUISTIC_TYPE_REF") in types and tier.get("TIER_ID") not in tiers
        found = [
            (slots[one.get("TIME_SLOT_REF1")], slots[one.get("TIME_SLOT_REF2")], one[0].text)
            for one in tier.iter("ALIGNABLE_ANNOTATION")
        ]
        assert all(start < end for start, end, _ in found)
        assert all(a[1] <= b[0] for a, b in pairwise(found))
        tiers[tier.get("TIER_ID")] = found
    return tiers


def test_a_tier_for_each_person_and_group(tmp_path) -> None:
    unsure = segment(
        4, 5, None, status="unsure", group="head", words="unsure between nodding and bowing head"
    )
    result = result_of(
        person(3, segment(1.0004, 2.5), segment(2.5, 4, "waving"), unsure, segment(5, 6, None)),
        person(7, segment(1, 2)),
    )
    write_eaf(tmp_path / "talk.eaf", result, None)
    tiers = read_eaf(tmp_path / "talk.eaf")
    assert list(tiers) == ["person 3 head", "person 3 arms", "person 3 unsure", "person 7 head"]
    assert tiers["person 3 head"] == [
        (1000, 2500, "nodding (0.80)"),
        (4000, 5000, "unsure between nodding and bowing head (0.80)"),
    ]
    assert tiers["person 3 unsure"] == [(5000, 6000, "not sure enough to say (0.80)")]


def test_segments_that_overlap_get_a_tier_more(tmp_path) -> None:
    result = result_of(person(3, segment(1, 4), segment(2, 3), segment(3.5, 5)))
    write_eaf(tmp_path / "talk.eaf", result, None)
    tiers = read_eaf(tmp_path / "talk.eaf")
    assert [len(found) for found in tiers.values()] == [1, 2]
    assert list(tiers) == ["person 3 head", "person 3 head 2"]


def test_no_two_tiers_have_one_name(tmp_path) -> None:
    segments = (segment(1, 4), segment(2, 3), segment(1, 2, "waving", group="head 2"))
    write_eaf(tmp_path / "talk.eaf", result_of(person(3, *segments), groups=("head", "head 2")), None)
    assert list(read_eaf(tmp_path / "talk.eaf")) == ["person 3 head", "person 3 head 2", "person 3 head 2'"]


def test_times_are_those_of_the_medium(tmp_path) -> None:
    media = tmp_path / "a b?" / "vidéo.mp4"
    write_eaf(tmp_path / "talk.eaf", result_of(person(3, segment(1, 2))), media, media_start_s=1.0)
    assert read_eaf(tmp_path / "talk.eaf")["person 3 head"][0][:2] == (0, 1000)
    named = ET.parse(tmp_path / "talk.eaf").getroot().find("HEADER/MEDIA_DESCRIPTOR")
    assert unquote(named.get("MEDIA_URL")) == f"file://{media}" and named.get("MIME_TYPE") == "video/mp4"
    assert unquote(named.get("RELATIVE_MEDIA_URL")) == "./a b?/vidéo.mp4"


@pytest.mark.parametrize("groups", [((), ()), (("unsure", HOSTILE), (0, 0, 1))])
def test_hostile_names_and_trees_without_groups(tmp_path, groups) -> None:
    names, of = groups
    one = segment(1, 2, HOSTILE, group=names[1] if names else None, words=HOSTILE)
    two = segment(2, 3, None)
    result = result_of(person(3, one, two), groups=names, group_of=of, method=HOSTILE)
    write_eaf(tmp_path / "talk.eaf", result, None)
    tiers = read_eaf(tmp_path / "talk.eaf")
    assert len(tiers) == 2 and sum(map(len, tiers.values())) == 2
    assert any("<b>&\"'" in text for found in tiers.values() for _, _, text in found)


def test_nobody_gives_a_file_without_tiers(tmp_path) -> None:
    write_eaf(tmp_path / "talk.eaf", result_of(), None)
    assert read_eaf(tmp_path / "talk.eaf") == {}
