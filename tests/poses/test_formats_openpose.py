"""The OpenPose folder as OpenPose writes it."""

from __future__ import annotations

import json
from fractions import Fraction

import numpy as np
import pytest

from poses.clip import PoseClip
from poses.formats.openpose import escape_name, read_openpose, unescape_name, write_openpose
from poses.formats.record import FormatError, LabelledClip, boxes_around
from poses.layout import LAYOUTS, Layout

# One person of BODY_25, as in OpenPose's documentation: x, y, c a joint, zeros where missing.
BODY = [0.0] * 75
BODY[0:3] = [582.349, 507.866, 0.845918]
BODY[12:15] = [746.975, 631.307, 0.587007]  # joint 4, right wrist
BODY[-3:] = [1.5, 2.5, 0.25]  # right heel


def person(body=None, **more):
    made = {
        "person_id": [-1], "pose_keypoints_2d": BODY if body is None else body, "face_keypoints_2d": [],
        "hand_left_keypoints_2d": [], "hand_right_keypoints_2d": [], "pose_keypoints_3d": [],
    }  # fmt: skip
    return made | more


def write(folder, name, *people):
    folder.mkdir(parents=True, exist_ok=True)
    (folder / name).write_text(json.dumps({"version": 1.3, "people": list(people)}))


def test_values(tmp_path):
    write(tmp_path, "video_000000000000_keypoints.json", person())
    write(tmp_path, "video_000000000001_keypoints.json")
    write(tmp_path, "video_000000000003_keypoints.json", person())
    [labelled] = read_openpose(tmp_path, LAYOUTS["openpose25"], Fraction(10), (1080, 1920))
    clip = labelled.clip
    assert clip.clip_id == "video" and clip.persons == 1 and clip.frame_hw == (1080, 1920)
    np.testing.assert_allclose(clip.time_s, [0, 0.1, 0.3])
    assert clip.xy_px[0, 0, 4].tolist() == [np.float32(746.975), np.float32(631.307)]
    assert clip.score[0, 0, 24] == 0.25 and clip.score[0, 0, 1] == 0 and not clip.score[0, 1].any()


def test_body_18_is_told_by_its_length(tmp_path):
    write(tmp_path, "v_000000000000_keypoints.json", person([1.0, 2.0, 0.5] * 18))
    [eighteen] = read_openpose(tmp_path, LAYOUTS["openpose18"])
    assert (eighteen.clip.score > 0).all()
    [coco] = read_openpose(tmp_path, LAYOUTS["coco17"])
    assert (coco.clip.score > 0).all()
    assert any("30 frames per second" in note for note in coco.notes)
    assert any("no frame size" in note for note in coco.notes)


def test_faces_and_hands(tmp_path):
    def flat(count, start):
        return [value for n in range(count) for value in (start + n, 1.0, 0.5)]

    parts = {
        "face_keypoints_2d": flat(70, 1000),
        "hand_left_keypoints_2d": flat(21, 2000),
        "hand_right_keypoints_2d": flat(21, 3000),
    }
    write(tmp_path, "v_000000000000_keypoints.json", person(**parts))
    layout = LAYOUTS["coco_wholebody133"]
    clip = next(read_openpose(tmp_path, layout)).clip
    x = clip.xy_px[0, 0, :, 0]
    assert x[layout.index("face-0")] == 1000 and x[layout.index("face-67")] == 1067
    assert x[layout.index("left_hand_root")] == 2000 and x[layout.index("left_pinky_finger4")] == 2020
    assert x[layout.index("right_forefinger1")] == 3005
    assert x[layout.index("right_wrist")] == np.float32(746.975) and x[layout.index("right_heel")] == 1.5
    tips = next(read_openpose(tmp_path, LAYOUTS["openpose28"])).clip
    assert tips.xy_px[0, 0, 18:, 0].tolist() == [2004, 2008, 2012, 2016, 2020, 3004, 3008, 3012, 3016, 3020]


def test_people_without_ids_are_joined_by_position_and_noted(tmp_path):
    for frame in range(2):
        write(tmp_path, f"v_{frame:012d}_keypoints.json", person(), person())
    [labelled] = read_openpose(tmp_path, LAYOUTS["openpose25"])
    assert labelled.clip.persons == 2 and any("position" in note for note in labelled.notes)
    for frame, ids in enumerate([(5, 3), (3, 5)]):
        write(tmp_path, f"v_{frame:012d}_keypoints.json", *(person(person_id=[n]) for n in ids))
    [labelled] = read_openpose(tmp_path, LAYOUTS["openpose25"])
    assert labelled.clip.track_ids.tolist() == [3, 5] and not any("position" in n for n in labelled.notes)


def test_clips_of_a_tree(tmp_path):
    for name in (
        "one/one_000000000000",
        "one/two_000000000000",
        "deep/dir/x_y_000000000007",
        "lone",
        "é%20_00",
    ):
        file = tmp_path / f"{name}_keypoints.json"
        write(file.parent, file.name, person())
    (tmp_path / "notes.txt").write_text("not a frame")
    ids = [one.clip.clip_id for one in read_openpose(tmp_path, LAYOUTS["openpose25"])]
    assert ids == ["lone", "é ", "deep/dir/x_y", "one", "one/two"]


