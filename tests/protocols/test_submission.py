from __future__ import annotations

import csv
import io
import zipfile

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from protocols.detections import Detections, read_detections, write_detections
from protocols.label_tree import LabelTree
from protocols.scores import ScoreFile
from protocols.submission import (
    best,
    best_of_video,
    cut_to_video,
    group_scores,
    write_detection,
    write_recognition,
)
from protocols.submission_check import check_submission
from protocols.submission_format import FORMATS, Expected, official, read_expected
from protocols.trees import tree

CLIPS = 5586
HEAD_2025 = (
    b"vid,action_pred_1,action_pred_2,action_pred_3,action_pred_4,action_pred_5,"
    b"body_pred_1,body_pred_2,body_pred_3,body_pred_4,body_pred_5\r\n"
)


def random_scores(rng, ids, labels=None):
    logits = rng.normal(size=(len(ids), 52)) * 2
    scores = np.exp(logits) / np.exp(logits).sum(axis=1, keepdims=True)
    unknown = np.full(len(ids), -1, np.int64)
    return ScoreFile(labels or tree("ma52"), tuple(ids), unknown, scores.astype(np.float32))


def prediction(path):
    with zipfile.ZipFile(path) as archive:
        assert archive.namelist() == ["prediction.csv"]
        return archive.read("prediction.csv")


def packed(path, content, name="prediction.csv"):
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr(name, content)
    return path


@pytest.fixture(scope="module")
def full(tmp_path_factory):
    """A MAC 2025 submission of 5,586 random rows, clips in a random order and in a folder."""
    rng = np.random.default_rng(4)
    ids = [f"videos_test/test{number:04d}" for number in rng.permutation(CLIPS)]
    path = tmp_path_factory.mktemp("submission") / "submission.zip"
    scores = random_scores(rng, ids)
    report = write_recognition(path, scores, "mac2025")
    assert report.rows == CLIPS and report.problems == report.warnings == []
    return path, scores


def test_mac2025_of_random_rows_passes(full):
    path, scores = full
    report = check_submission(path, "mac2025")
    assert (report.rows, report.problems, report.warnings) == (CLIPS, [], [])
    content = prediction(path)
    assert content.startswith(HEAD_2025) and content.count(b"\r\n") == CLIPS + 1
    rows = list(csv.reader(io.StringIO(content.decode(), newline="")))[1:]
    assert [row[0] for row in rows] == [f"test{number:04d}.mp4" for number in range(CLIPS)]
    row_of = {clip_id: row for row, clip_id in enumerate(scores.clip_ids)}
    for row in rows[::97]:
        found = scores.scores[row_of["videos_test/" + row[0].removesuffix(".mp4")]]
        assert [int(text) for text in row[1:6]] == sorted(range(52), key=lambda a: -found[a])[:5]


@pytest.mark.shared
def test_mac2025_of_the_real_list(full, shared_dir):
    """The clips of the official test list, and what MA-52's organisers call them."""
    real = read_expected(shared_dir / "data/annotations/ma52/test_list_videos.txt")
    assert set(real.ids) == set(official("mac2025").ids) and len(real.ids) == CLIPS
    report = check_submission(full[0], "mac2025", real)
    assert report.problems == [] and report.compared == "test_list_videos.txt"
    rows = prediction(full[0]).split(b"\r\n")
    broken = packed(full[0].parent / "real.zip", b"\r\n".join(rows[:700] + rows[701:]))
    assert check_submission(broken, "mac2025", real).problems == [
        "1 of the 5,586 clips of test_list_videos.txt are missing, such as test0699.mp4"
    ]


