"""Which way the files of one mount are read: over a share, or through Enterprise Manager where there is no share."""

from collections.abc import Iterable

from orchestrator.core.catalog import Mount
from orchestrator.core.errors import DownloadsTooLittle, MountError, ShareUnreadable
from orchestrator.core.events import Notice
from orchestrator.core.locate import Seen, Volume, root_in_guest
from orchestrator.core.paths import SourcePath
from orchestrator.core.plan import MountGroup
from orchestrator.core.roads import STAGING_WARNING, ServerRoad, em_root, server_road
from orchestrator.engine.locating import Locator
from orchestrator.engine.matching import Located
from orchestrator.engine.ports import Clock, Emit
from orchestrator.engine.rooms import Reach


class RoadOfGroup:
    """The road of one mount of a group. It may change from the share to the download, and is told when it does."""

    def __init__(self, group: MountGroup, reach: Reach, emit: Emit, clock: Clock) -> None:
        self._group = group
        self._reach = reach
        self._emit = emit
        self._clock = clock
        self._road = server_road(group.road, reach.road)
        if self._road is ServerRoad.DOWNLOAD:
            self._take("the files are downloaded through Enterprise Manager")

    @property
    def looks(self) -> bool:
        """Whether the files are looked for on the shares."""
        return self._road is not ServerRoad.DOWNLOAD

    async def seen_before(self, locator: Locator) -> Seen | None:
        """The folders of the shares before the mount is made; None when none are needed. ShareUnreadable."""
        if not self.looks:
            return None
        try:
            return await locator.folders(self._group.point.backup_server, self._reach)
        except ShareUnreadable as error:
            self.fall_back(error)
            return None

    def fall_back(self, error: MountError) -> None:
        """The share has failed: read through EM where that is allowed, else raise `error`."""
        if self._road.needs_share:
            raise error
        self._take(f"{error} The files are downloaded through Enterprise Manager instead")

    def through_em(self, mount: Mount, generation: int, wanted: Iterable[str]) -> Located:
        """The volumes of a mount as EM shows them."""
        volumes = volumes_through_em(mount, generation)
        named = {volume.root for volume in volumes}
        unmatched = {root: f"Enterprise Manager shows no volume {root}" for root in wanted if root not in named}
        return Located("", "", volumes, unmatched)

    def _take(self, why: str) -> None:
        if any(one.wishes.reads_properties for one in self._group.selections):
            raise DownloadsTooLittle(vm=self._group.vm)
        self._road = ServerRoad.DOWNLOAD
        self._emit(Notice(self._clock(), f"{self._group.vm}: {why}. {STAGING_WARNING}"))


def volumes_through_em(mount: Mount, generation: int) -> list[Volume]:
    """The volumes of a mount, to be read through EM."""
    return [
        Volume(root.name, *root_in_guest(root.name), SourcePath(em_root(generation, root.href), ""))
        for root in mount.roots
    ]
