"""Security descriptors as text and back: nothing is lost, nothing is guessed, and noise is an error in words."""

import contextlib
import struct

import pytest
from hypothesis import given
from hypothesis import strategies as st

from orchestrator.core.sddl import to_sddl
from orchestrator.core.security import (
    DACL_FLAGS,
    LONGEST,
    OBJECT_TYPES,
    SACL_FLAGS,
    Ace,
    AceType,
    Control,
    Descriptor,
    parse,
)
from tests.support.sddl import from_sddl, pack, sid_bytes, sid_text

# What Samba 4.17 makes of these descriptors (samba.dcerpc.security.descriptor.from_sddl, ndr_pack).
OF_SAMBA = {
    "O:BAG:SYD:PAI(A;OICI;FA;;;BA)(A;OICIID;0x1200a9;;;S-1-5-21-1-2-3-1001)(D;NPIO;GW;;;WD)S:AI(AU;SAFA;FA;;;WD)": (
        "0100149c1400000024000000300000004c0000000102000000000005200000002002000001010000000000051200000004001c"
        "000100000002c01400ff011f00010100000000000100000000040058000300000000031800ff011f0001020000000000052000"
        "00002002000000132400a9001200010500000000000515000000010000000200000003000000e9030000010c14000000004001"
        "0100000000000100000000"
    ),
    (
        "O:S-1-5-21-1-2-3-1001G:S-1-5-21-1-2-3-513D:AR(OA;CI;0x30;bf967aba-0de6-11d0-a285-00aa003049e2;;AU)"
        "(OD;;0x20;;bf967aa5-0de6-11d0-a285-00aa003049e2;PS)"
        "(OA;IO;0x100;bf967aba-0de6-11d0-a285-00aa003049e2;bf967aa5-0de6-11d0-a285-00aa003049e2;CO)"
    ): (
        "010004811400000030000000000000004c000000010500000000000515000000010000000200000003000000e9030000010500"
        "000000000515000000010000000200000003000000010200000400900003000000050228003000000001000000ba7a96bfe60d"
        "d011a28500aa003049e201010000000000050b000000060028002000000002000000a57a96bfe60dd011a28500aa003049e201"
        "010000000000050a000000050838000001000003000000ba7a96bfe60dd011a28500aa003049e2a57a96bfe60dd011a28500aa"
        "003049e2010100000000000300000000"
    ),
    "D:": "01000480000000000000000000000000140000000400080000000000",
    "D:P(A;;FR;;;BU)": (
        "01000490000000000000000000000000140000000400200001000000000018008900120001020000000000052000000021020000"
    ),
}


@pytest.mark.parametrize("text", OF_SAMBA)
def test_what_samba_has_packed_is_read_and_packed_again_alike(text: str) -> None:
    data = bytes.fromhex(OF_SAMBA[text])
    assert to_sddl(data) == text
    # Samba always writes the list's revision 4; Windows and this project write 4 only where an entry needs it.
    assert parse(from_sddl(text)) == parse(data)


@pytest.mark.parametrize(
    ("text", "plain"),
    [
        # from the specification and the vendor's documentation
        ("O:BAG:SYD:(A;;RPWPCCDCLCSWRCWDWOGA;;;S-1-0-0)", "O:BAG:SYD:(A;;0x100e003f;;;S-1-0-0)"),
        ("D:(A;;0x7;;;WD)(A;;7;;;WD)(A;;07;;;WD)", "D:(A;;0x7;;;WD)(A;;0x7;;;WD)(A;;0x7;;;WD)"),
        ("S:(ML;;NWNR;;;LW)(ML;;NX;;;HI)(SP;;;;;S-1-17-1)", "S:(ML;;0x3;;;LW)(ML;;NX;;;HI)(SP;;0x0;;;S-1-17-1)"),
        ("O:S-1-5-32-544", "O:BA"),
        ("G:S-1-0xffFFFFFFFF-1", "G:S-1-0x00FFFFFFFFFF-1"),
        ("O:WDD:ARAI", "O:WDD:ARAI"),
        ("O:BGG:WDD:S:", "O:BGG:WDD:S:"),
        ("D:NO_ACCESS_CONTROL", "D:NO_ACCESS_CONTROL"),
        ("D:PNO_ACCESS_CONTROLS:P", "D:PNO_ACCESS_CONTROLS:P"),
        ("", ""),
    ],
)
def test_every_way_to_write_it_becomes_one(text: str, plain: str) -> None:
    assert to_sddl(from_sddl(text)) == plain


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("O:DA", "DA means another account in every domain; write its SID"),
        ("O:XX", "'XX' is no SID"),
        ("O:S-1-5", "is no SID"),
        ("O:S-1-5-4294967296", "too large"),
        ("D:(A;;FA;;;WD", "no SDDL"),
        ("D:(A;;FA;;WD)", "six fields"),
        ('D:(XA;;FX;;;S-1-1-0;(@User.Title=="VP"))', "no SDDL"),
        ("D:(XA;;FX;;;WD)", "a kind that is not understood: 'XA'"),
        ("D:(RA;;;;;WD)", "a kind that is not understood"),
        ("D:(A;ZZ;FA;;;WD)", "'ZZ' is not a flag of an entry"),
        ("D:(A;;ZZ;;;WD)", "'ZZ' is not a right"),
        ("D:Q(A;;FA;;;WD)", "'Q' is not a flag of a list"),
        ("D:(A;;99999999999;;;WD)", "not a right"),
        ("D:(A;;9999999999;;;WD)", "more than 32 bits"),
        ("D:(A;;FA;bf967aba-0de6-11d0-a285-00aa003049e2;;WD)", "names an object"),
        ("D:(OA;;FA;bf967aba;;WD)", "is no GUID"),
        ("D:NO_ACCESS_CONTROL(A;;FA;;;WD)", "stands before entries"),
        ("G:BAO:BA", "no SDDL"),
        ("x" * (1 << 21), "longer than any"),
        ("D:" + "(A;;FA;;;WD)" * 4000, "longer than a list can be"),
    ],
)
def test_what_is_no_sddl_or_more_than_is_understood_is_refused_in_words(text: str, told: str) -> None:
    with pytest.raises(ValueError, match=told):
        from_sddl(text)