BREAKS = [
    (
        "test0041.mp4,52,1,2,3,4,0,1,2,3,4",
        "line 43 ('test0041.mp4'): expected action_pred_1 as a whole number 0..51",
    ),
    ("test0041.mp4,-1,1,2,3,4,0,1,2,3,4", "expected action_pred_1 as a whole number 0..51, got '-1'"),
    ("test0041.mp4,5.0,1,2,3,4,0,1,2,3,4", "expected action_pred_1 as a whole number 0..51, got '5.0'"),
    ("test0041.mp4,5,1,2,3,4,0,1,2,3,7", "expected body_pred_5 as a whole number 0..6, got '7'"),
    ("test0041.mp4,5,1,2,5,4,0,1,2,3,4", "expected 5 different actions, 5 is repeated"),
    ("test0041.mp4,5,1,2,3,4,0,1,2,3", "line 43 ('test0041.mp4'): expected 11 values, got 10"),
    ("test0040.mp4,5,1,2,3,4,0,1,2,3,4", "line 43 ('test0040.mp4'): this clip is in line 42 already"),
    ("test0041,5,1,2,3,4,0,1,2,3,4", "line 43 ('test0041'): expected a clip that ends in .mp4"),
    ("Test0041.mp4,5,1,2,3,4,0,1,2,3,4", "has no such clip; did you mean 'test0041.mp4'?"),
    ('test0041.mp4,"5,1,2,3,4,0,1,2,3,4', "no CSV"),
    ("", "1 of the 5,586 clips of the official list are missing, such as test0041.mp4"),
]


@pytest.mark.parametrize(("row", "told"), BREAKS)
def test_broken_row_is_named(full, tmp_path, row, told):
    lines = prediction(full[0]).decode().split("\r\n")
    assert lines[42].startswith("test0041.mp4,")
    lines[42] = row
    report = check_submission(packed(tmp_path / "broken.zip", "\r\n".join(lines)), "mac2025")
    assert any(told in problem for problem in report.problems), report.problems
    # One broken row is one problem, or two where it hides a clip; an open quote swallows the rest.
    assert len(report.problems) <= 2
    assert told in report.told() and "\n" not in report.told()


def test_every_problem_is_found_and_the_first_are_told(full, tmp_path):
    lines = prediction(full[0]).decode().split("\r\n")
    broken = [lines[0], *(line.replace(".mp4,", ".mp4,x") for line in lines[1:])]
    report = check_submission(packed(tmp_path / "a.zip", "\r\n".join(broken)), "mac2025")
    assert len(report.problems) == CLIPS
    assert report.told().endswith(f"... and {CLIPS - 8:,} more".replace(",", ""))


def test_repeated_bodies_are_a_warning(tmp_path):
    """The organisers' own sample repeats the body of each action."""
    path = packed(tmp_path / "a.zip", HEAD_2025 + b"test0000.mp4,9,8,7,10,5,1,1,1,1,1\r\n")
    report = check_submission(path, "mac2025", Expected(("test0000",)))
    assert report.problems == [] and report.warnings[0].startswith("1 rows repeat a body prediction")


@pytest.mark.parametrize(
    ("content", "name", "told"),
    [
        (HEAD_2025, "x/prediction.csv", "at the root of the zip, in no folder, once; got 'x/prediction.csv'"),
        (HEAD_2025, "Prediction.csv", "expected prediction.csv at the root"),
        (
            HEAD_2025.replace(b"vid", b"id"),
            "prediction.csv",
            "line 1: expected the columns 'vid,action_pred_1",
        ),
        (b"", "prediction.csv", "line 1: expected the columns"),
        (HEAD_2025 + b"\xff", "prediction.csv", "expected UTF-8, byte 135 is none"),
    ],
)
def test_other_content_is_refused(tmp_path, content, name, told):
    report = check_submission(packed(tmp_path / "a.zip", content, name), "mac2025", Expected(("test0000",)))
    assert told in report.told()


def test_files_that_are_no_zip(full, tmp_path):
    (tmp_path / "a.zip").write_bytes(b"no")
    assert check_submission(tmp_path / "a.zip", "mac2025").problems == [
        "expected a zip that holds prediction.csv, this is no zip"
    ]
    with pytest.raises(OSError):
        check_submission(tmp_path / "absent.zip", "mac2025")
    with pytest.raises(ValueError, match=r"no submission format 'mac2026': did you mean 'mac2025'\?"):
        check_submission(full[0], "mac2026")


