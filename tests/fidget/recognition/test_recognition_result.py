from __future__ import annotations

import json

import numpy as np
import pytest
from tests.fidget.recognition.recognition_samples import HOSTILE, person, result_of, segment

from fidget.recognition.result import from_json, to_json


def test_a_record_goes_to_json_and_back() -> None:
    unsure = segment(2.5, 4, None, status="unsure", group="head", words=HOSTILE)
    before = result_of(person(3, segment(1, 2.5), unsure), person(4, windows=0), path=HOSTILE)
    text = json.dumps(to_json(before), allow_nan=False)
    after = from_json(json.loads(text))
    assert to_json(after) == to_json(before)
    assert after.persons[0].segments == before.persons[0].segments
    assert after.persons[1].curves.probability.shape == (3, 0)
    np.testing.assert_allclose(
        after.persons[0].curves.probability, before.persons[0].curves.probability, atol=1e-5
    )


def test_numbers_that_are_none_are_zeros_in_the_file() -> None:
    before = result_of(person(3))
    before.persons[0].quality[:] = np.nan
    assert to_json(before)["persons"][0]["quality"] == [0.0, 0.0]


@pytest.mark.parametrize("plain", [{}, {"version": "fidget recognize 0"}, {"version": "fidget recognize 1"}])
def test_other_json_is_refused(plain) -> None:
    with pytest.raises(ValueError, match=r"expected a result of version|not a result of fidget recognize"):
        from_json(plain)


def test_shapes_and_segments_that_cannot_be_are_refused() -> None:
    with pytest.raises(ValueError, match="not a segment"):
        result_of(person(3, segment(2, 2)))
    with pytest.raises(ValueError, match=r"expected curves of \(2, 3\)"):
        result_of(person(3), actions=("nodding", "waving"))
