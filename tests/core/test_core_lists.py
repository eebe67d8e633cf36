"""List files as they come: from Windows, from find, from a spreadsheet, and broken."""

import codecs

import pytest

from orchestrator.core.errors import JobInvalid
from orchestrator.core.lists import texts_in

THREE = ("fs01", "Büro-Ablage", "print server")
TEXT = "\n".join(THREE)


@pytest.mark.parametrize(
    "content",
    [
        TEXT.encode(),
        f"{TEXT}\n".encode(),
        f"\n\n  {TEXT}\n\n".encode(),
        TEXT.replace("\n", "\r\n").encode(),
        TEXT.replace("\n", "\r").encode(),
        codecs.BOM_UTF8 + TEXT.replace("\n", "\r\n").encode(),
        f"\ufeff{TEXT}\r\n".encode("utf-16-le"),
        f"\ufeff{TEXT}\r\n".encode("utf-16-be"),
        "\0".join(THREE).encode(),
        ("\0".join(THREE) + "\0").encode(),
        ("\0".join(THREE) + "\0\n").encode(),
        f"# servers of Berlin\n{TEXT}\nfs01\n#fs02\n".encode(),
    ],
)
def test_a_list_is_read_whoever_wrote_it(content: bytes) -> None:
    assert texts_in(content, "berlin.txt") == THREE


def test_with_nul_in_it_every_character_counts() -> None:
    assert texts_in(b" a \0#b\0c\nd\0", "list") == (" a ", "#b", "c\nd")


def test_a_hundred_thousand_lines_are_read() -> None:
    content = b"\r\n".join(b"vm-%06d" % number for number in range(100_000))
    assert len(texts_in(content, "list")) == 100_000


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "berlin.txt: the list is empty; put one name on each line"),
        (b"\xef\xbb\xbf\r\n# nothing\r\n", "the list is empty"),
        ("fs01\nBüro\n".encode("latin-1"), "line 2 is not UTF-8 text (byte 6); save the list as UTF-8"),
        ("fs01\n".encode("utf-16-le"), "looks like UTF-16 without a byte order mark; save the list as UTF-8"),
        ("fs01\n".encode("utf-16-be"), "looks like UTF-16 without a byte order mark; save the list as UTF-8"),
        (codecs.BOM_UTF16_LE + b"f\0s\0x", "line 1 is not UTF-16 text"),
    ],
)
def test_a_list_in_another_encoding_or_without_a_name_is_refused_with_its_place(content: bytes, message: str) -> None:
    with pytest.raises(JobInvalid) as caught:
        texts_in(content, "berlin.txt")
    assert message in str(caught.value)
