"""COCO and mmpose JSON as COCO, COCO-WholeBody and mmpose write them."""

from __future__ import annotations

import json
from fractions import Fraction

import numpy as np
import pytest

from poses.clip import PoseClip
from poses.formats.coco import read_coco
from poses.formats.coco_writing import write_coco, write_coco_results
from poses.formats.mmpose_video import is_mmpose_video, read_mmpose_video
from poses.formats.record import FormatError, LabelledClip, boxes_around
from poses.layout import LAYOUTS, Layout

COCO = LAYOUTS["coco17"]
TWO = Layout("two", ("a", "b"), (0, 0), ((0, 1),), (1, 0))


def write(tmp_path, content):
    path = tmp_path / "x.json"
    path.write_text(content if isinstance(content, str) else json.dumps(content))
    return path


def truth(**changes):
    content = {
        "images": [{"id": 5, "file_name": "dir/photo.jpg", "height": 400, "width": 600}],
        "categories": [{"id": 1, "name": "person"}],
        "annotations": [
            {"id": 1, "image_id": 5, "category_id": 1, "bbox": [10, 20, 30, 40],
             "keypoints": [11, 21, 2, 0, 0, 0], "num_keypoints": 1, "area": 900, "iscrowd": 0},
            {"id": 2, "image_id": 5, "category_id": 1, "bbox": [1, 2, 3, 4],
             "keypoints": [12.5, 22, 1, 13, 23, 2], "num_keypoints": 2, "area": 9, "iscrowd": 0},
            {"id": 3, "image_id": 5, "category_id": 1, "bbox": [1, 2, 3, 4], "keypoints": [0] * 6,
             "num_keypoints": 0, "area": 9, "iscrowd": 1},
            {"id": 4, "image_id": 5, "category_id": 18, "bbox": [1, 2, 3, 4], "keypoints": [1] * 6},
            {"id": 6, "image_id": 5, "category_id": 1, "num_keypoints": 0, "iscrowd": 1},
        ],
    }  # fmt: skip
    return content | changes


def test_ground_truth_of_one_image(tmp_path):
    [labelled] = read_coco(write(tmp_path, truth()), TWO)
    clip = labelled.clip
    assert clip.clip_id == "dir/photo" and clip.frame_hw == (400, 600) and clip.frames == 1
    assert clip.persons == 2  # not the crowd, not the animal
    np.testing.assert_array_equal(
        clip.xy_px[:, 0], np.float32([[[11, 21], [np.nan] * 2], [[12.5, 22], [13, 23]]])
    )
    assert clip.score[:, 0].tolist() == [[1, 0], [1, 1]]  # v = 1 (hidden) counts as labelled
    assert clip.box_px[:, 0].tolist() == [[10, 20, 40, 60], [1, 2, 4, 6]]


def test_an_image_without_people_is_a_clip(tmp_path):
    content = truth(annotations=[])
    [labelled] = read_coco(write(tmp_path, content), TWO)
    assert labelled.clip.persons == 0 and labelled.clip.frames == 1


def test_results_with_and_without_their_images(tmp_path):
    results = tmp_path / "results.json"
    results.write_text(
        json.dumps(
            [
                {"image_id": 5, "category_id": 1, "keypoints": [11, 21, 0.9, 0, 0, 0], "score": 0.8},
                {"image_id": 5, "category_id": 2, "keypoints": [11, 21, 0.9, 0, 0, 0], "score": 0.8},
            ]
        )
    )
    [labelled] = read_coco(results, TWO, images=write(tmp_path, truth()))
    assert labelled.clip.clip_id == "dir/photo" and labelled.clip.frame_hw == (400, 600)
    assert labelled.clip.score[0, 0].tolist() == [np.float32(0.9), 0]
    assert labelled.clip.box_px[0, 0].tolist() == [11, 21, 11, 21]
    [labelled] = read_coco(results, TWO, frame_hw=(70, 50))
    assert labelled.clip.clip_id == "5" and labelled.clip.frame_hw == (70, 50)


def test_videos_by_frame_and_track(tmp_path):
    def image(number, frame):
        return {
            "id": number,
            "file_name": f"v/{number}.jpg",
            "height": 4,
            "width": 6,
            "vid_id": "v",
            "frame_id": frame,
        }

    def person(image_id, track):
        return {
            "image_id": image_id,
            "keypoints": [track, 1, 2, 0, 0, 0],
            "bbox": [0, 0, 1, 1],
            "track_id": track,
        }

    content = {
        "images": [image(3, 30), image(1, 10), image(2, 11)],
        "annotations": [person(1, 9), person(1, 4), person(2, 9), person(3, 4)],
    }
    [labelled] = read_coco(write(tmp_path, content), TWO, fps=Fraction(10))
    clip = labelled.clip
    assert clip.clip_id == "v" and clip.track_ids.tolist() == [4, 9] and clip.fps == 10
    np.testing.assert_allclose(clip.time_s, [0, 0.1, 2.0])
    assert (clip.score[:, :, 0] > 0).tolist() == [[True, False, True], [True, True, False]]
    assert labelled.notes == ()