@pytest.mark.parametrize(
    ("content", "words"),
    [
        ("[", "expected a JSON file"),
        ("[]", "expected an object with 'people'"),
        ('{"people": 5}', "expected 'people' to be list"),
        ('{"people": [5]}', "expected people as objects"),
        ('{"people": [{"pose_keypoints_2d": [1, 2]}]}', r"expected 75 numbers \(BODY_25\) or 54 \(COCO-18\)"),
        ('{"people": [{"pose_keypoints_2d": "abc"}]}', "expected 75 numbers|expected a list of numbers"),
        ('{"people": [{"pose_keypoints_2d": 5}]}', r"v_000000000000_keypoints\.json"),
        (
            '{"people": [{"hand_left_keypoints_2d": [1, 2, 3]}]}',
            "expected 63 numbers in hand_left_keypoints_2d",
        ),
    ],
)
def test_wrong_files(tmp_path, content, words):
    write(tmp_path / "good", "good_000000000000_keypoints.json", person())
    (tmp_path / "v_000000000000_keypoints.json").write_text(content)
    with pytest.raises(FormatError, match=words):
        list(read_openpose(tmp_path, LAYOUTS["openpose25"]))
    broken = {}
    clips = list(read_openpose(tmp_path, LAYOUTS["openpose25"], on_broken=broken.__setitem__))
    assert [one.clip.clip_id for one in clips] == ["good"] and list(broken) == ["v"]


def test_wrong_folders_and_layouts(tmp_path):
    with pytest.raises(FormatError, match="found none"):
        list(read_openpose(tmp_path, LAYOUTS["openpose25"]))
    write(tmp_path, "v_000000000000_keypoints.json", person())
    tail = Layout("tail", ("tail",), (0,), (), (0,))
    with pytest.raises(ValueError, match="into 'tail'"):
        list(read_openpose(tmp_path, tail, on_broken=lambda *_: None))


def make_clip(clip_id, layout):
    v = len(layout.joints)
    xy_px = np.arange(2 * v * 2, dtype=np.float32).reshape(1, 2, v, 2) + np.float32(0.1)
    score = np.full((1, 2, v), 0.25, np.float32)
    xy_px[0, 1], score[0, 1] = np.nan, 0
    return LabelledClip(
        PoseClip(
            clip_id,
            layout,
            xy_px,
            score,
            boxes_around(xy_px),
            np.arange(2.0),
            (9, 9),
            Fraction(1),
            np.array([4]),
        )
    )


def test_what_is_written(tmp_path):
    assert write_openpose(tmp_path / "o", [make_clip("dir/clip", LAYOUTS["coco_wholebody133"])]) == 1
    files = sorted(path.relative_to(tmp_path / "o").as_posix() for path in (tmp_path / "o").rglob("*.json"))
    assert files == [f"dir/clip/clip_{frame:012d}_keypoints.json" for frame in range(2)]
    first, second = (json.loads((tmp_path / "o" / file).read_text()) for file in files)
    assert first["version"] == 1.3 and second == {"version": 1.3, "people": []}
    [one] = first["people"]
    assert one["person_id"] == [4]
    sizes = {key: len(values) for key, values in one.items() if key.endswith("_2d")}
    assert sizes == {
        "pose_keypoints_2d": 75, "face_keypoints_2d": 210,
        "hand_left_keypoints_2d": 63, "hand_right_keypoints_2d": 63,
    }  # fmt: skip
    assert one["pose_keypoints_2d"][:3] == [0.1, 1.1, 0.25]
    assert one["face_keypoints_2d"][-6:] == [0] * 6  # the pupils, which the layout does not have
    assert one["pose_keypoints_3d"] == []


def test_the_body_that_is_written(tmp_path):
    for name, body, count in [
        ("coco17", None, 75), ("openpose18", None, 54), ("openpose28", None, 54),
        ("coco17", "openpose18", 54),
    ]:  # fmt: skip
        out = tmp_path / f"{name}-{body}"
        write_openpose(out, [make_clip("c", LAYOUTS[name])], LAYOUTS[body] if body else None)
        content = json.loads((out / "c" / "c_000000000000_keypoints.json").read_text())
        assert len(content["people"][0]["pose_keypoints_2d"]) == count
        assert content["people"][0]["face_keypoints_2d"] == []


def test_a_folder_with_something_in_it_is_refused(tmp_path):
    (tmp_path / "x").write_text("mine")
    with pytest.raises(ValueError, match="expected an empty directory"):
        write_openpose(tmp_path, [])


AWKWARD = [
    "..",
    ".",
    "",
    "new\nline",
    'q"uote',
    "per%cent",
    "%41",
    "C:\\x",
    "é漢😀",
    "\udce9",
    "...",
    "\x7f",
]


@pytest.mark.parametrize("name", AWKWARD)
def test_names_for_every_file_system(name):
    escaped = escape_name(name)
    assert unescape_name(escaped) == name
    assert escaped not in ("", ".", "..") and not set(escaped) & set('<>:"|?*\\\n/\x7f')
    escaped.encode()


@pytest.mark.parametrize(
    "clip_id", ["../../escape", "/absolute", "a//b", "..", "trailing/", "x" * 240, "dir/" + "é" * 110]
)
def test_clip_ids_stay_inside_the_folder_and_come_back(tmp_path, clip_id):
    out = tmp_path / "in" / "out"
    write_openpose(out, [make_clip(clip_id, LAYOUTS["openpose25"])])
    assert [path.name for path in tmp_path.iterdir()] == ["in"]
    assert [path.name for path in (tmp_path / "in").iterdir()] == ["out"]
    [labelled] = read_openpose(out, LAYOUTS["openpose25"])
    assert labelled.clip.clip_id == clip_id
