"""The files of a mount are found on whichever candidate share shows them, and nowhere else."""

import os
from pathlib import Path

import pytest

from orchestrator.core.errors import FolderAmbiguous, FolderNotFound, MountStalled, ShareUnreadable, VolumeUnmatched
from orchestrator.core.locate import candidates
from orchestrator.engine import locating, probing
from orchestrator.engine.matching import Located
from orchestrator.files import LocalSource
from tests.support.mounts import C, D, Tree, put, search

OTHER: Tree = {"boot/vmlinuz": b"kernel", "etc/hosts": b"localhost"}


def mounted(share: Path, folder: str = "fs01_3c75de11") -> None:
    """A mount as a Windows mount host shows it; the order of its volumes says nothing."""
    put(share / folder / "Volume1", D)
    put(share / folder / "Volume2", C)


def where(found: Located) -> dict[str, str]:
    """The folder of each root."""
    return {volume.root: Path(volume.folder.root).name for volume in found.volumes}


async def test_a_mount_is_found_on_the_second_of_two_mount_hosts(tmp_path: Path) -> None:
    first, second = tmp_path / "vbr01", tmp_path / "mount02"
    with search([first, second], hosts={second: "mount02"}) as one:
        mounted(first, "fs01_00000000")  # left by a failed clean-up
        found = await one.find(lambda: mounted(second))
    assert (found.share, found.folder, found.host) == (str(second), "fs01_3c75de11", "mount02")
    assert {volume.root: Path(volume.folder.root).name for volume in found.volumes} == {
        "C:": "Volume2",
        "D:": "Volume1",
    }
    assert one.told == []


async def test_a_mount_that_two_shares_show_is_an_error_that_names_both(tmp_path: Path) -> None:
    first, second = tmp_path / "vbr01", tmp_path / "mount02"

    def both() -> None:
        mounted(first)
        mounted(second)

    with search([first, second]) as one, pytest.raises(FolderAmbiguous) as refused:
        await one.find(both)
    assert f"{first}/fs01_3c75de11, {second}/fs01_3c75de11" in str(refused.value)


async def test_two_shares_that_are_one_folder_are_taken_for_one_and_told_once(tmp_path: Path) -> None:
    first, second = tmp_path / "vbr01", tmp_path / "again"
    first.mkdir()
    second.symlink_to(first)
    with search([first, second]) as one:
        for folder in ("fs01_00000001", "fs01_00000002"):
            found = await one.find(lambda folder=folder: mounted(first, folder))  # type: ignore[misc] # one at a time
            assert (found.share, found.folder) == (str(first), folder)
    assert one.told == [f"{second} shows the same folder as {first}; keep one of them in the config"]


async def test_a_share_that_hangs_keeps_nobody_waiting_and_is_told_once(tmp_path: Path) -> None:
    dead, alive = tmp_path / "dead", tmp_path / "alive"
    with search([dead, alive], stall=600.0) as one:
        one.source.hangs.add(str(dead))
        for number in range(3):
            folder = f"fs01_0000000{number}"
            found = await one.find(lambda folder=folder: mounted(alive, folder))  # type: ignore[misc] # one at a time
            assert (found.share, found.folder) == (str(alive), folder)
        assert one.source.asked.count(str(dead)) == 1
        [told] = one.told
        assert f"the share {dead} of vbr01 is left out: no answer for 0.1 s (limits.probe_timeout)" in told
        one.source.let_go.set()
        while len(one.told) < 2:
            await one.locator.folders("vbr01", one.reach)
    assert one.told[1] == f"the share {dead} of vbr01 answers again"


