"""Files of two requested paths that would land at one place: the first has it, the other is refused."""

from pathlib import Path
from typing import Any

import pytest

from orchestrator.core.job import Job
from orchestrator.core.paths import SourcePath
from orchestrator.files.local import LocalSource
from tests.support.guests import GuestFile, walked

ONE = GuestFile()


def job(*entries: dict[str, Any]) -> Job:
    tables = [{"vm": "fs01", **entry} for entry in entries]
    return Job.model_validate({"name": "j", "defaults": {"to": "/restore"}, "restore": tables})


def outcomes(tmp_path: Path, files: list[str], *entries: dict[str, Any]) -> dict[str, str]:
    """For each file: its one target, or why it has none."""
    found = walked(job(*entries), tmp_path, dict.fromkeys(files, ONE))
    assert all(len(one) == 1 for one in found.values()), found
    return {path: one[0] for path, one in found.items()}


def clash(first: str) -> str:
    return f"{first} is restored to the same place, and the job asks for it first"


MERGED: dict[str, Any] = {"paths": ["C:\\a", "D:\\b"], "strip": ["C:\\a"], "drives": {"D": ""}}
"""`C:\\a\\b\\x` and `D:\\b\\x` both land at `/restore/b/x`."""


@pytest.mark.parametrize("turned", [False, True])
def test_the_path_that_the_job_asks_for_first_has_the_place(tmp_path: Path, turned: bool) -> None:
    entry = MERGED | {"paths": MERGED["paths"][::-1]} if turned else MERGED
    found = outcomes(tmp_path, ["C:\\a\\b\\x", "C:\\a\\b\\c\\y", "D:\\b\\x", "D:\\b\\z"], entry)
    first, second = ("D:\\b\\x", "C:\\a\\b\\x") if turned else ("C:\\a\\b\\x", "D:\\b\\x")
    assert found == {
        "C:\\a\\b\\c\\y": "/restore/b/c/y",
        "D:\\b\\z": "/restore/b/z",
        first: "/restore/b/x",
        second: clash(first),
    }


def test_names_that_differ_in_letter_case_count_as_one_place(tmp_path: Path) -> None:
    found = outcomes(tmp_path, ["C:\\a\\B\\X.txt", "D:\\b\\x.TXT"], MERGED)
    assert found["D:\\b\\x.TXT"] == clash("C:\\a\\B\\X.txt")


def test_a_file_that_the_first_path_leaves_out_takes_no_place(tmp_path: Path) -> None:
    files = {"C:\\a\\b\\x.tmp": ONE, "C:\\a\\b\\big": GuestFile(500), "D:\\b\\x.tmp": ONE, "D:\\b\\big": ONE}
    first = {"paths": ["C:\\a"], "strip": ["C:\\a"], "exclude": ["*.tmp"], "smaller_than": 100}
    found = walked(job(first, {"paths": ["D:\\b"], "drives": {"D": ""}}), tmp_path, files)
    assert found == {"D:\\b\\x.tmp": ["/restore/b/x.tmp"], "D:\\b\\big": ["/restore/b/big"]}


def test_a_folder_of_the_first_path_keeps_a_file_of_the_other_out(tmp_path: Path) -> None:
    found = outcomes(tmp_path, ["C:\\a\\b\\x\\deep", "D:\\b\\x"], MERGED)
    assert found == {"C:\\a\\b\\x\\deep": "/restore/b/x/deep", "D:\\b\\x": clash("C:\\a\\b\\x")}


def test_two_entries_that_want_the_same_file_in_the_same_place_both_have_it(tmp_path: Path) -> None:
    both = walked(
        job({"paths": ["C:\\a"], "strip": ["C:\\a"]}, {"paths": ["C:\\a\\b"], "strip": ["C:\\a"]}),
        tmp_path,
        {"C:\\a\\b\\x": ONE},
    )
    assert both == {"C:\\a\\b\\x": ["/restore/b/x", "/restore/b/x"]}


def test_a_file_whose_folders_are_stripped_meets_one_of_the_same_name(tmp_path: Path) -> None:
    stripped = {"to": {"C:\\a\\x": "/restore"}}
    found = outcomes(
        tmp_path, ["C:\\a\\x", "D:\\x", "D:\\y"], stripped, {"paths": ["D:\\x", "D:\\y"], "drives": {"D": ""}}
    )
    assert found == {"C:\\a\\x": "/restore/x", "D:\\x": clash("C:\\a\\x"), "D:\\y": "/restore/y"}


def test_a_stripped_file_keeps_its_name_however_the_job_spells_it(tmp_path: Path) -> None:
    found = outcomes(tmp_path, ["C:\\a\\X.txt"], {"paths": ["C:\\a\\X.txt"], "strip": ["c:\\A\\x.TXT"]})
    assert found == {"C:\\a\\X.txt": "/restore/X.txt"}


def test_a_drive_that_takes_the_name_of_another_is_found_out_when_all_volumes_are_wanted(tmp_path: Path) -> None:
    found = outcomes(tmp_path, ["C:\\x", "D:\\x", "D:\\y"], {"paths": ["*"], "drives": {"C": "D"}})
    assert found == {"C:\\x": "/restore/D/x", "D:\\x": clash("C:\\x"), "D:\\y": "/restore/D/y"}


def test_the_volume_in_the_destination_keeps_the_volumes_apart(tmp_path: Path) -> None:
    found = outcomes(tmp_path, ["C:\\x", "D:\\x"], {"paths": ["*"], "to": "/restore/{vm}/{volume}-disk"})
    assert found == {"C:\\x": "/restore/fs01/C-disk/x", "D:\\x": "/restore/fs01/D-disk/x"}


def test_many_files_of_one_folder_are_found_by_one_listing_in_any_spelling(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    there = [f"C:\\a\\F{number}.txt" for number in range(100)]
    files = dict.fromkeys([*there, "C:\\a\\twin", "C:\\a\\TWIN", "C:\\a\\sub\\deep", "C:\\b\\x"], ONE)
    looks: list[str] = []
    look = LocalSource.look

    def counted(source: LocalSource, path: SourcePath, beat: Any) -> Any:
        looks.append(path.relative)
        return look(source, path, beat)

    monkeypatch.setattr(LocalSource, "look", counted)
    missing = [f"C:\\a\\gone{number}" for number in range(50)]
    wanted = [*(path.lower() for path in there), *missing, "C:\\a\\Twin", "C:\\a\\SUB", "C:\\b\\X"]
    found = walked(job({"paths": wanted}), tmp_path, files)
    told = {path: one for path, [one] in found.items()}
    assert {told.pop(path) for path in [*missing, "C:\\a\\Twin"]} == {
        f"{path} does not exist in the restore point of fs01" for path in [*missing, "C:\\a\\Twin"]
    }
    rest = [*there, "C:\\a\\sub\\deep", "C:\\b\\x"]
    assert told == {path: "/restore/" + path.replace(":", "").replace("\\", "/") for path in rest}
    assert [path for path in looks if path.startswith("a/")] == ["a/sub"], "only a folder, which a listing leaves out"


def test_thousands_of_requested_files_share_batches_and_each_has_its_outcome(tmp_path: Path) -> None:
    files = [f"C:\\a\\f{number}" for number in range(300)]
    found = outcomes(tmp_path, files, {"paths": [*files, "C:\\a\\missing"], "strip": ["C:\\a"]})
    assert found.pop("C:\\a\\missing") == "C:\\a\\missing does not exist in the restore point of fs01"
    assert found == {file: f"/restore/{file[5:]}" for file in files}
