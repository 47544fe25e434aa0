"""Recognised videos of a few seconds, and the page of them."""

from __future__ import annotations

from dataclasses import replace
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np
from fidget_samples import HOSTILE, clip_of

from fidget.recognition.result import Alternative, Curves, Person, Segment, VideoResult
from fidget.reports.recognition_page import write_recognition_page
from poses.clip import PoseClip

ACTIONS = ("nodding", "bowing head", "rubbing hands")


def segment(start_s: float, end_s: float, status: str = "sure", action: int = 0) -> Segment:
    others = tuple(
        Alternative(ACTIONS[(action + n) % 3], "head" if (action + n) % 3 < 2 else "hand", share)
        for n, share in enumerate((0.7, 0.2, 0.1))
    )
    named = {"sure": ACTIONS[action], "unsure": "unsure between nodding and bowing head",
             "abstained": "not sure enough to say"}[status]  # fmt: skip
    group = None if status == "abstained" else others[0].group
    return Segment(
        start_s, end_s, status, ACTIONS[action] if status == "sure" else None, group, 0.7, named, others
    )


def result(**changes: Any) -> VideoResult:
    """Two people for eight seconds from second 10 on; of what each other result differs in."""
    time_s = np.linspace(10, 17.9, 80)
    wave = np.stack([0.5 + 0.5 * np.sin(time_s + n) for n in range(3)])
    curves = Curves(time_s, (wave / wave.sum(axis=0)).astype(np.float32))
    quality = np.where(time_s < 12, 0, 0.8).astype(np.float32)
    first = (segment(11, 12), segment(13, 14.5, "unsure"), segment(15, 15.4, "abstained"))
    second = (segment(12.5, 13.5, action=2), segment(16, 17))
    persons = (Person(7, time_s, quality, first, curves), Person(8, time_s, quality, second, curves))
    plain = VideoResult(
        "talk", "/home/me/talk.mp4", "talk.webm", False, 10.0, 8.0, 25.0, 160, 120, (), "demo", True,
        True, 1.3, ACTIONS, ("head", "hand"), (0, 0, 1), persons,
    )  # fmt: skip
    return replace(plain, **changes)


def poses(one: VideoResult) -> PoseClip:
    clip = clip_of(one.video_id, frames=200, persons=2)
    time_s = one.start_s + np.arange(200) / 25
    return replace(clip, time_s=time_s, fps=Fraction(25))


def write(path: Path, *results: VideoResult, private: bool = False, link: bool = True) -> str:
    embed = "link" if link else "none"
    write_recognition_page(results, path, embed_video=embed, private=private, poses=poses)
    return path.read_text(encoding="utf-8")


def hostile() -> VideoResult:
    one = result()
    segments = tuple(
        replace(each, words=f"{each.words} {HOSTILE}", action=each.action and HOSTILE, group=HOSTILE)
        for each in one.persons[0].segments
    )
    return replace(
        one, video_id=f"a/{HOSTILE}", media=f"{HOSTILE}.webm", warnings=(HOSTILE,), method=HOSTILE,
        actions=(HOSTILE, *ACTIONS[1:]), groups=(HOSTILE, "hand"),
        persons=(replace(one.persons[0], segments=segments), one.persons[1]),
    )  # fmt: skip