def test_damaged_zips_are_told_never_raised(tmp_path):
    rows = b"".join(b"test%04d.mp4,9,8,7,10,5,1,2,3,4,0\r\n" % number for number in range(3))
    expected = Expected(("test0000", "test0001", "test0002"))
    content = packed(tmp_path / "a.zip", HEAD_2025 + rows).read_bytes()
    assert check_submission(tmp_path / "a.zip", "mac2025", expected).problems == []
    for end in range(2, len(content), 5):
        (tmp_path / "b.zip").write_bytes(content[:end])
        assert check_submission(tmp_path / "b.zip", "mac2025", expected).problems
    begin = content.rindex(b"PK\x01\x02")  # the directory, where a changed byte moves everything
    for place in (*range(2, 30), *range(begin, len(content))):
        for change in (0x0E, 0xFF):
            damaged = bytearray(content)
            damaged[place] ^= change
            (tmp_path / "b.zip").write_bytes(damaged)
            check_submission(tmp_path / "b.zip", "mac2025", expected)
    place = content.index(b"test0001.mp4")
    (tmp_path / "b.zip").write_bytes(content[:place] + b"T" + content[place + 1 :])
    assert "Bad CRC-32" in check_submission(tmp_path / "b.zip", "mac2025", expected).told()


def test_bare_csv_with_byte_order_mark_and_unix_lines(full, tmp_path):
    content = b"\xef\xbb\xbf" + prediction(full[0]).replace(b"\r\n", b"\n").rstrip()
    (tmp_path / "prediction.csv").write_bytes(content)
    report = check_submission(tmp_path / "prediction.csv", "mac2025")
    assert report.problems == [] and report.rows == CLIPS
    assert [warning.split(":")[0] for warning in report.warnings] == [
        "a bare CSV",
        "prediction.csv begins with a byte order mark",
    ]


def test_mac2024(tmp_path):
    rng = np.random.default_rng(1)
    scores = random_scores(rng, ["b/test0001.mp4", "test0000", "test0002"])
    report = write_recognition(tmp_path / "a.zip", scores, "mac2024", "top-action")
    assert report.rows == 3 and report.warnings == [
        "its clips were not compared with a list, since none was named"
    ]
    rows = list(csv.reader(io.StringIO(prediction(tmp_path / "a.zip").decode())))
    assert rows[0] == ["id", "pred_label_1", "pred_label_2"]
    order = [1, 0, 2]
    group_of = tree("ma52").group_of
    top = scores.scores.argmax(axis=1)
    assert rows[1:] == [[f"test000{n}.mp4", str(group_of[top[r]]), str(top[r])] for n, r in enumerate(order)]
    swapped = packed(tmp_path / "b.zip", "id,pred_label_1,pred_label_2\ntest0000.mp4,51,6\n")
    assert (
        "expected pred_label_1 as a whole number 0..6, got '51'"
        in check_submission(swapped, "mac2024").told()
    )


def test_body_from_sums_and_from_the_top_action():
    """Two Head actions at 0.3 beat one hand action at 0.4 by their sum, and lose by the top action."""
    labels = tree("ma52")
    probabilities = np.zeros((1, 52), np.float32)
    probabilities[0, [9, 10, 19]] = 0.3, 0.3, 0.4
    summed, top = (group_scores(probabilities, labels, rule) for rule in ("summed", "top-action"))
    assert summed[0].tolist() == pytest.approx([0, 0.6, 0.4, 0, 0, 0, 0])
    assert top[0].tolist() == pytest.approx([0, 0.3, 0.4, 0, 0, 0, 0])
    assert best(summed)[0].tolist() == [1, 2, 0, 3, 4] and best(top)[0].tolist() == [2, 1, 0, 3, 4]
    rng = np.random.default_rng(2)
    many = random_scores(rng, [str(n) for n in range(500)]).scores
    group_of = np.array(labels.group_of)
    assert (best(group_scores(many, labels, "top-action"))[:, 0] == group_of[many.argmax(axis=1)]).all()
    np.testing.assert_allclose(group_scores(many, labels, "summed").sum(axis=1), 1, atol=1e-5)
    with pytest.raises(ValueError, match="'summed' or by 'top-action', got 'mean'"):
        group_scores(many, labels, "mean")


def test_same_scores_give_the_same_bytes(full, tmp_path):
    write_recognition(tmp_path / "again.zip", full[1], "mac2025")
    assert (tmp_path / "again.zip").read_bytes() == full[0].read_bytes()


def test_rows_follow_the_list(tmp_path):
    scores = random_scores(np.random.default_rng(3), ["a", "b", "c"])
    write_recognition(tmp_path / "a.zip", scores, "mac2025", expected=Expected(("c", "a", "b")))
    assert [line[:5] for line in prediction(tmp_path / "a.zip").split(b"\r\n")[1:4]] == [
        b"c.mp4",
        b"a.mp4",
        b"b.mp4",
    ]


