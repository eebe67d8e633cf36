"""The three path worlds: spellings of guest paths, and targets that never leave their root."""

import posixpath
from datetime import UTC, datetime

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from orchestrator.core.layout import PLAIN
from orchestrator.core.paths import (
    GuestPath,
    PathRefused,
    expand_destination,
    fold,
    lies_below,
    parse_guest_path,
    safe_component,
    target_path,
    volume_folder,
)
from orchestrator.core.reasons import Reason

CREATED = datetime(2026, 11, 20, 6, 0, tzinfo=UTC)
NAMES = st.text(st.characters(exclude_characters="/"), max_size=12) | st.sampled_from(
    ["..", ".", "", "C:", "\\\\host", "..\\..", "CON", "nul.txt", "a:b", "\x00", "\udcff", "a" * 300]
)


@pytest.mark.parametrize(
    ("text", "volume", "parts", "shown"),
    [
        ("C:\\Shares\\Finance", "C:", ("Shares", "Finance"), "C:\\Shares\\Finance"),
        ("c:/Shares//Finance/", "C:", ("Shares", "Finance"), "C:\\Shares\\Finance"),
        ("D:\\", "D:", (), "D:\\"),
        ("D:", "D:", (), "D:\\"),
        ("/srv//data/", "/", ("srv", "data"), "/srv/data"),
        ("/", "/", (), "/"),
        ("Volume$0:\\a", "Volume$0:", ("a",), "Volume$0:\\a"),
        ("*", "*", (), "*"),
        ("/srv/a\\b", "/", ("srv", "a\\b"), "/srv/a\\b"),
    ],
)
def test_guest_paths_are_read_in_every_usual_spelling(
    text: str, volume: str, parts: tuple[str, ...], shown: str
) -> None:
    path = parse_guest_path(text)
    assert path == GuestPath(volume, parts)
    assert str(path) == shown
    assert parse_guest_path(str(path)) == path


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "empty"),
        ("  ", "empty"),
        ("Shares", "not an absolute"),
        ("C:Shares", "not an absolute"),
        ("\\\\srv\\share", "not an absolute"),
        ("C:\\a\\..\\b", "holds . or .."),
        ("/srv/./x", "holds . or .."),
        ("C:\\\x00", "NUL"),
        ("C:\temp", "single quotes"),
        ("C:\\Shares\new", "single quotes"),
    ],
)
def test_a_guest_path_that_cannot_be_meant_is_refused_with_the_reason(text: str, said: str) -> None:
    with pytest.raises(PathRefused, match=said):
        parse_guest_path(text)


@pytest.mark.parametrize(
    ("outer", "inner", "held"),
    [
        ("C:\\a", "C:\\a", True),
        ("C:\\A", "c:\\a\\b", True),
        ("C:\\a", "C:\\ab", False),
        ("C:\\", "D:\\a", False),
        ("*", "D:\\a", True),
        ("/srv", "/srv/a", True),
        ("/srv", "/SRV/a", False),
        ("C:\\Straße", "C:\\STRASSE", False),
    ],
)
def test_a_path_holds_itself_and_what_lies_below_it_in_its_guests_letter_case(
    outer: str, inner: str, held: bool
) -> None:
    assert parse_guest_path(outer).holds(parse_guest_path(inner)) is held


def test_windows_takes_letters_one_by_one_when_it_compares_names() -> None:
    assert fold("Größe") == fold("GRÖßE")
    assert fold("straße") != fold("STRASSE")


@given(NAMES, st.lists(NAMES, max_size=5), st.booleans())
@example("*", ["x"], False)
@example("..:", ["x"], False)
def test_a_target_never_leaves_its_root_whatever_the_names(volume: str, names: list[str], windows: bool) -> None:
    try:
        target = target_path("/restore/root", PLAIN.landing(GuestPath(volume, tuple(names))), windows_rules=windows)
    except PathRefused:
        return
    pieces = target.relative.split("/")
    assert not {"..", "."} & set(pieces)
    assert not target.relative.startswith("/")
    assert "\x00" not in target.relative
    landed = posixpath.normpath(posixpath.join(target.root, target.relative))
    assert landed == "/restore/root" or landed.startswith("/restore/root/")
    if windows:
        assert not set(target.relative) & set('\\:<>"|?*')


