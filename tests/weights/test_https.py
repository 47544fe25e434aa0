from __future__ import annotations

import errno
import random
import socket
import threading
from collections import namedtuple

import pytest

from weights import https
from weights.errors import DownloadError
from weights.https import Patience, download

DATA = random.Random(1).randbytes(1_000_003)
QUICK = Patience(timeout_s=5, attempts=3, first_pause_s=0)


@pytest.fixture(autouse=True)
def _served(site, monkeypatch):
    site.data = DATA
    monkeypatch.setenv("no_proxy", "127.0.0.1")


def ranges(site) -> list[str | None]:
    return [asked.get("Range") for asked in site.asked]


def test_a_file_arrives_whole_and_progress_ends_at_its_size(site, tmp_path):
    seen = []
    download(site.base + "/a", tmp_path / "a.part", lambda done, total: seen.append((done, total)), QUICK)
    assert (tmp_path / "a.part").read_bytes() == DATA
    assert seen[0] == (0, len(DATA)) and seen[-1] == (len(DATA), len(DATA)) and seen == sorted(seen)
    assert [path.name for path in tmp_path.iterdir()] == ["a.part"]


def test_a_broken_connection_goes_on_where_it_stopped(site, tmp_path):
    site.cut_after = [1000, 70_000, 0]
    download(site.base + "/a", tmp_path / "a.part", patience=QUICK)
    assert (tmp_path / "a.part").read_bytes() == DATA
    assert ranges(site) == [None, "bytes=1000-", "bytes=71000-", "bytes=71000-"]


def test_another_run_resumes(site, tmp_path):
    site.cut_after = [5000]
    with pytest.raises(DownloadError, match="ended after 5000 of 1000003 bytes; gave up after 1 tries"):
        download(site.base + "/a", tmp_path / "a.part", patience=Patience(5, 1, 0))
    download(site.base + "/a", tmp_path / "a.part", patience=QUICK)
    assert (tmp_path / "a.part").read_bytes() == DATA and ranges(site)[-1] == "bytes=5000-"


def test_a_server_without_ranges_sends_all_again(site, tmp_path):
    site.ranges, site.cut_after = False, [1000]
    download(site.base + "/a", tmp_path / "a.part", patience=QUICK)
    assert (tmp_path / "a.part").read_bytes() == DATA


def test_a_changed_file_is_begun_again(site, tmp_path):
    site.cut_after = [1000]
    with pytest.raises(DownloadError):
        download(site.base + "/a", tmp_path / "a.part", patience=Patience(5, 1, 0))
    site.data, site.etag = DATA[::-1], '"two"'
    download(site.base + "/a", tmp_path / "a.part", patience=QUICK)
    assert (tmp_path / "a.part").read_bytes() == DATA[::-1]
    assert site.asked[-1]["If-Range"] == '"one"'


@pytest.mark.parametrize("etag", [None, 'W/"weak"'])
def test_without_a_strong_validator_nothing_is_continued(site, tmp_path, etag):
    site.etag, site.cut_after = etag, [1000]
    download(site.base + "/a", tmp_path / "a.part", patience=QUICK)
    assert (tmp_path / "a.part").read_bytes() == DATA and ranges(site) == [None, None]


def test_part_of_another_address_is_not_continued(site, tmp_path):
    site.cut_after = [1000]
    with pytest.raises(DownloadError):
        download(site.base + "/a", tmp_path / "a.part", patience=Patience(5, 1, 0))
    download(site.base + "/b", tmp_path / "a.part", patience=QUICK)
    assert (tmp_path / "a.part").read_bytes() == DATA and ranges(site) == [None, None]


def test_a_range_that_was_not_asked_for_is_not_appended(site, tmp_path):
    site.cut_after, site.wrong_range = [1000], True
    download(site.base + "/a", tmp_path / "a.part", patience=QUICK)
    assert (tmp_path / "a.part").read_bytes() == DATA


def test_a_file_that_shrank_is_begun_again(site, tmp_path):
    site.cut_after = [1000]
    with pytest.raises(DownloadError):
        download(site.base + "/a", tmp_path / "a.part", patience=Patience(5, 1, 0))
    site.data = DATA[:900]
    download(site.base + "/a", tmp_path / "a.part", patience=QUICK)
    assert (tmp_path / "a.part").read_bytes() == DATA[:900]


def test_a_truncated_chunked_answer_is_noticed(site, tmp_path):
    site.chunked, site.cut_after = True, [1000]
    download(site.base + "/a", tmp_path / "a.part", patience=QUICK)
    assert (tmp_path / "a.part").read_bytes() == DATA