def test_writer_refuses_and_leaves_nothing(full, tmp_path):
    scores = full[1]
    short = ScoreFile(scores.tree, scores.clip_ids[1:], scores.labels[1:], scores.scores[1:])
    absent = scores.clip_ids[0].removeprefix("videos_test/")
    with pytest.raises(ValueError, match=f"not written.* 1 of the 5,586 clips .* such as {absent}.mp4"):
        write_recognition(tmp_path / "a.zip", short, "mac2025")
    twins = random_scores(np.random.default_rng(0), ["a/test0000", "b/test0000"])
    with pytest.raises(
        ValueError, match="clips of one name in different folders: 'a/test0000', 'b/test0000'"
    ):
        write_recognition(tmp_path / "a.zip", twins, "mac2025")
    other = LabelTree("mine", tuple(f"action {n}" for n in range(52)))
    with pytest.raises(ValueError, match="label tree 'ma52' has no action 'action 0'"):
        write_recognition(
            tmp_path / "a.zip", random_scores(np.random.default_rng(0), ["a"], other), "mac2025"
        )
    small = ScoreFile(
        LabelTree("two", ("a", "b")), ("x",), np.zeros(1, np.int64), np.full((1, 2), 0.5, np.float32)
    )
    with pytest.raises(ValueError, match="expected scores over the 52 actions of MA-52, got 2 of 'two'"):
        write_recognition(tmp_path / "a.zip", small, "mac2025")
    with pytest.raises(ValueError, match="expected the recognition format"):
        write_recognition(tmp_path / "a.zip", scores, "mma52-detection")
    assert list(tmp_path.iterdir()) == []


def test_actions_in_another_order_or_without_names(tmp_path):
    """A score file whose classes stand in another order hands in the same predictions."""
    rng = np.random.default_rng(5)
    ids, expected = ["test0000", "test0001"], Expected(("test0000", "test0001"))
    scores = random_scores(rng, ids)
    order = rng.permutation(52)
    shuffled = LabelTree("mine", tuple(tree("ma52").actions[n].title() for n in order))
    unnamed = LabelTree("labels", tuple(f"class {n}" for n in range(52)))
    written = []
    for labels, values in (
        (tree("ma52"), scores.scores),
        (shuffled, scores.scores[:, order]),
        (unnamed, scores.scores),
    ):
        write_recognition(
            tmp_path / "a.zip",
            ScoreFile(labels, tuple(ids), scores.labels, values),
            "mac2025",
            expected=expected,
        )
        written.append(prediction(tmp_path / "a.zip"))
    assert written[0] == written[1] == written[2]


def make_detections(video_ids, starts, ends, actions=None, scores=None, labels=None):
    n = len(video_ids)
    return Detections(
        labels or tree("ma52"),
        tuple(video_ids),
        np.array(starts, np.float64),
        np.array(ends, np.float64),
        np.array(actions or [9] * n, np.int64),
        np.array(scores or [0.5] * n, np.float64),
    )


VIDEOS = Expected(("test0000", "test0001"), {"test0000": 5.0, "test0001": 2.0}, "test.csv")


def test_detection(tmp_path):
    found = make_detections(
        ["test0001", "test0000", "test0000"], [0, 1.25, 1 / 3], [2, 3, 5], [51, 0, 9], [0.5, 0.25, 0.75]
    )
    report = write_detection(tmp_path / "a.zip", found, VIDEOS)
    assert (report.rows, report.problems, report.warnings) == (3, [], [])
    assert prediction(tmp_path / "a.zip").decode() == (
        ",video_id,t_start,t_end,class,score\n"
        "0,test0000,0.3333333333333333,5.0,9,0.75\n"
        "1,test0000,1.25,3.0,0,0.25\n"
        "2,test0001,0.0,2.0,51,0.5\n"
    )


def test_detection_refused_or_cut(tmp_path):
    found = make_detections(["test0000", "test0001", "test0001"], [-0.5, 1, 3], [1, 2.5, 4])
    with pytest.raises(
        ValueError, match=r"line 2 \('test0000'\): t_start -0.5 lies before .*; line 3 .*t_end 2.5 lies"
    ):
        write_detection(tmp_path / "a.zip", found, VIDEOS)
    assert list(tmp_path.iterdir()) == []
    cut, changed = cut_to_video(found, VIDEOS)
    assert changed == 3 and len(cut) == 2
    assert (cut.t_start_s.tolist(), cut.t_end_s.tolist()) == ([0, 1], [1, 2])
    assert write_detection(tmp_path / "a.zip", cut, VIDEOS).problems == []