def test_people_without_tracks_are_joined_by_position_and_noted(tmp_path):
    images = [
        {"id": n, "file_name": "x", "video_id": 1, "frame_id": n, "height": 9, "width": 9} for n in (0, 1)
    ]
    people = [{"image_id": n, "keypoints": [x, 1, 2, 0, 0, 0]} for n in (0, 1) for x in (5, 6)]
    [labelled] = read_coco(write(tmp_path, {"images": images, "annotations": people}), TWO)
    assert labelled.clip.xy_px[:, :, 0, 0].tolist() == [[5, 5], [6, 6]]
    assert any("joined by their position" in note for note in labelled.notes)
    assert any("30 frames per second" in note for note in labelled.notes)


@pytest.mark.parametrize(
    ("content", "words"),
    [
        ("{", "expected a JSON file"),
        ("[" * 100_000, "expected a JSON file"),
        ({"images": []}, "expected the key 'annotations'"),
        (truth(annotations=[{"keypoints": []}]), "expected the key 'image_id'"),
        (truth(annotations=[{"image_id": 5, "keypoints": ["a"] * 6}]), "expected a list of numbers"),
        (truth(annotations=[{"image_id": 5, "keypoints": [1] * 5}]), "expected x, y, v for each joint"),
        (
            truth(annotations=[{"image_id": 5, "keypoints": [1] * 51}]),
            r"layout two has 2 joints, the file has 17",
        ),
        (
            truth(annotations=[{"image_id": 5, "keypoints": [1] * 6, "bbox": [1]}]),
            "expected bbox x, y, width",
        ),
        (truth(annotations=[{"image_id": 6, "keypoints": [1] * 6}]), r"images that are not listed: \[6\]"),
        (truth(annotations=["a"]), "expected an object with 'image_id', got str"),
        (truth(annotations=[{"image_id": 5, "keypoints": [10**400] * 6}]), "too large"),
        (truth(images=[{"id": 5}]), "expected the key 'file_name'"),
        (truth(videos=[{"id": 1, "fps": "x"}]), "(?s).*"),
    ],
)
def test_wrong_files(tmp_path, content, words):
    if isinstance(content, dict) and "videos" in content:
        content["images"][0]["video_id"] = 1
        words = "expected the key 'name'"
    with pytest.raises(FormatError, match=words):
        list(read_coco(write(tmp_path, content), TWO))


def test_one_broken_clip_among_good_ones(tmp_path):
    content = truth()
    content["images"].append({"id": 6, "file_name": "good.jpg", "height": 4, "width": 6})
    content["annotations"][0]["keypoints"] = [1, 2]
    broken = {}
    clips = list(read_coco(write(tmp_path, content), TWO, on_broken=broken.__setitem__))
    assert [one.clip.clip_id for one in clips] == ["good"] and list(broken) == ["dir/photo"]


def make_clip(layout, persons=1):
    v = len(layout.joints)
    xy_px = np.arange(persons * 2 * v * 2, dtype=np.float32).reshape(persons, 2, v, 2) + np.float32(0.1)
    score = np.full((persons, 2, v), 0.25, np.float32)
    score[:, 1, 1:], xy_px[:, 1, 1:] = 0, np.nan
    return PoseClip(
        "dir/é",
        layout,
        xy_px,
        score,
        boxes_around(xy_px),
        np.array([0, 0.5]),
        (40, 30),
        Fraction(2),
        np.arange(persons),
    )


def test_what_is_written_key_by_key(tmp_path):
    write_coco(tmp_path / "x.json", [LabelledClip(make_clip(TWO), 3, ("train",))], TWO)
    content = json.loads((tmp_path / "x.json").read_text())
    assert content["videos"] == [{"id": 1, "name": "dir/é", "fps": "2", "label": 3, "splits": ["train"]}]
    assert content["categories"][0]["keypoints"] == ["a", "b"] and content["categories"][0]["skeleton"] == [
        [1, 2]
    ]
    assert content["images"][1] == {
        "id": 2, "file_name": "dir/é/000001.jpg", "height": 40, "width": 30, "video_id": 1, "frame_id": 1,
        "time_s": 0.5,
    }  # fmt: skip
    first, second = content["annotations"]
    assert first["keypoints"] == [0.1, 1.1, 2, 2.1, 3.1, 2] and first["num_keypoints"] == 2
    assert first["bbox"] == pytest.approx([0.1, 1.1, 2, 2]) and first["area"] == pytest.approx(4)
    assert second["keypoints"] == [4.1, 5.1, 2, 0, 0, 0] and second["num_keypoints"] == 1
    assert (second["image_id"], second["category_id"], second["iscrowd"], second["id"]) == (2, 1, 0, 2)
    write_coco_results(tmp_path / "r.json", [LabelledClip(make_clip(TWO))], TWO)
    results = json.loads((tmp_path / "r.json").read_text())
    assert results[0]["keypoints"] == [0.1, 1.1, 0.25, 2.1, 3.1, 0.25] and results[0]["score"] == 0.25
    assert [one["image_id"] for one in results] == [1, 2]


