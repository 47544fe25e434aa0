from __future__ import annotations

import re
from dataclasses import replace
from pathlib import Path

import pytest

from poses.layout import LAYOUTS
from weights.manifest import (
    ArchiveMember,
    ManifestError,
    WheelMember,
    get_weight,
    group_names,
    load_manifest,
    read_manifest,
    select,
)
from weights.verify import file_sha256

ROW = """
[thing]
what = "a thing"
file = "thing.onnx"
groups = ["things"]
source = { kind = "https", url = "https://example.org/thing.onnx" }
sha256 = "unknown"
licence = "Apache-2.0"
licence_url = "https://example.org/licence"
attribution = "nobody"
input_hw = [256, 192]
colour = "rgb"
mean = [1.0, 2.0, 3.0]
std = [1.0, 1.0, 1.0]
decoding = "simcc"
simcc_split_ratio = 2.0
layout = "coco17"
"""


def read(tmp_path: Path, text: str):
    path = tmp_path / "manifest.toml"
    path.write_text(text, encoding="utf-8")
    return read_manifest(path)


def test_a_row_is_read_whole(tmp_path):
    row = read(tmp_path, ROW)["thing"]
    assert (row.name, row.input_hw, row.mean, row.groups) == (
        "thing",
        (256, 192),
        (1.0, 2.0, 3.0),
        ("things",),
    )
    assert row.source_kind == "https" and not row.sha256_is_known and row.container == "thing.onnx"


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ('colour = "rgb"', 'color = "rgb"', "unknown key 'color', did you mean 'colour'"),
        ('url = "https', 'uri = "https', "unknown key 'uri', did you mean 'url'"),
        ('what = "a thing"', "", "'what'"),
        ('kind = "https"', 'kind = "ftp"', "one of wheel, https, archive"),
        ('kind = "https", url', 'kind = "archive", url', "'member'"),
        ("https://example.org/thing", "http://example.org/thing", "begins with https://"),
        ('file = "thing.onnx"', 'file = "../thing.onnx"', "plain file name"),
        ('file = "thing.onnx"', 'file = ".hidden"', "plain file name"),
        ('sha256 = "unknown"', 'sha256 = "ABCDEF"', "64 lower-case hex"),
        (
            'sha256 = "unknown"',
            'sha256 = "unknown"\nsha256_prefix = "0676ba6"',
            "8 lower-case hex digits or more",
        ),
        ('sha256 = "unknown"', f'sha256 = "{"a" * 64}"\nsha256_prefix = "aaaaaaaa"', "only beside sha256"),
        ("groups = [", "groups = [] #", "at least one group"),
        ("[256, 192]", "[256, 0]", "input_hw = [height, width]"),
        ('colour = "rgb"', 'colour = "gbr"', "rgb or bgr"),
        ("std = [1.0, 1.0, 1.0]", "", "either mean and std, or value_range"),
        ("std = [1.0, 1.0, 1.0]", "std = [1.0, 0.0, 1.0]", "positive std"),
        ("mean = [1.0, 2.0, 3.0]", "mean = [1.0]", "three values each"),
        ("simcc_split_ratio = 2.0", "", "simcc_split_ratio with decoding"),
        ('decoding = "simcc"', "", "decoding beside input_hw"),
        ("input_hw = [256, 192]", "", "expected input_hw beside"),
        ("[thing]", "[Thing]", "lower-case letters"),
        ('groups = ["things"]', 'groups = ["thing"]', "also the name of a group"),
        ('licence_url = "https', 'licence_url = "ftp', "licence_url"),
        ("what =", "what", "expected TOML"),
    ],
)
def test_a_wrong_row_is_refused_by_name(tmp_path, old, new, said):
    assert old in ROW
    with pytest.raises(ManifestError) as caught:
        read(tmp_path, ROW.replace(old, new))
    assert said in str(caught.value) and "\n" not in str(caught.value)


