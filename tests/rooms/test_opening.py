"""What the config asks for reaches the rooms that are opened."""

import os
from pathlib import Path

import pytest

from orchestrator.config import Config
from orchestrator.core.entries import Entry, EntryKind
from orchestrator.core.paths import SourcePath, TargetPath
from orchestrator.opening import hiring_of, opened
from orchestrator.working import Recipe


@pytest.mark.parametrize(("durable", "flushed"), [("none", False), ("batch", False), ("file", True)])
def test_each_copy_is_flushed_in_the_durable_mode_by_file_alone_and_batches_in_that_by_batch(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, durable: str, flushed: bool
) -> None:
    monkeypatch.setenv("PASSWORD", "x")
    (tmp_path / "one").write_bytes(b"1")
    target = tmp_path / "target"
    target.mkdir()
    config = Config.model_validate(
        {
            "enterprise_manager": {"url": "https://em:9398", "username": "x", "password_env": "PASSWORD"},
            "backup_servers": [{"name": "*", "shares": [str(tmp_path)]}],
            "targets": {"allow": [str(target)]},
            "copy": {"durable": durable, "processes": 1},
            "state": {"folder": tmp_path / "state"},
        }
    )
    seen: list[str] = []
    real = os.fsync
    with opened(config, lambda event: None) as app:
        monkeypatch.setattr(os, "fsync", lambda fd: (seen.append(os.readlink(f"/proc/self/fd/{fd}")), real(fd)))
        entry = Entry("one", EntryKind.FILE, 1, 0)
        app.target.place(
            SourcePath(str(tmp_path), "one"), entry, TargetPath(str(target), "one"), False, lambda count: None
        )
        assert any(name.startswith(str(target)) for name in seen) == flushed
        assert (app.rooms().flush is not None) == (durable == "batch")
        hiring = hiring_of(config, "blake3", False, tmp_path)
        assert hiring is not None
        assert isinstance(hiring.recipe, Recipe)
        assert hiring.recipe.durable == flushed