def test_whole_body_arrays(tmp_path):
    layout = LAYOUTS["coco_wholebody133"]
    write_coco(tmp_path / "x.json", [LabelledClip(make_clip(layout))], layout)
    annotation = json.loads((tmp_path / "x.json").read_text())["annotations"][0]
    sizes = {"keypoints": 17, "foot_kpts": 6, "face_kpts": 68, "lefthand_kpts": 21, "righthand_kpts": 21}
    assert {key: len(annotation[key]) // 3 for key in sizes} == sizes
    assert annotation["righthand_kpts"][-3:] == [264.1, 265.1, 2]
    [body] = read_coco(tmp_path / "x.json", COCO)
    assert body.clip.xy_px[0, 0, 16].tolist() == [np.float32(32.1), np.float32(33.1)]


@pytest.mark.shared
@pytest.mark.parametrize(("name", "layout"), [("coco", "coco17"), ("coco_wholebody", "coco_wholebody133")])
def test_real_samples(shared_dir, name, layout):
    path = shared_dir / "data" / "images" / f"{name}_keypoints.json"
    clips = {one.clip.clip_id: one.clip for one in read_coco(path, LAYOUTS[layout])}
    assert list(clips) == ["000000000785", "000000040083", "000000196141", "000000197388"]
    skier = clips["000000000785"]
    assert skier.persons == 1 and skier.frame_hw == (425, 640)
    assert (skier.score[0, 0, :17] > 0).sum() == 17
    assert clips["000000040083"].persons == 2
    raw = json.loads(path.read_text())["annotations"][0]["keypoints"]
    np.testing.assert_array_equal(skier.xy_px[0, 0, :17], np.float32(raw).reshape(17, 3)[:, :2])


def instance(x, bbox=None, **more):
    made = {"keypoints": [[x, 1.5], [x, 2.5]], "keypoint_scores": [0.9, 0.8], "bbox_score": 0.7}
    return made | ({} if bbox is None else {"bbox": bbox}) | more


@pytest.mark.parametrize("first", [0, 1])
@pytest.mark.parametrize("depth", [0, 1])
def test_mmpose_video_json_of_both_bases_and_box_depths(tmp_path, first, depth):
    box = [1, 2, 3, 4]
    frames = [
        {"frame_id": first, "instances": [instance(10, [box] if depth else box)]},
        {"frame_id": first + 1, "instances": []},
        {"frame_id": first + 3, "instances": [instance(12), instance(20)]},
    ]
    frames[2]["instances"] = [instance(12, box), instance(20, box)]
    path = write(tmp_path, {"meta_info": {}, "instance_info": frames} if first else frames)
    assert is_mmpose_video(path)
    [labelled] = read_mmpose_video(path, TWO, fps=Fraction(10), frame_hw=(40, 30))
    clip = labelled.clip
    assert clip.clip_id == "x" and clip.frame_hw == (40, 30)
    np.testing.assert_allclose(clip.time_s, [0, 0.1, 0.3])
    assert clip.persons == 2 and clip.box_px[0, 0].tolist() == box
    np.testing.assert_array_equal(
        clip.xy_px[:, :, 0, 0], np.float32([[10, np.nan, 12], [np.nan, np.nan, 20]])
    )


@pytest.mark.parametrize(
    ("content", "words"),
    [
        ([], "expected a list of frames"),
        ({"instance_info": 5}, "expected 'instance_info' to be list"),
        ([{"frame_id": 0}], "expected the key 'instances'"),
        ([{"frame_id": 0, "instances": []}] * 2, "frame_id 0 appears twice"),
        (
            [{"frame_id": 0, "instances": [{"keypoints": [[1, 2]]}]}],
            "layout two has 2 joints, the file has 1",
        ),
        (
            [{"frame_id": 0, "instances": [instance(1, keypoint_scores=[1])]}],
            "2 keypoints, 1 keypoint_scores",
        ),
        ([{"frame_id": 0, "instances": [instance(1, keypoints=[[1], [2]])]}], "pairs x, y"),
        ([{"frame_id": 0, "instances": [instance(1, [1, 2, 3])]}], "expected bbox x1"),
    ],
)
def test_wrong_mmpose_files(tmp_path, content, words):
    with pytest.raises(FormatError, match=words):
        list(read_mmpose_video(write(tmp_path, content), TWO))


def test_coco_is_not_taken_for_mmpose(tmp_path):
    assert not is_mmpose_video(write(tmp_path, truth()))
    assert not is_mmpose_video(write(tmp_path, [{"image_id": 1}]))
