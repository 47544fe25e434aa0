from __future__ import annotations

import threading

import numpy as np

from pose_extract.picture_pool import PicturePool


def address(picture: np.ndarray) -> int:
    return int(picture.ctypes.data)


def test_a_picture_that_is_held_is_never_given_again() -> None:
    pool = PicturePool(4, 5)
    held = [pool.take() for _ in range(100)]
    assert len({address(picture) for picture in held}) == 100
    for value, picture in enumerate(held):
        picture[:] = value
    assert all((picture == value).all() for value, picture in enumerate(held))


def test_a_picture_that_is_dropped_comes_again() -> None:
    pool = PicturePool(4, 5)
    places = set()
    for _ in range(50):
        picture = pool.take()
        assert picture.shape == (4, 5, 3)
        assert picture.dtype == np.uint8
        assert picture.flags.c_contiguous
        assert picture.flags.writeable
        places.add(address(picture))
        del picture
    assert len(places) == 1


def test_any_view_holds_the_picture() -> None:
    pool = PicturePool(4, 5)
    views = []
    for value in range(8):
        picture = pool.take()
        picture[:] = value
        if value % 4 == 0:
            views.append(picture[1:, ::2].T)
        elif value % 4 == 1:
            views.append(memoryview(picture))
        elif value % 4 == 2:
            views.append(np.asarray(picture).reshape(-1)[3:].view(np.uint8))
        else:
            views.append(np.frombuffer(picture, np.uint8))
        del picture
    for _ in range(20):
        pool.take()[:] = 99
    for value, view in enumerate(views):
        assert (np.asarray(view) == value).all()


def test_pictures_may_be_dropped_in_another_thread() -> None:
    pool = PicturePool(4, 5)
    handed: list[np.ndarray] = []
    wrong = []
    go_on = threading.Semaphore(0)

    def drop() -> None:
        for value in range(500):
            go_on.acquire()
            picture = handed.pop()
            if not (picture == value % 256).all():
                wrong.append(value)
            del picture

    dropper = threading.Thread(target=drop)
    dropper.start()
    for value in range(500):
        picture = pool.take()
        picture[:] = value % 256
        handed.insert(0, picture)
        del picture
        go_on.release()
    dropper.join()
    assert wrong == []
