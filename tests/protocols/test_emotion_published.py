from __future__ import annotations

import numpy as np
import pytest

from protocols.emotion_published import (
    fitting_clips,
    mma82_gain,
    published_gain,
    published_rows,
    published_top5,
)


def test_the_published_gain_is_one_clip_of_about_210():
    gain = mma82_gain(np.random.default_rng(0))
    assert (gain.clips, gain.first_right, gain.second_right) == (210, 69, 68)
    assert gain.smallest_p == 1 and gain.interval[0] == 0 and gain.interval[1] < 0.02
    assert "69 and 68 of about 210 clips, a gain of 1 clip" in gain.told("both", "micro-actions")


@pytest.mark.parametrize(
    ("texts", "clips"), [(("50", "25"), 4), (("33.33",), 3), (("22.86", "32.38", "32.86"), 210)]
)
def test_numbers_of_clips_that_fit(texts, clips):
    assert fitting_clips(texts) == clips


def test_a_large_gain_can_be_significant():
    gain = published_gain("60.00", "50.00", 100, np.random.default_rng(0))
    assert gain.difference_clips == 10 and gain.smallest_p == pytest.approx(2 / 1024) and gain.interval[0] > 0
    with pytest.raises(ValueError, match="larger accuracy first"):
        published_gain("50", "60", 100, np.random.default_rng(0))


def test_rows_are_as_printed():
    assert dict(published_rows("mma82_emotion"))["both (DeepFace + TSM)"] == ("32.86", "32.36")
    ma52pro = dict(published_rows("ma52pro_emotion"))
    assert ma52pro["VAANet"][-1] == "-" and ma52pro["Full model"][0] == "62.38"
    assert published_top5()["only"] == pytest.approx((0.379, 0.35))
