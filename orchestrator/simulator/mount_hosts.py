"""Mount hosts beside the backup servers. A Windows one shows `<vm>_<8 hex>/VolumeN`, a Linux one folders with ids."""

import os
import uuid
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from orchestrator.simulator.trees import remove_tree

Kind = Literal["windows", "linux", "linux volumes"]
"""`linux`: a folder with an id for each mount, and in it one for each volume; `linux volumes`: one for each volume."""


@dataclass(frozen=True)
class MountHost:
    """A mount host: the folder that stands for its share, and how mounts lie in it."""

    share: Path
    kind: Kind = "windows"

    @property
    def by_id(self) -> bool:
        """Whether the names of folders say nothing, as on Linux."""
        return self.kind != "windows"

    def show(self, twin: Path, folders: list[str]) -> dict[str, Path]:
        """Show the volume `folders` of a twin under ids; where each lies now. Blocking."""
        ids = {folder: uuid.uuid4().hex for folder in folders}
        if self.kind == "linux volumes":
            for folder, name in ids.items():
                os.rename(twin / folder, self.share / name)
            return {folder: self.share / name for folder, name in ids.items()}
        for folder, name in ids.items():
            os.rename(twin / folder, twin / name)
        shown = self.share / uuid.uuid4().hex
        os.rename(twin, shown)
        return {folder: shown / name for folder, name in ids.items()}

    def hide(self, shown: dict[str, Path], twin: Path) -> None:
        """Take them away into a twin. Blocking."""
        if self.kind == "linux volumes":
            twin.mkdir(exist_ok=True)
            for folder, path in shown.items():
                os.rename(path, twin / folder)
            return
        gone = next(iter(shown.values())).parent
        os.rename(gone, twin)
        for folder, path in shown.items():
            os.rename(twin / path.name, twin / folder)

    def clear(self) -> None:
        """An empty share. Blocking."""
        remove_tree(self.share)
        self.share.mkdir(parents=True)
