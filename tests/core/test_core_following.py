"""Where links of a guest lead: to a place of their own volume, or nowhere."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from orchestrator.core.following import holds_itself, led_to
from orchestrator.core.locate import Volume
from orchestrator.core.paths import SourcePath

DRIVE = Volume("D:", "D:", (), SourcePath("/mnt/fs01/Volume2", ""))
MOUNTED = Volume("D:\\Data", "D:", ("Data",), SourcePath("/mnt/fs01/Volume3", ""))
LINUX = Volume("/", "/", (), SourcePath("/mnt/web01/root", ""))
SRV = Volume("/srv", "/", ("srv",), SourcePath("/mnt/web01/srv", ""))


@pytest.mark.parametrize(
    ("volume", "text", "led"),
    [
        (DRIVE, "../x", "A/x"),
        (DRIVE, r"..\..\x", "x"),
        (DRIVE, "../../../x", None),
        (DRIVE, ".", "A/B"),
        (DRIVE, r"\Top\x", "Top/x"),
        (DRIVE, r"D:\Old\.\x", "Old/x"),
        (DRIVE, r"d:\Old", "Old"),
        (DRIVE, "D:", ""),
        (DRIVE, r"D:\Old\..\..\x", None),
        (DRIVE, r"C:\Windows", None),
        (DRIVE, r"\\fs02\share\x", None),
        (DRIVE, "Volume{c0ffee00-0000-1111-2222-333344445555}\\", None),
        (DRIVE, "/usr/bin", None),
        (MOUNTED, r"D:\Data\x", "x"),
        (MOUNTED, r"D:\DATA", ""),
        (MOUNTED, r"D:\Other", None),
        (MOUNTED, "../../x", "x"),
        (MOUNTED, "../../../x", None),
        (LINUX, "/etc/x", "etc/x"),
        (LINUX, "../x", "A/x"),
        (LINUX, "D:", "A/B/D:"),
        (LINUX, "a\\b", "A/B/a\\b"),
        (SRV, "/srv/x", "x"),
        (SRV, "/srv", ""),
        (SRV, "/Srv/x", None),
        (SRV, "/etc/x", None),
        (SRV, "../../../srv/x", "x"),
        (SRV, "../../../etc", None),
    ],
)
def test_a_link_leads_to_a_place_of_its_own_volume_or_nowhere(volume: Volume, text: str, led: str | None) -> None:
    assert led_to(volume, "A/B", text) == led


@given(st.sampled_from([DRIVE, MOUNTED, LINUX, SRV]), st.text("./\\aD:", max_size=20), st.text("./\\aD:", max_size=20))
def test_no_link_whatever_it_says_leads_out(volume: Volume, folder: str, text: str) -> None:
    led = led_to(volume, folder.replace("..", ""), text)
    if led is not None:
        assert ".." not in led.split("/")
        assert not led.startswith("/")


@pytest.mark.parametrize(
    ("led", "trail", "circle"),
    [
        ("A", ("A",), True),
        ("A", ("B", "A/B"), True),
        ("", ("A",), True),
        ("A/B", ("A",), False),
        ("AB", ("A", "ABC"), False),
    ],
)
def test_a_folder_that_is_being_walked_is_not_walked_into(led: str, trail: tuple[str, ...], circle: bool) -> None:
    assert holds_itself(led, trail) is circle
