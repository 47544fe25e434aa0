"""The table of published frequencies: they hold to the clip, and what goes with what stays plain."""

from __future__ import annotations

import numpy as np
import pytest

from fidget.cli.main import main
from fidget.emotion.published_table import CLIPS, PEOPLE, label_total, presence_of, shared_out
from fidget.emotion.simulated import SHOWN_BESIDE
from protocols.emotion_sets import emotion_set
from protocols.emotion_table import read_emotion_table
from protocols.trees import class_counts, tree


def test_parts_add_up_and_stay_below_the_most() -> None:
    assert shared_out(10, (1, 1, 2), 100).tolist() == [3, 2, 5]
    assert shared_out(10, (8, 1, 1), 5).tolist() == [5, 3, 2]
    assert shared_out(0, (1, 2), 3).tolist() == [0, 0]
    with pytest.raises(ValueError, match="at most 3 of each of 2, got a total of 7"):
        shared_out(7, (1, 0, 2), 3)


def test_counts_hold_and_no_clip_is_bare() -> None:
    rng = np.random.default_rng(0)
    labels, counts = np.arange(60) % 2, np.array([50, 8, 4, 1])
    favour = np.array([[1.0, 9.0, 1.0, 1.0], [1.0, 1.0, 1.0, 1.0]])
    present = presence_of(counts, labels, favour, rng)
    assert present.sum(axis=0).tolist() == counts.tolist() and present.any(axis=1).all()
    assert present[labels == 0, 1].sum() > present[labels == 1, 1].sum()
    with pytest.raises(ValueError, match="60 in all at least"):
        presence_of(np.array([5, 5]), labels, favour[:, :2], rng)


def test_the_command_writes_what_is_published(tmp_path, capsys) -> None:
    out = tmp_path / "published"
    assert main(["emotion", "simulate", "--published", "-o", str(out)]) == 0
    assert "1,371 clips, simulated from published frequencies" in capsys.readouterr().out
    table = read_emotion_table(out / "table.csv", emotion_set("mma82"), tree("mma82"))
    assert table.simulated and len(table) == CLIPS and len(set(table.subjects)) == PEOPLE
    total, published = label_total(CLIPS), np.array(class_counts("mma82"))
    assert table.present.sum() == total == 5174  # 3.77 a clip
    share = published / published.sum() * total
    assert np.abs(table.present.sum(axis=0) - share).max() < 1
    assert set(np.bincount(table.labels)) == {195, 196}
    happy = table.labels == table.emotions.index("happy")
    nodding = table.present[:, table.tree.actions.index("Nodding")]
    assert "Nodding" in SHOWN_BESIDE["happy"] and nodding[happy].mean() > 1.5 * nodding.mean()
    assert main(["emotion", "simulate", "--published", "--clips", "9", "-o", str(out)]) == 2
    assert "leave --clips" in capsys.readouterr().err