@pytest.mark.parametrize(
    ("relative", "windows", "reason"),
    [
        ("a/../b", False, Reason.OUTSIDE_TARGET),
        ("a\\..\\b", True, Reason.OUTSIDE_TARGET),
        ("C:x", True, Reason.OUTSIDE_TARGET),
        ("a\x00", False, Reason.NAME_UNUSABLE),
        ("é" * 128, False, Reason.TOO_LONG),
        ("con.txt", True, Reason.NAME_UNUSABLE),
        ("COM¹", True, Reason.NAME_UNUSABLE),
        ("dot.", True, Reason.NAME_UNUSABLE),
        ("a?b", True, Reason.NAME_UNUSABLE),
    ],
)
def test_a_name_that_cannot_stay_or_be_held_is_refused_with_its_reason(
    relative: str, windows: bool, reason: Reason
) -> None:
    with pytest.raises(PathRefused) as refused:
        target_path("/r", ("C", *relative.split("/")), windows_rules=windows)
    assert refused.value.reason is reason


def test_a_target_keeps_the_guests_folders_below_the_volume() -> None:
    assert target_path("/r", ("C", "Shares", "a.txt")).relative == "C/Shares/a.txt"
    assert target_path("/r", ("C", "con.txt")).relative == "C/con.txt"


@pytest.mark.parametrize(
    ("volume", "folder"),
    [("C:", "C"), ("/", ""), ("Volume$0:", "Volume$0"), ("..", "_"), (":", "root"), ("a/b", "a_b")],
)
def test_each_volume_has_a_folder_that_is_one_plain_name(volume: str, folder: str) -> None:
    assert volume_folder(volume) == folder


@given(st.text())
def test_a_safe_component_is_one_name(name: str) -> None:
    safe = safe_component(name)
    assert safe not in ("", ".", "..")
    assert not set(safe) & set('/\\:<>"|?*\x00\n')


@pytest.mark.parametrize("name", ["CON", "nul", "Com1.log"])
def test_a_machine_named_like_a_windows_device_gets_a_folder_of_another_name(name: str) -> None:
    assert safe_component(name) == f"_{name}"


def test_a_destination_is_filled_in_with_dates_in_utc() -> None:
    filled = expand_destination("/r/{vm}/{run}/{point}/{date}", vm="a/b", run="r1", created=CREATED)
    assert filled == "/r/a_b/r1/20261120T060000Z/2026-11-20"


@pytest.mark.parametrize("template", ["/r/{VM}", "/r/{}", "/r/{vm", "/r/vm}", "/r/{{vm}}", "/r/{vm}}"])
def test_an_unknown_placeholder_or_a_lone_brace_is_refused(template: str) -> None:
    with pytest.raises(PathRefused, match=r"there are \{vm\}, \{run\}, \{point\}, \{date\}"):
        expand_destination(template, vm="fs01", run="r1", created=CREATED)


def test_a_destination_with_a_nul_is_refused_before_it_reaches_the_disk() -> None:
    with pytest.raises(PathRefused, match="control character"):
        expand_destination("/r/\x00", vm="fs01", run="r1", created=CREATED)


@pytest.mark.parametrize(
    ("folder", "roots", "below"),
    [
        ("/restore", ["/restore"], True),
        ("/restore/a", ["/restore/"], True),
        ("/restore//a/./b", ["/x", "/restore"], True),
        ("/restored", ["/restore"], False),
        ("/restore/../etc", ["/restore"], False),
        ("restore/a", ["/restore"], False),
        ("\\\\restore\\a", ["/restore"], False),
        ("//restore/a", ["/restore"], False),
        ("/restore\\a", ["/restore"], False),
        ("C:\\restore\\a", ["C:\\restore"], True),
        ("C:/restore/a", ["c:\\restore"], True),
        ("C:restore\\a", ["C:\\restore"], False),
        ("D:\\restore", ["C:\\restore"], False),
        ("\\\\nas\\share\\a", ["\\\\nas\\share"], True),
        ("\\\\nas\\share2", ["\\\\nas\\share"], False),
        ("C:\\restore\\..\\x", ["C:\\restore"], False),
        ("/anything", ["/"], True),
        ("", ["/"], False),
    ],
)
def test_a_destination_lies_below_an_allowed_root_or_it_does_not(folder: str, roots: list[str], below: bool) -> None:
    assert lies_below(folder, roots) is below
