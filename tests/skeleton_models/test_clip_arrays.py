from __future__ import annotations

import numpy as np
import pytest
import torch

from skeleton_models.clip_arrays import BatchMemory, ClipArrays, ModelBatch, pack


def clip(persons: int, frames: int, joints: int = 3, channels: int = 2) -> ClipArrays:
    size = persons * frames * joints
    xyz = np.arange(size * channels, dtype=np.float32).reshape(persons, frames, joints, channels)
    return ClipArrays(xyz, np.full((persons, frames, joints), 0.5, np.float32), (10 + persons, 20))


def test_every_joint_lies_where_the_docstring_says() -> None:
    clips = [clip(2, 4), clip(0, 5), clip(1, 1), clip(3, 2)]
    packed = pack(clips, 3)
    for n, one in enumerate(clips):
        for m, t, j in np.ndindex(*one.score.shape):
            row = packed.start[n] + (m * packed.frames[n] + t) * 3 + j
            assert packed.xyz[row].tolist() == one.xyz[m, t, j].tolist()
            assert packed.score[row] == 0.5
    assert packed.persons.tolist() == [2, 0, 1, 3]
    assert packed.frame_hw[:, 0].tolist() == [12, 10, 11, 13]


def test_strided_clips_are_packed_as_they_read() -> None:
    whole = clip(2, 8)
    part = ClipArrays(whole.xyz[:, ::2], whole.score[:, ::2], whole.frame_hw)
    assert pack([part], 3).xyz.reshape(2, 4, 3, 2).tolist() == part.xyz.tolist()


@pytest.mark.parametrize(
    ("clips", "message"),
    [
        ([], "at least one clip"),
        ([clip(1, 2), clip(1, 2, joints=4)], r"clip 1.*\(persons, frames >= 1, 3, 2\).*another layout"),
        ([clip(1, 2), clip(1, 2, channels=3)], r"clip 1.*got \(1, 2, 3, 3\)"),
        ([clip(1, 0)], "clip 0"),
        ([clip(1, 2)._replace(score=np.ones((1, 3, 3), np.float32))], "score must be"),
    ],
)
def test_clips_that_do_not_fit_are_refused(clips: list[ClipArrays], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        pack(clips, 3)


def test_a_batch_moves_as_a_whole() -> None:
    batch = ModelBatch(torch.zeros(2, 1, 3, 4, 2), torch.ones(2, 1, dtype=torch.bool), None, views=2)
    moved = batch.to("meta")
    assert moved.x.device.type == "meta" and moved.present is not None and moved.position is None
    assert moved.present.device.type == "meta" and moved.views == 2


def test_memory_is_taken_again_only_when_no_view_of_it_is_left() -> None:
    memory = BatchMemory(blocks=2)
    x, flat = memory.take(2, 3)
    flat[:] = np.arange(6)
    assert x.tolist() == [[0, 1, 2], [3, 4, 5]]
    part, address = x[1:].numpy(), x.data_ptr()
    del x, flat
    held = [memory.take(2, 3)[0] for _ in range(3)]
    assert address not in {tensor.data_ptr() for tensor in held}
    assert len({tensor.data_ptr() for tensor in held}) == 3
    assert part.tolist() == [[3, 4, 5]]
    address = held.pop().data_ptr()
    assert memory.take(6)[0].data_ptr() == address
    assert memory.take(7)[0].shape == (7,)
