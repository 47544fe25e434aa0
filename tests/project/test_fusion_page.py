"""docs/fusion.md is what its program writes: its commands are run, its table comes from the CSV."""

from __future__ import annotations

from benchmarks import fusion


def test_the_page_is_what_the_program_writes() -> None:
    told = "python -m benchmarks.fusion writes it anew"
    assert fusion.PAGE.read_text(encoding="utf-8") == fusion.page(), told


def test_simulated_methods_know_what_they_are_said_to() -> None:
    first, again, other = (fusion.simulated(40, seed, "val") for seed in (0, 0, 1))
    assert (first[0].scores == again[0].scores).all()
    assert not (first[0].scores == other[0].scores).all()
    assert not set(first[0].clip_ids) & set(other[0].clip_ids)
    assert all("simulated" in one.method and one.split == "val" for one in first)
