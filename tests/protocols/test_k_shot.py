from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from protocols.k_shot import (
    DRAWS,
    Support,
    draw_support,
    draw_supports,
    read_support,
    support_rng,
    write_support,
)
from protocols.label_tree import LabelTree
from protocols.protocol import Split

TREE = LabelTree("four", ("nod", "Kopf schütteln, langsam", 'say "no"', "rest"))
POOL = Split(
    tuple(f"straße/clip {n:02d}" for n in range(16)), (0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1, 1, 1, 2, 0, 1)
)  # 11 of class 0, 4 of class 1, 1 of class 2, none of class 3


def _drawn(k: int, draw: int = 0, pool: Split = POOL) -> Support:
    return draw_support(pool, k, support_rng(0, draw))


@pytest.mark.parametrize(
    ("k", "counts", "short"),
    [(1, {0: 1, 1: 1, 2: 1}, ()), (4, {0: 4, 1: 4, 2: 1}, (2,)), (10, {0: 10, 1: 4, 2: 1}, (1, 2))],
)
def test_k_of_every_class_that_has_a_clip(k, counts, short) -> None:
    support = _drawn(k)
    assert support.counts == counts
    assert support.short_classes == short
    label_of = dict(zip(POOL.clip_ids, POOL.labels, strict=True))
    assert all(label_of[one] == label for one, label in zip(*_columns(support), strict=True))


def _columns(support: Support) -> tuple[tuple[str, ...], tuple[int, ...]]:
    return support.split.clip_ids, support.split.labels


def test_classes_short_of_clips_and_without_any_are_named() -> None:
    assert _drawn(4).short_names(TREE) == ('say "no"', "rest")
    assert _drawn(1).short_names(TREE) == ("rest",)


def test_a_draw_is_the_same_again_and_others_differ() -> None:
    first = draw_supports(POOL, 3)
    assert len(first) == DRAWS == 10
    assert first == draw_supports(POOL, 3)
    assert len({frozenset(one.split.clip_ids) for one in first}) == 10
    assert draw_supports(POOL, 3, seed=1)[0] != first[0]


@given(st.permutations(range(16)), st.integers(1, 12), st.integers(0, 3))
def test_neither_the_order_of_the_pool_nor_k_changes_whose_turn_it_is(order, k, draw) -> None:
    shuffled = Split(tuple(POOL.clip_ids[n] for n in order), tuple(POOL.labels[n] for n in order))
    support = _drawn(k, draw, shuffled)
    assert support == _drawn(k, draw)
    assert set(support.split.clip_ids) <= set(_drawn(k + 1, draw).split.clip_ids)  # supports are nested


def test_every_clip_of_a_class_is_drawn_equally_often() -> None:
    found = [draw_support(POOL, 1, support_rng(7, draw)).split.clip_ids[0] for draw in range(2200)]
    counts = np.unique(found, return_counts=True)[1]
    assert len(counts) == 11
    assert np.abs(counts - 200).max() < 5 * np.sqrt(200)


@pytest.mark.parametrize("k", [1, 3, 10])
def test_a_list_comes_back_from_its_file(tmp_path, k) -> None:
    support = _drawn(k)
    file = tmp_path / "supports" / "eins.csv"
    write_support(file, support, TREE)
    assert read_support(file, TREE, POOL) == support
    assert read_support(file, TREE, POOL).short_classes == support.short_classes
    crlf = file.read_bytes().replace(b"\n", b"\r\n").removesuffix(b"\r\n")
    file.write_bytes(b"\xef\xbb\xbf" + crlf)  # as a spreadsheet saves it, without a final newline
    assert read_support(file, TREE, POOL) == support


HEAD = "clip_id,label,class_name,shots\n"


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("clip_id,label\na,0\n", "class_name, shots missing"),
        (HEAD, "one number of shots in all rows, got no rows"),
        (HEAD + "straße/clip 00,0,nod,1\nstraße/clip 10,1,nod,1\n", "line 3.*'Kopf schütteln, langsam'"),
        (HEAD + "straße/clip 00,4,nod,1\n", "line 2.*0..3, got '4'"),
        (HEAD + "straße/clip 00,-1,nod,1\n", "line 2.*0..3, got '-1'"),
        (HEAD + "straße/clip 00,,nod,1\n", "line 2.*0..3, got ''"),
        (HEAD + "elsewhere,0,nod,1\n", "line 2, clip 'elsewhere': the target's training clips have no such"),
        (HEAD + "straße/clip 00,0,nod,1\nstraße/clip 01,0,nod,1\n", "1 clips a class at most, got 2 of"),
        (HEAD + "straße/clip 00,0,nod,2\nstraße/clip 00,0,nod,2\n", "twice: 'straße/clip 00'"),
        (HEAD + "straße/clip 00,0,nod,2\nstraße/clip 01,0,nod,1\n", r"got \[1, 2\]"),
        (HEAD + "straße/clip 00,0,nod,none\n", "1 shot a class or more, got 0"),
    ],
)
def test_a_file_that_is_no_such_list_is_refused(tmp_path, text, told) -> None:
    file = tmp_path / "list.csv"
    file.write_text(text, encoding="utf-8")
    with pytest.raises(ValueError, match=told) as caught:
        read_support(file, TREE, POOL)
    assert "list.csv" in str(caught.value)
    assert "\n" not in str(caught.value)


def test_nothing_to_draw_is_an_error() -> None:
    with pytest.raises(ValueError, match="1 shot a class or more, got 0"):
        _drawn(0)
    with pytest.raises(ValueError, match="clips to draw shots from, got none"):
        _drawn(1, pool=Split((), ()))