@pytest.mark.parametrize("member", ["/etc/passwd", "../up", "a/../../b", "a\\b", ""])
def test_a_member_stays_inside_its_archive(member):
    with pytest.raises(ManifestError, match="relative path inside"):
        replace(get_weight("rtmpose_m"), source=ArchiveMember(url="https://example.org/a.zip", member=member))


def test_two_rows_cannot_share_a_file(tmp_path):
    with pytest.raises(ManifestError, match=r"\[thing\] and \[other\] both name the file thing.onnx"):
        read(tmp_path, ROW + ROW.replace("[thing]", "[other]"))


def test_the_shipped_rows_name_layouts_that_exist():
    named = {row.layout for row in load_manifest().values()} - {None}
    assert named == {"blazepose33", "coco17", "halpe26", "coco_wholebody133"}
    assert named <= set(LAYOUTS)


def test_every_top_down_row_is_fed_as_published():
    rows = [row for row in load_manifest().values() if row.decoding == "simcc"]
    assert len(rows) >= 16
    for row in rows:
        assert (row.colour, row.simcc_split_ratio) == ("rgb", 2.0), row.name
        assert row.mean == (123.675, 116.28, 103.53) and row.std == (58.395, 57.12, 57.375), row.name
        height, width = row.input_hw
        assert f"{height}x{width}" in row.source.url, row.name


@pytest.mark.parametrize("name", ["rtmdet_nano", "rtmdet_m"])
def test_rtmdet_is_fed_bgr(name):
    row = get_weight(name)
    assert row.colour == "bgr" and row.mean == (103.53, 116.28, 123.675)


@pytest.mark.parametrize(
    ("name", "side", "low"),
    [
        ("pose_detection", 224, -1.0),
        ("pose_landmark_full", 256, 0.0),
        ("palm_detection_full", 192, 0.0),
        ("hand_landmark_full", 224, 0.0),
        ("hand_recrop", 256, 0.0),
        ("face_detection_short_range", 128, -1.0),
        ("face_landmark", 192, 0.0),
    ],
)
def test_the_blaze_family_has_known_hashes_and_inputs(name, side, low):
    row = get_weight(name)
    assert (row.input_hw, row.value_range, row.colour) == ((side, side), (low, 1.0), "rgb")
    assert row.sha256_is_known and row.bytes and isinstance(row.source, WheelMember)
    assert "blazepose_wholebody" in row.groups


def test_names_of_files_that_end_with_digits_of_their_hash_have_them_verified():
    rows = [row for row in load_manifest().values() if {"rgb", "videomae"} & set(row.groups)]
    assert len(rows) >= 18
    for row in rows:
        stem = row.source.url.rsplit("/", 1)[1].rsplit(".", 1)[0]
        digits = re.search(r"-([0-9a-f]{8})$", stem)
        assert row.sha256_prefix == (digits and digits[1]), row.name
        assert ("videomae" in row.groups) == (row.licence == "CC-BY-NC-4.0"), row.name


def test_groups_and_names_are_selected_once_each_in_order():
    both = [row.name for row in select(["blazepose", "demo_portrait", "blazepose", "pose_detection"])]
    assert both == ["pose_detection", "pose_landmark_full", "demo_portrait"]
    assert len(select(["blazepose_wholebody"])) == 7
    assert {"blazepose", "blazepose_wholebody", "demo", "rtmpose"} <= set(group_names())


def test_an_unknown_name_is_answered_with_the_nearest():
    with pytest.raises(ManifestError, match="did you mean 'blazepose'"):
        select(["blazpose"])
    with pytest.raises(ManifestError, match="did you mean 'rtmpose_m'"):
        get_weight("rtmpos_m")
    with pytest.raises(ManifestError, match="known are c3d_sports1m, demo_astronaut"):
        get_weight("zzz")


@pytest.mark.shared
def test_the_published_rtmdet_nano_is_the_file_at_hand(shared_dir):
    row = get_weight("rtmdet_nano")
    path = shared_dir / "weights" / row.file
    assert file_sha256(path) == row.sha256 and path.stat().st_size == row.bytes
