"""What became of each file, in the journal."""

from collections.abc import Iterator, Mapping, Sequence

from orchestrator.core.counting import Before, befores
from orchestrator.core.entries import Outcome, Verdict
from orchestrator.core.fidelity import Card
from orchestrator.core.ledger import Totals
from orchestrator.ledgers.rows import Parameters, from_outcome, load_text, to_outcome
from orchestrator.ledgers.store import Batch, Store


class Outcomes:
    """The part of the journal that knows files, each by run, group and guest path."""

    _store: Store

    def record(self, run: str, outcomes: Sequence[Outcome]) -> list[Before]:
        """Write a batch in one transaction; what stood before each. A file that this run restored stays restored.
        RunUnknown when the run never began."""
        key = self._store.run_key(run)
        rows = [from_outcome(key, outcome) for outcome in outcomes]

        def write(batch: Batch) -> dict[tuple[str, str], tuple[Verdict, int, str]]:
            known = {
                (load_text(group), load_text(path)): (Verdict(verdict), size, reason or "")
                for group, path, verdict, size, reason in batch.known("written", rows)
            }
            batch.write("record", rows)
            return known

        known = self._store.batch(write)
        return befores(known, outcomes)

    def totals(self, run: str) -> dict[str, Totals]:
        """Totals by group; groups without an outcome are left out."""
        found: dict[str, Totals] = {}
        for group, verdict, count, size in self._store.rows("totals", run=run):
            name = load_text(group)
            found[name] = found.get(name, Totals()) + _totals(Verdict(verdict), count, size)
        return found

    def problems(self, run: str, limit: int | None = None) -> list[Outcome]:
        """Refused and failed files, by group and path."""
        return [to_outcome(row) for row in self._store.rows("problems", run=run, limit=-1 if limit is None else limit)]

    def restored(self, run: str) -> Iterator[Outcome]:
        """Restored files with their checksums, by target path, as they are read."""
        for row in self._store.stream("restored", run=run):
            yield to_outcome(row)

    def record_folders(self, run: str, group: str, stage: int, codes: Mapping[str, int]) -> None:
        """What became of the folders of one stage of a group, in place of what was written of them before: how many
        have each `fidelity_code`. RunUnknown when the run never began."""
        key: Parameters = {"run": self._store.run_key(run), "group": group, "stage": stage}
        rows = [("write_folders", {**key, "fidelity": code, "number": number}) for code, number in codes.items()]
        self._store.write_all([("forget_stage", key), *rows])

    def fidelity(self, run: str) -> dict[str, Card]:
        """The card of each group, files and folders together; groups without one are left out."""
        codes: dict[str, list[tuple[str, int]]] = {}
        for group, code, number in self._store.rows("fidelity", run=run):
            codes.setdefault(load_text(group), []).append((code, number))
        return {group: Card.of(found) for group, found in codes.items()}


def _totals(verdict: Verdict, count: int, size: int) -> Totals:
    match verdict:
        case Verdict.RESTORED:
            return Totals(restored=count, bytes=size)
        case Verdict.SKIPPED:
            return Totals(skipped=count)
        case Verdict.REFUSED:
            return Totals(refused=count)
        case Verdict.FAILED:
            return Totals(failed=count)
