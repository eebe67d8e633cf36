"""What was learned of where mounts appear."""

from orchestrator.core.catalog import GuestOs, PointKind
from orchestrator.core.whereabouts import Answer
from orchestrator.ledgers.rows import load_text
from orchestrator.ledgers.store import Store


class Answers:
    """The part of the journal that knows which share shows whose mounts. Every write is on the disk when it returns."""

    _store: Store

    def answers(self) -> list[Answer]:
        """All of them."""
        return [
            Answer(load_text(server), PointKind(kind), GuestOs(os), load_text(chain), load_text(share))
            for server, kind, os, chain, share in self._store.rows("answers")
        ]

    def write_answer(self, one: Answer) -> None:
        """Insert or update what is known of a chain."""
        self._store.write(
            "write_answer",
            {
                "backup_server": one.backup_server,
                "kind": one.kind.value,
                "os": one.os.value,
                "chain": one.chain,
                "share": one.share,
            },
        )