def test_best_of_each_video():
    found = make_detections(list("abaab"), [0] * 5, [1] * 5, [0, 1, 2, 3, 4], [0.1, 0.5, 0.9, 0.5, 0.4])
    assert best_of_video(found, 2).actions.tolist() == [1, 2, 3, 4]
    assert best_of_video(found, 1).actions.tolist() == [1, 2]


@pytest.mark.parametrize(
    ("row", "told"),
    [
        ("0,test0000,4,5.02,9,0.5", "t_end 5.02 lies after the video's end at 5.000 s"),
        ("0,test0000,3,2,9,0.5", "expected t_end after t_start, got 3 to 2"),
        ("0,test0000,2,2.0,9,0.5", "expected t_end after t_start, got 2 to 2.0"),
        ("0,test0000,nan,2,9,0.5", "expected seconds as t_start and t_end, got 'nan' and '2'"),
        ("0,test0000,0,1e999,9,0.5", "expected seconds as t_start and t_end"),
        ("0,test0000,0,1,52,0.5", "expected class as a whole number 0..51, got '52'"),
        ("0,test0000,0,1,9,inf", "expected a number as score, got 'inf'"),
        ("0,test0000,0,1,9,1_0", "expected a number as score, got '1_0'"),
        ("0,test0000.mp4,0,1,9,0.5", "expected a video without .mp4"),
        ("0,test0007,0,1,9,0.5", "line 2 ('test0007'): test.csv has no such video"),
        ("test0000,0,1,9,0.5", "line 2 ('test0000'): expected 6 values, got 5"),
    ],
)
def test_broken_detection_is_named(tmp_path, row, told):
    text = f",video_id,t_start,t_end,class,score\n{row}\n1,test0001,0,2.005,3,1\n"
    report = check_submission(packed(tmp_path / "a.zip", text), "mma52-detection", VIDEOS)
    assert len(report.problems) == 1 and told in report.problems[0] and "line 2" in report.problems[0]


def test_detection_warnings(tmp_path):
    rows = "".join(f"7,test0000,0,1,9,{1.5 if n == 0 else 0.5}\n" for n in range(201))
    path = packed(tmp_path / "a.zip", ",video_id,t_start,t_end,class,score\n" + rows)
    assert check_submission(path, "mma52-detection", VIDEOS).warnings == [
        "1 videos have more than 200 segments, such as test0000 201",
        "the first column does not run from 0 in 200 rows",
        "1 scores lie outside 0..1",
        "1 videos have no segment, such as test0001",
    ]
    report = check_submission(path, "mma52-detection")
    assert report.warnings[-1] == "times were not compared with the videos' lengths, which are not known"
    empty = packed(tmp_path / "b.zip", ",video_id,t_start,t_end,class,score\n")
    assert check_submission(empty, "mma52-detection", VIDEOS).problems == ["no segment at all"]


@pytest.mark.shared
@pytest.mark.parametrize("release", ["", "old_release"])
def test_detection_videos_of_the_real_csv(shared_dir, release):
    real = read_expected(shared_dir / "data/annotations/mma52" / release / "test.csv")
    assert set(real.ids) == set(official("mma52-detection").ids) and len(real.ids) == 519
    assert real.duration_s["test0000"] == pytest.approx(166 / 30)


@pytest.mark.parametrize(
    ("name", "content", "ids", "lengths"),
    [
        ("list.txt", "test0000.mp4 0\r\ntest0001.mp4 0", ("test0000", "test0001"), {}),
        ("list.txt", "a/test0000.mp4\n\ntest0001\n", ("test0000", "test0001"), {}),
        ("sample.csv", "vid,action_pred_1\ntest0000.mp4,3\n", ("test0000",), {}),
        ("sample.csv", "id,pred_label_1,pred_label_2\ntäst.mp4,3,1\n", ("täst",), {}),
        ("test.csv", "id,video_id,total_frames,fps\n0,v,58,29.0\n1,v,58,29.0\n", ("v",), {"v": 2.0}),
        ("labels.csv", "clip_id,duration_s\nx/a,2.5\nb,\n", ("a", "b"), {"a": 2.5}),
    ],
)
def test_lists_of_expected_clips(tmp_path, name, content, ids, lengths):
    (tmp_path / name).write_text(content, encoding="utf-8", newline="")
    found = read_expected(tmp_path / name)
    assert (found.ids, dict(found.duration_s), found.where) == (ids, lengths, name)


