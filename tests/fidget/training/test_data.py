from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from tests.fidget.training.training_samples import TREE, protocol_of, synthetic_rows, write_cache

from fidget.training.data import PoseClips, check_clips
from fidget.training.measuring import _unseen
from fidget.training.recipe import DataTable
from poses.cache_schema import SourceStamp
from poses.encoding import failed_row
from poses.layout import get_layout
from protocols.protocol import Protocol, Split


@pytest.fixture(scope="module")
def cache(tmp_path_factory):
    """Clips 0..8; 9 failed; 10 holds nobody; 11 is missing."""
    rows = synthetic_rows(9)
    rows.append(failed_row("clip09", SourceStamp("/synthetic/9", 1, 1), "no frame decodes"))
    nobody = synthetic_rows(11, persons=0)[10]
    return write_cache(tmp_path_factory.mktemp("data") / "cache", [*rows, nobody])


def test_problems_are_counted_and_named_all_at_once(cache) -> None:
    clips = PoseClips(cache)
    with pytest.raises(ValueError) as caught:
        check_clips(clips, protocol_of(12, val=2, test=4), DataTable(no_person="refuse"))
    message = str(caught.value)
    assert "test: 1 clips not in the cache; extract them (clip11), or --set data.missing=drop" in message
    assert "test: 1 clips failed at extraction; see fidget poses check (clip09)" in message
    assert "test: 1 clips without a person (clip10)" in message


def test_dropped_clips_are_counted(cache) -> None:
    rules = DataTable(missing="drop", failed="drop", no_person="keep")
    sets = check_clips(PoseClips(cache), protocol_of(12, val=2, test=4), rules)
    assert sets["test"].clip_ids == ("clip08", "clip10")
    assert sets["test"].labels.tolist() == [2, 1]
    line = sets["test"].summary()
    assert "2 clips, 1 missing left out (clip11), 1 failed left out (clip09), 1 without a person kept" in line


def test_an_empty_class_is_refused_by_name_or_kept(cache) -> None:
    protocol = Protocol("two", TREE, {"train": Split(("clip00", "clip01"), (0, 1))})
    with pytest.raises(ValueError, match=r"1 classes without a clip \(nod\)"):
        check_clips(PoseClips(cache), protocol, DataTable())
    assert len(check_clips(PoseClips(cache), protocol, DataTable(empty_classes="keep"))["train"]) == 2


def test_clips_come_in_the_layout_asked_for(cache, tmp_path) -> None:
    whole = PoseClips(cache).read("clip00")
    part = PoseClips(cache, "coco17/arms")
    joints = [get_layout("coco17").index(joint) for joint in get_layout("coco17/arms").joints]
    np.testing.assert_array_equal(part.read("clip00").xyz, whole.xyz[:, :, joints])
    assert part.read("clip10").xyz.shape[0] == 0
    with pytest.raises(
        ValueError, match=r"wants layout 'coco_wholebody133/hands', the cache .* holds 'coco17'"
    ):
        PoseClips(cache, "coco_wholebody133/hands")


def test_the_hash_tells_caches_apart(cache, tmp_path) -> None:
    first = write_cache(tmp_path / "a", synthetic_rows(4))
    turned = write_cache(tmp_path / "b", synthetic_rows(4)[::-1])
    other = write_cache(tmp_path / "c", synthetic_rows(4, seed=1))
    assert PoseClips(first).cache_hash == PoseClips(turned).cache_hash != PoseClips(other).cache_hash


def test_copies_of_training_clips_are_named(tmp_path) -> None:
    """As in Northwestern-UCLA's public file, where 95 test clips are those of a training camera."""
    rows = synthetic_rows(9)
    rows[7] = replace(rows[0], clip_id="clip07")
    sets = check_clips(PoseClips(write_cache(tmp_path / "c", rows)), protocol_of(9, 2, 2), DataTable())
    assert sets["test"].in_train == ("clip07",)
    assert sets["val"].in_train == sets["train"].in_train == ()
    assert "2 clips, 1 are copies of training clips (clip07)" in sets["test"].summary()
    assert _unseen(sets["test"]).tolist() == [False, True]
