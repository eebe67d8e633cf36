"""Links of Windows: where they lead, and what of that can be said elsewhere."""

import contextlib
import struct

import pytest
from hypothesis import given
from hypothesis import strategies as st

from orchestrator.core.reparse import PointKind, as_posix, kind_of_tag, parse_point


def symlink(target: str, *, relative: bool = False, shown: str = "what people see") -> bytes:
    """A symbolic link as Windows stores it: print name first (MS-FSCC 2.1.2.4)."""
    names = [one.encode("utf-16-le", "surrogatepass") for one in (shown, target)]
    fixed = struct.pack("<HHHHI", len(names[0]), len(names[1]), 0, len(names[0]), relative)
    return point(0xA000000C, fixed + b"".join(names))


def junction(target: str) -> bytes:
    """MS-FSCC 2.1.2.5: substitute name first, each with a zero behind it."""
    names = [one.encode("utf-16-le") for one in (target, "shown")]
    fixed = struct.pack("<HHHH", 0, len(names[0]), len(names[0]) + 2, len(names[1]))
    return point(0xA0000003, fixed + names[0] + b"\0\0" + names[1] + b"\0\0")


def point(tag: int, content: bytes) -> bytes:
    return struct.pack("<IHH", tag, len(content), 0) + content


@pytest.mark.parametrize(
    ("data", "kind", "target", "text"),
    [
        (symlink(r"..\Finance\x.txt", relative=True), PointKind.SYMLINK, r"..\Finance\x.txt", "../Finance/x.txt"),
        (symlink(r"\Data", relative=True), PointKind.SYMLINK, r"\Data", None),
        (symlink(r"\??\C:\Data\x"), PointKind.SYMLINK, r"C:\Data\x", None),
        (symlink(r"\??\UNC\fs01\share\x"), PointKind.SYMLINK, r"\\fs01\share\x", None),
        (junction(r"\??\D:\Old"), PointKind.JUNCTION, r"D:\Old", None),
        (
            junction("\\??\\Volume{c0ffee00-0000-1111-2222-333344445555}\\"),
            PointKind.JUNCTION, "Volume{c0ffee00-0000-1111-2222-333344445555}\\", None,
        ),
        (point(0xA000001D, b"\2\0\0\0/usr/bin/x"), PointKind.WSL_LINK, "/usr/bin/x", "/usr/bin/x"),
        (point(0xA000001D, b"\2\0\0\0" + "../ä".encode()), PointKind.WSL_LINK, "../ä", "../ä"),
        (point(0x80000013, b"chunks"), PointKind.DEDUPLICATED, "", None),
        (point(0x9000601A, b""), PointKind.CLOUD, "", None),
    ],
)  # fmt: skip
def test_each_kind_is_told_apart_with_where_it_leads(data: bytes, kind: PointKind, target: str, text: str) -> None:
    found = parse_point(data)
    assert (found.kind, found.target, as_posix(found)) == (kind, target, text)


@pytest.mark.parametrize(
    ("tag", "kind"),
    [
        (0x80000024, PointKind.WSL_SPECIAL),
        (0x80000017, PointKind.COMPRESSED),
        (0xC0000004, PointKind.STORED_ELSEWHERE),
        (0x9000001A, PointKind.CLOUD),
        (0x20000FFF, PointKind.OTHER_LINK),
        (0x00000FFF, PointKind.OTHER),
    ],
)
def test_what_is_no_link_is_known_by_its_tag(tag: int, kind: PointKind) -> None:
    assert kind_of_tag(tag) is kind


@pytest.mark.parametrize(
    ("data", "told"),
    [
        (b"", "cut short"),
        (struct.pack("<IHH", 0xA000000C, 40, 0), "tells of 40 bytes and holds 0"),
        (point(0xA000000C, bytes(11)), "cut short"),
        (point(0xA000000C, bytes(12)), "a name of 0 bytes"),
        (point(0xA0000003, struct.pack("<HHHH", 2, 4, 0, 0) + b"abcd"), "a name of 4 bytes at 2 of 4"),
        (point(0xA0000003, struct.pack("<HHHH", 0, 3, 0, 0) + b"abcd"), "a name of 3 bytes"),
        (point(0xA000001D, b"\2\0\0\0"), "leads nowhere"),
        (symlink("half\ud83d", relative=True), "half a character"),
        (symlink("nul\0x", relative=True), "no name can be"),
    ],
)
def test_a_link_that_does_not_fit_together_is_refused_in_words(data: bytes, told: str) -> None:
    with pytest.raises(ValueError, match=told):
        parse_point(data)


@given(st.binary(max_size=80), st.sampled_from([0xA000000C, 0xA0000003, 0xA000001D, 0x80000013]))
def test_any_bytes_are_a_point_or_an_error_in_words(noise: bytes, tag: int) -> None:
    for data in (noise, point(tag, noise), point(tag, struct.pack("<HHHH", 0, len(noise) & ~1, 0, 0) + noise)):
        with contextlib.suppress(ValueError):
            as_posix(parse_point(data))
