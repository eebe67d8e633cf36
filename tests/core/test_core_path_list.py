"""Lists of paths as Windows tools, Linux tools and people write them."""

import codecs
import time

import pytest

from orchestrator.core.errors import JobInvalid
from orchestrator.core.path_list import paths_in

PATHS = ["C:\\Größe\\a.txt", "D:\\b c.txt"]
TEXT = "\n".join(PATHS)


@pytest.mark.parametrize(
    "content",
    [
        TEXT.encode(),
        f"{TEXT}\n\n".encode(),
        f"{TEXT}\r\n".replace("\n", "\r\n").encode(),
        TEXT.encode("utf-8-sig"),
        TEXT.encode("utf-16"),
        codecs.BOM_UTF16_BE + TEXT.encode("utf-16-be"),
        "\x00".join(PATHS).encode(),
        f"{TEXT}\x00".replace("\n", "\x00").encode("utf-8-sig"),
        ("\r\n".join(f'"{path}"' for path in PATHS)).encode(),
        f"# found by hand\n\n  {PATHS[0]}  \t\r\n\t{PATHS[1]} \n{PATHS[0]}".encode(),
    ],
)
def test_the_paths_of_a_list_are_found_however_it_was_saved(content: bytes) -> None:
    assert paths_in(content, "found.txt") == PATHS


def test_every_character_of_a_name_counts_between_nuls() -> None:
    assert paths_in(b"/srv/a\nb \x00/srv/# c\x00", "found.txt") == ["/srv/a\nb ", "/srv/# c"]


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"", "the list is empty"),
        (b"\xef\xbb\xbf\r\n# only this\r\n", "the list is empty"),
        ("C:\\a\nC:\\Größe".encode("cp1252"), r"line 2 is not UTF-8 text \(byte 10\); save the list as UTF-8"),
        ("C:\\a\nD:\\b".encode("utf-16-le"), "UTF-16 without a byte order mark"),
        (b"C:\\a\nShares\nC:\\a\\..\\b", r"line 2: 'Shares' is not an absolute .*; 3: .* holds \. or \.\."),
        (b"C:\\a\x00Shares\x00", "line 2: 'Shares' is not an absolute guest path"),
        (b"x%d\n" * 100 % tuple(range(100)), "line 1: .*; 5: .*; and 95 more"),
        (b"C:\\a\tb", "line 1: .* holds a control character"),
    ],
)
def test_a_list_that_cannot_be_meant_is_refused_with_the_place(content: bytes, said: str) -> None:
    with pytest.raises(JobInvalid, match=rf"^found\.txt: .*{said}"):
        paths_in(content, "found.txt")


def test_a_list_of_too_many_paths_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("orchestrator.core.path_list.MOST_PATHS", 2)
    with pytest.raises(JobInvalid, match=r"found\.txt: it has more than 2 paths; name the folders that hold them"):
        paths_in(b"/a\n/b\n/c\n", "found.txt")


def test_a_hundred_thousand_lines_are_read_within_seconds() -> None:
    content = b"".join(b"C:\\Shares\\%d\\%d.docx\r\n" % (number % 100, number) for number in range(100_000))
    begun = time.process_time()
    assert len(paths_in(content, "found.txt")) == 100_000
    assert time.process_time() - begun < 8