GOOD = bytes.fromhex(OF_SAMBA["D:P(A;;FR;;;BU)"])


def spoilt(place: int, *values: int) -> bytes:
    return GOOD[:place] + bytes(values) + GOOD[place + len(values) :]


@pytest.mark.parametrize(
    ("data", "told"),
    [
        (b"", "cut short"),
        (GOOD[:30], "leaves a descriptor"),
        (spoilt(0, 2), "revision 2"),
        (spoilt(3, 0), "not self-relative"),
        (spoilt(16, 255), "cut short"),
        (spoilt(4, 50), "cut short|revision"),
        (spoilt(20, 3), "revision 3"),
        (spoilt(22, 4), "leaves a descriptor"),
        (spoilt(24, 2), "cut short"),
        (spoilt(28, 9), "an entry with a condition, which is not understood"),
        (spoilt(28, 0x12), "an entry with a claim about the file"),
        (spoilt(28, 0x77), "an entry of the kind 0x77"),
        (spoilt(30, 4), "leaves its access list"),
        (spoilt(30, 200), "leaves its access list"),
        (spoilt(36, 9), "revision 9"),
        (spoilt(37, 16), "16 parts"),
        (spoilt(37, 1), "holds more than is understood"),
        (bytes(LONGEST + 1), "longer than any"),
    ],
)
def test_a_descriptor_that_does_not_parse_is_refused_in_words(data: bytes, told: str) -> None:
    with pytest.raises(ValueError, match=told):
        to_sddl(data)


def test_flags_of_a_list_that_is_not_there_count_for_nothing() -> None:
    assert to_sddl(struct.pack("<BBHIIII", 1, 0, 0xB400, 0, 0, 0, 0)) == ""


SIDS = st.builds(
    lambda authority, parts: "-".join(
        ("S-1", f"0x{authority:012X}" if authority >= 1 << 32 else str(authority), *map(str, parts))
    ),
    st.integers(0, (1 << 48) - 1) | st.sampled_from([1, 3, 5, 16]),
    st.lists(st.integers(0, (1 << 32) - 1) | st.sampled_from([0, 32, 544, 18]), min_size=1, max_size=15),
)
UUIDS = st.none() | st.uuids().map(str)


def ace(kind: AceType, *rest: object) -> Ace:
    return Ace(kind, *(rest if kind in OBJECT_TYPES else rest[:3]))  # type: ignore[arg-type]


MASKS = st.integers(0, (1 << 32) - 1) | st.sampled_from([0x1F01FF, 0x120089, 1, 2, 3])
LISTS = st.none() | st.lists(
    st.builds(ace, st.sampled_from(AceType), st.integers(0, 255), MASKS, SIDS, UUIDS, UUIDS), max_size=6
).map(tuple)


@st.composite
def descriptors(draw: st.DrawFn) -> Descriptor:
    control, lists = Control.SELF_RELATIVE, []
    for there, flags in ((Control.DACL_PRESENT, DACL_FLAGS), (Control.SACL_PRESENT, SACL_FLAGS)):
        aces = draw(LISTS)
        if aces is not None or draw(st.booleans()):
            control |= there | Control(draw(st.integers(0, 0xFFFF)) & flags)
        lists.append(aces)
    owner, group = draw(st.none() | SIDS), draw(st.none() | SIDS)
    return Descriptor(control, owner, group, *lists)


@given(descriptors())
def test_every_descriptor_comes_back_as_it_was(descriptor: Descriptor) -> None:
    data = pack(descriptor)
    assert parse(data) == descriptor
    assert from_sddl(to_sddl(data)) == data


@given(SIDS)
def test_every_sid_comes_back_as_it_was(text: str) -> None:
    assert sid_text(sid_bytes(text)) == text


@given(st.binary(max_size=300), st.integers(0, 200), st.integers(0, 255))
def test_any_bytes_are_a_descriptor_or_an_error_in_words(noise: bytes, place: int, value: int) -> None:
    good = bytearray.fromhex(next(iter(OF_SAMBA.values())))
    good[place % len(good)] = value
    for data in (noise, bytes(good), bytes(good) + noise, GOOD[:20] + noise):
        with contextlib.suppress(ValueError):
            text = to_sddl(data)
            assert to_sddl(from_sddl(text)) == text


@given(st.text(max_size=60) | st.text("OGDS:()ABU;0x1", max_size=60))
def test_any_text_is_a_descriptor_or_an_error_in_words(text: str) -> None:
    with contextlib.suppress(ValueError):
        assert from_sddl(to_sddl(from_sddl(text))) == from_sddl(text)