@pytest.mark.parametrize(
    ("name", "content", "told"),
    [
        ("list.txt", "a.mp4 0\nb.mp4 0\na.mp4 0\n", "expected each clip once, twice: 'a'"),
        ("list.txt", "", "expected a list of clips, it names none"),
        ("list.csv", "name\na\n", "expected a column video_id, vid, clip_id, id; got 'name'"),
        (
            "list.csv",
            "video_id,total_frames,fps\na,x,30\n",
            r"line 2: expected total_frames and fps, got \('x'",
        ),
        ("list.csv", "video_id,duration_s\na,long\n", "line 2: expected seconds as duration_s, got 'long'"),
    ],
)
def test_lists_that_are_none(tmp_path, name, content, told):
    (tmp_path / name).write_text(content)
    with pytest.raises(ValueError, match=told):
        read_expected(tmp_path / name)


def test_detection_file_round_trip(tmp_path):
    found = make_detections(["a", "ä/b"], [0.1, 1 / 3], [1e-1 + 1e-9, 2], [0, 51], [1e-300, 1])
    write_detections(tmp_path / "d.parquet", found)
    again = read_detections(tmp_path / "d.parquet", tree("ma52"))
    assert again.video_ids == found.video_ids and again.tree == found.tree
    for what in ("t_start_s", "t_end_s", "actions", "scores"):
        np.testing.assert_array_equal(getattr(again, what), getattr(found, what))


def test_detection_file_of_names_and_without_tree(tmp_path):
    columns = {"video_id": ["a"], "t_start_s": [0], "t_end_s": [1.5], "action": ["Nodding"], "score": [0.5]}
    pq.write_table(pa.table(columns), tmp_path / "d.parquet")
    assert read_detections(tmp_path / "d.parquet", tree("ma52")).actions.tolist() == [9]
    with pytest.raises(ValueError, match="names no label tree"):
        read_detections(tmp_path / "d.parquet")
    pq.write_table(pa.table({**columns, "action": ["Noding"]}), tmp_path / "d.parquet")
    with pytest.raises(ValueError, match=r"has no action 'Noding' did you mean 'nodding'\?"):
        read_detections(tmp_path / "d.parquet", tree("ma52"))
    write_detections(tmp_path / "e.parquet", make_detections(["a"], [0], [1], labels=tree("mma82")))
    with pytest.raises(ValueError, match="expected the 52 actions of ma52, got those of mma82"):
        read_detections(tmp_path / "e.parquet", tree("ma52"))


@pytest.mark.parametrize(
    ("change", "told"),
    [
        ({"t_end_s": [0.0, 1.0]}, r"row 0 \('a'\) must end after it starts, got 0 to 0 s"),
        ({"t_start_s": [0.0, float("nan")]}, r"row 1 \('b'\) must end after it starts"),
        ({"action": [0, 52]}, r"row 1 \('b'\) has action 52, expected 0..51"),
        ({"score": [0.5, float("inf")]}, r"row 1 \('b'\) has no score: inf"),
        ({"score": [0.5, None]}, "column score holds nulls"),
        ({"score": None}, "missing: score"),
        ({"score": ["x", "y"]}, "no detection file"),
    ],
)
def test_detection_files_refused(tmp_path, change, told):
    columns = {
        "video_id": ["a", "b"],
        "t_start_s": [0.0, 0.0],
        "t_end_s": [1.0, 1.0],
        "action": [0, 1],
        "score": [1.0, 1.0],
    }
    columns = {name: values for name, values in (columns | change).items() if values is not None}
    pq.write_table(pa.table(columns), tmp_path / "d.parquet")
    with pytest.raises(ValueError, match=told):
        read_detections(tmp_path / "d.parquet", tree("ma52"))


def test_formats_are_those_of_the_command():
    from fidget.cli.submit import _FORMATS

    assert tuple(FORMATS) == _FORMATS