def test_a_redirect_is_followed(site, tmp_path):
    site.redirect_to = site.base + "/moved"
    download(site.base + "/a", tmp_path / "a.part", patience=QUICK)
    assert (tmp_path / "a.part").read_bytes() == DATA
    assert [asked["path"] for asked in site.asked] == ["/a", "/moved"]


def test_a_redirect_to_a_local_file_is_refused(site, tmp_path):
    site.redirect_to = "file:///etc/hostname"
    with pytest.raises(DownloadError, match="302"):
        download(site.base + "/a", tmp_path / "a.part", patience=QUICK)


def test_https_is_never_given_up_for_http():
    from urllib.request import Request

    with pytest.raises(DownloadError, match="redirects from https to http://x/"):
        https._NoDowngrade().redirect_request(Request("https://x/"), None, 302, "", {}, "http://x/")


@pytest.mark.parametrize("status", [403, 404])
def test_a_refusal_is_said_at_once(site, tmp_path, status):
    site.statuses = [status]
    with pytest.raises(DownloadError, match=f"the server answers {status}"):
        download(site.base + "/a", tmp_path / "a.part", patience=QUICK)
    assert len(site.asked) == 1


def test_a_busy_server_is_asked_again(site, tmp_path):
    site.statuses = [503, 500]
    download(site.base + "/a", tmp_path / "a.part", patience=QUICK)
    assert (tmp_path / "a.part").read_bytes() == DATA and len(site.asked) == 3


def test_a_server_that_stays_busy_is_given_up(site, tmp_path):
    site.statuses = [503] * 9
    with pytest.raises(DownloadError, match="answers 503 Service Unavailable; gave up after 3 tries"):
        download(site.base + "/a", tmp_path / "a.part", patience=QUICK)
    assert len(site.asked) == 3


def test_a_silent_server_is_left(site, tmp_path):
    site.hang = threading.Event()
    with pytest.raises(DownloadError, match=r"no answer within 0.2 s; gave up after 1 tries"):
        download(site.base + "/a", tmp_path / "a.part", patience=Patience(0.2, 1, 0))


def test_without_a_network_the_message_says_so(tmp_path, monkeypatch):
    def unknown(*arguments, **options):
        raise socket.gaierror(socket.EAI_NONAME, "Name or service not known")

    monkeypatch.setattr(socket, "getaddrinfo", unknown)
    with pytest.raises(
        DownloadError, match=r"^no network here, or the server's name leads nowhere \(Name or"
    ):
        download("https://files.test/a", tmp_path / "a.part", patience=QUICK)


def test_nobody_listens(site, tmp_path):
    with pytest.raises(DownloadError, match="refused"):
        download("http://127.0.0.1:9/a", tmp_path / "a.part", patience=Patience(5, 2, 0))


@pytest.mark.parametrize("chunked", [False, True])
def test_too_large_is_refused(site, tmp_path, chunked):
    site.chunked = chunked
    with pytest.raises(DownloadError, match="expected at most 1000 bytes"):
        download(site.base + "/a", tmp_path / "a.part", patience=Patience(5, 3, 0, max_bytes=1000))
    assert len(site.asked) == 1


def test_a_full_disk_is_named_before_and_while_writing(site, tmp_path, monkeypatch):
    usage = namedtuple("usage", "total used free")
    with monkeypatch.context() as patched:
        patched.setattr("weights.archive.shutil.disk_usage", lambda path: usage(0, 0, 1000))
        with pytest.raises(DownloadError, match="has 1000 bytes free, 1000003 are needed; make room"):
            download(site.base + "/a", tmp_path / "a.part", patience=QUICK)

    def full(*_: object) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(https, "_receive", full)
    with pytest.raises(DownloadError, match=r"disk of .* is full; make room"):
        download(site.base + "/a", tmp_path / "a.part", patience=QUICK)


def test_a_place_that_cannot_be_written_is_named(site, tmp_path):
    (tmp_path / "a.part").mkdir()
    with pytest.raises(DownloadError, match=r"cannot write .*a.part"):
        download(site.base + "/a", tmp_path / "a.part", patience=QUICK)


def test_the_proxy_of_the_environment_is_used(site, tmp_path, monkeypatch):
    monkeypatch.delenv("no_proxy")
    monkeypatch.setenv("http_proxy", site.base)
    download("http://weights.invalid/a", tmp_path / "a.part", patience=QUICK)
    assert (tmp_path / "a.part").read_bytes() == DATA
    assert site.asked[0]["path"] == "http://weights.invalid/a"
