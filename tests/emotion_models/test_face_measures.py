from __future__ import annotations

import numpy as np
import pytest

from emotion_models.face_measures import MEASURES, SUMMARIES, face_measures, face_series, summed_up


def face():
    """A plain face of 68 points, eyes 100 px apart."""
    points = np.zeros((68, 2))
    angle = np.linspace(0, np.pi, 17)
    points[:17] = np.stack([-80 * np.cos(angle), 110 * np.sin(angle)], 1)
    points[17:22] = np.stack([np.linspace(-55, -12, 5), np.full(5, -25)], 1)
    points[22:27] = points[17:22][::-1] * (-1, 1)
    points[27:31] = np.stack([np.zeros(4), np.linspace(0, 30, 4)], 1)
    points[31:36] = np.stack([np.linspace(-12, 12, 5), np.full(5, 38)], 1)
    eye = np.array([(-50, 0), (-40, -6), (-28, -6), (-18, 0), (-28, 6), (-40, 6)])
    points[36:42], points[42:48] = eye, eye[[3, 2, 1, 0, 5, 4]] * (-1, 1)
    mouth = np.linspace(0, 2 * np.pi, 13)[:12] + np.pi
    points[48:60] = np.stack([25 * np.cos(mouth), 65 + 8 * np.sin(mouth)], 1)
    inner = np.linspace(0, 2 * np.pi, 9)[:8] + np.pi
    points[60:68] = np.stack([18 * np.cos(inner), 65 + 2 * np.sin(inner)], 1)
    return points.astype(np.float32)


def value(points, name):
    return float(face_measures(points[None])[0, MEASURES.index(name)])


def moved(*changes):
    points = face()
    for index, dx, dy in changes:
        points[index] += (dx, dy)
    return points


def test_size_and_tilt_of_the_head_change_nothing_but_the_tilt():
    plain = face_measures(face()[None])[0]
    angle = 0.3
    turn = np.array([[np.cos(angle), np.sin(angle)], [-np.sin(angle), np.cos(angle)]])
    other = face_measures((2.5 * face() @ turn + (300, 200)).astype(np.float32)[None])[0]
    np.testing.assert_allclose(other[:-1], plain[:-1], atol=1e-4)
    assert other[-1] - plain[-1] == pytest.approx(angle, abs=1e-4)


def test_expressions_move_their_measures():
    plain = face()
    shut = moved(*((i, 0, 5) for i in (37, 38)), *((i, 0, -5) for i in (40, 41)))
    assert value(shut, "right_eye_open") < 0.3 * value(plain, "right_eye_open")
    assert value(shut, "left_eye_open") == pytest.approx(value(plain, "left_eye_open"))
    raised = moved(*((i, 0, -12) for i in range(17, 27)))
    assert value(raised, "left_brow_height") == pytest.approx(
        value(plain, "left_brow_height") + 0.12, abs=1e-5
    )
    smile = moved((48, -6, -8), (54, 6, -8))
    assert value(smile, "corner_lift") == pytest.approx(value(plain, "corner_lift") + 0.08, abs=1e-5)
    assert value(smile, "mouth_width") > value(plain, "mouth_width")
    crooked = moved((54, 0, -8))
    assert value(crooked, "corner_unevenness") == pytest.approx(0.08, abs=1e-5)
    opened = moved(*((i, 0, 20) for i in (65, 66, 67, 55, 56, 57, 58, 59)))
    assert value(opened, "lips_open") > value(plain, "lips_open") + 0.15


def test_frames_without_a_face_do_not_count_and_few_are_none():
    points = np.repeat(face()[None], 6, 0)
    points[1] = np.nan
    points[2, 40] = np.nan
    measures = face_measures(points)
    assert np.isfinite(measures).all(axis=1).tolist() == [True, False, False, True, True, True]
    summary = summed_up(measures)
    assert summary is not None and summary.shape == (len(MEASURES) * len(SUMMARIES),)
    np.testing.assert_allclose(summary[len(MEASURES) : 2 * len(MEASURES)], 0, atol=1e-6)
    assert face_series(measures, 16).shape == (16, len(MEASURES))
    assert summed_up(measures[:3]) is None and face_series(measures[:3], 16) is None
    with pytest.raises(ValueError, match=r"expected points \(T, 68, 2\)"):
        face_measures(points[:, :60])