async def test_more_shares_that_hang_than_there_are_threads_do_not_hide_one_that_answers(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(locating, "SHARES_AT_ONCE", 2)
    shares = [tmp_path / f"share{number}" for number in range(6)]
    with search(shares, stall=0.4) as one:
        one.source.hangs.update(str(share) for share in shares[:5])
        found = await one.find(lambda: mounted(shares[5]))
        assert found.share == str(shares[5])


async def test_shares_that_answer_at_once_are_not_listed_at_the_same_time(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(probing, "AT_ONCE", 60.0)
    shares = [tmp_path / f"share{number}" for number in range(16)]
    listing, most = set[str](), list[int]()
    with search(shares) as one:

        def answer(share: str) -> None:
            listing.add(share)
            most.append(len(listing))
            os.listdir(share)
            listing.discard(share)

        one.source.act = answer
        assert len(await one.locator.folders("vbr01", one.reach)) == 16
    assert max(most) == 1


async def test_shares_that_hang_hold_up_none_of_those_that_are_asked_after_them(tmp_path: Path) -> None:
    shares = [tmp_path / f"share{number}" for number in range(9)]
    with search(shares, stall=600.0) as one:
        one.source.hangs.update(str(share) for share in shares[:8])
        found = await one.find(lambda: mounted(shares[8]))
        assert found.share == str(shares[8])


async def test_while_no_share_has_answered_a_slow_one_is_waited_for(tmp_path: Path) -> None:
    slow, gone = tmp_path / "slow", tmp_path / "gone"
    with search([slow, gone], probe=0.05) as one:
        os.rmdir(gone)

        def answer(share: str) -> None:
            if share == str(slow):
                one.source.time.passes(5.0)
                one.source.let_go.wait(0.1)

        one.source.act = answer
        assert list(await one.locator.folders("vbr01", one.reach)) == [str(slow)]


async def test_when_no_share_can_be_listed_each_says_why(tmp_path: Path) -> None:
    first, second = tmp_path / "vbr01", tmp_path / "mount02"
    with search([first, second]) as one:
        os.rmdir(first)
        os.rmdir(second)
        with pytest.raises(ShareUnreadable) as refused:
            await one.locator.folders("vbr01", one.reach)
    assert f"{first}: No such file or directory; {second}: No such file or directory" in str(refused.value)


async def test_a_folder_that_does_not_appear_names_the_shares_that_could_not_be_listed(tmp_path: Path) -> None:
    dead, alive = tmp_path / "dead", tmp_path / "alive"
    with search([dead, alive], folder_timeout=0.1) as one:
        os.rmdir(dead)
        with pytest.raises(FolderNotFound, match=r"could be listed: .*/dead: No such file or directory"):
            await one.find(lambda: None)


async def test_an_old_folder_of_a_share_that_was_away_before_does_not_hide_the_new_one_elsewhere(
    tmp_path: Path,
) -> None:
    """It is there as soon as its share is back, before the mount appears where it really is."""
    away, there = tmp_path / "away", tmp_path / "there"
    mounted(tmp_path / "hidden", "fs01")
    looks: list[str] = []

    def come(share: str) -> None:
        looks.extend([share] if share == str(there) else [])
        if len(looks) == 3:
            mounted(there)

    with search([away, there], folder_timeout=5) as one:
        os.rmdir(away)
        one.source.act = come
        found = await one.find(lambda: os.rename(tmp_path / "hidden", away))
    assert found.share == str(there)


async def test_a_mount_on_a_share_that_was_away_before_is_found_when_its_time_is_over(tmp_path: Path) -> None:
    away, there = tmp_path / "away", tmp_path / "there"
    mounted(tmp_path / "hidden")
    with search([away, there], folder_timeout=0.1) as one:
        os.rmdir(away)
        found = await one.find(lambda: os.rename(tmp_path / "hidden", away))
    assert found.share == str(away)


async def test_a_candidate_whose_folder_hangs_is_an_error_only_when_there_is_no_other(tmp_path: Path) -> None:
    first, second = tmp_path / "vbr01", tmp_path / "mount02"
    with search([first, second], stall=0.2) as one:
        one.source.hangs.add(str(first / "fs01"))

        def both() -> None:
            mounted(first, "fs01")
            mounted(second)

        assert (await one.find(both)).share == str(second)
    with search([first], stall=0.2) as one:
        one.source.hangs.add(str(first / "fs01_11111111"))
        with pytest.raises(MountStalled, match=r"fs01_11111111: nothing moved for 0\.2 s"):
            await one.find(lambda: mounted(first, "fs01_11111111"))


async def test_an_expected_share_is_looked_at_alone_until_it_shows_the_folder_and_then_all_are(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(locating, "EXPECTED_ALONE", 1000)
    first, second = tmp_path / "vbr01", tmp_path / "mount02"
    looks: list[str] = []

    def come(share: str) -> None:
        looks.append(share)
        if len(looks) == 5:
            mounted(second)

    with search([first, second], folder_timeout=5) as one:
        one.source.act = come
        found = await one.find(lambda: None, expected=[str(second)])
    assert found.share == str(second)
    assert sorted(looks[:2]) == sorted(looks[5:]) == sorted([str(first), str(second)])
    assert looks[2:5] == [str(second)] * 3


async def test_a_wrong_expectation_costs_time_and_no_more(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(locating, "EXPECTED_ALONE", 2)
    first, second = tmp_path / "vbr01", tmp_path / "mount02"
    with search([first, second], folder_timeout=5) as one:
        assert (await one.find(lambda: mounted(first), expected=[str(second)])).share == str(first)


async def test_what_an_expected_share_shows_is_not_believed_when_another_shows_it_too(tmp_path: Path) -> None:
    first, second = tmp_path / "vbr01", tmp_path / "mount02"

    def both() -> None:
        mounted(first)
        mounted(second)

    with search([first, second]) as one, pytest.raises(FolderAmbiguous):
        await one.find(both, expected=[str(second)])


ID, V1, V2 = "0f7c", "9b12", "44aa"


def of_one_mount(share: Path) -> None:
    put(share / ID / V1, D)
    put(share / ID / V2, C)


def of_volumes(share: Path) -> None:
    put(share / V1, D)
    put(share / V2, C)


@pytest.mark.parametrize("appears", [of_one_mount, of_volumes])
async def test_on_a_linux_mount_host_volumes_are_told_by_what_they_hold(tmp_path: Path, appears: object) -> None:
    windows, linux = tmp_path / "vbr01", tmp_path / "lin01"
    assert callable(appears)
    with search([windows, linux], {"id-c": C, "id-d": D}, by_id=[linux], hosts={linux: "lin01"}) as one:
        put(linux / "stale", C)
        found = await one.find(lambda: appears(linux))
    assert found.share == str(linux)
    assert where(found) == {"id-c": V2, "id-d": V1}
    assert (linux / found.folder).is_dir()


async def test_on_a_linux_mount_host_a_volume_that_comes_later_is_waited_for(tmp_path: Path) -> None:
    linux, looks = tmp_path / "lin01", list[str]()

    def come(share: str) -> None:
        looks.append(share)
        if len(looks) == 4:
            put(linux / V2, C)

    with search([linux], {"id-c": C, "id-d": D}, by_id=[linux], folder_timeout=5) as one:
        one.source.act = come
        found = await one.find(lambda: put(linux / V1, D))
    assert {volume.root for volume in found.volumes} == {"id-c", "id-d"}


async def test_on_a_linux_mount_host_the_mount_of_another_machine_is_not_taken(tmp_path: Path) -> None:
    linux = tmp_path / "lin01"

    def both() -> None:
        put(linux / "1111", OTHER)
        put(linux / "2222" / "3333", OTHER)
        of_one_mount(linux)

    with search([linux], {"id-c": C, "id-d": D}, by_id=[linux]) as one:
        found = await one.find(both)
        assert found.folder == ID
    unlike = pytest.raises(VolumeUnmatched, match=r"EM lists Users, Windows, pagefile\.sys; 5555 \(0% alike\)")
    with search([linux], {"id-c": C}, by_id=[linux], folder_timeout=0.1) as one, unlike:
        await one.find(lambda: put(linux / "5555", OTHER))


async def test_on_a_linux_mount_host_two_that_are_alike_are_an_error_that_shows_both(tmp_path: Path) -> None:
    linux = tmp_path / "lin01"

    def both() -> None:
        put(linux / "1111" / "v", C)
        put(linux / "2222" / "v", C)

    alike = pytest.raises(FolderAmbiguous, match=r"lin01/1111, .*lin01/2222")
    with search([linux], {"id-c": C}, by_id=[linux], folder_timeout=0.1) as one, alike:
        await one.find(both)


async def test_on_a_linux_mount_host_nothing_is_taken_that_may_have_been_there_before(tmp_path: Path) -> None:
    away, there = tmp_path / "lin01", tmp_path / "vbr01"
    put(tmp_path / "hidden" / V2, C)
    with search([away, there], {"id-c": C}, by_id=[away], folder_timeout=0.1) as one:
        os.rmdir(away)
        with pytest.raises(FolderNotFound):
            await one.find(lambda: os.rename(tmp_path / "hidden", away))


def test_a_folder_with_another_case_or_a_suffix_is_the_machine_s_and_a_longer_name_is_not(tmp_path: Path) -> None:
    before = {"s": LocalSource().folders(str(tmp_path))}
    for name in ("APP1_3c75de11", "app10", "app1_3c75de1", "app1-old", "xapp1"):
        (tmp_path / name).mkdir()
    [found] = candidates(before, {"s": LocalSource().folders(str(tmp_path))}, "app1")
    assert found.folders == ("APP1_3c75de11",)
