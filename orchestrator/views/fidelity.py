"""The fidelity card: what became of what files are beside their bytes, in rows and words for every kind of report."""

from collections.abc import Sequence

from orchestrator.core.fidelity import BASIC, WORDS, Card, Kept, LinkPolicy, OwnerPolicy, Wishes
from orchestrator.core.report import Report

ASKED = {
    "none": "modification times only",
    "basic": "plain permission bits and modification times; owners, ACLs and the rest were not asked for",
    "full": "all that files are beside their bytes",
    "permissions-only": "permissions of files that were there, no content",
}
"""What each value of the job's key `metadata` means for a report."""

LOST_MEANS = (
    "lost: neither at the destination nor in metadata.jsonl; the source would not give it, or nothing there holds it"
)

HEADS = ("kept", "sidecar", "lost")


def asked(report: Report) -> list[str]:
    """How much was asked for beside the bytes of the files, and what that means."""
    return [f"{one}: {ASKED[one]}" for one in report.metadata if one in ASKED]


def card_rows(card: Card) -> list[tuple[str, ...]]:
    """Each property with its counts, in the order of HEADS."""
    return [(WORDS[one], *(f"{card.count(one, kept):,}" for kept in Kept)) for one in card.counts]


def card_notes(report: Report) -> list[str]:
    """What the words of the card mean, as far as they are needed."""
    card, notes = report.fidelity, []
    if card.total(Kept.SIDECAR):
        notes.append(f"sidecar: kept in metadata.jsonl; `orchestrator apply-metadata {report.run}` puts it on")
    if card.total(Kept.LOST):
        notes.append(LOST_MEANS)
    return notes


def card_table(card: Card) -> dict[str, dict[str, int]]:
    """The card for programs."""
    return {one.value: {kept.value: card.count(one, kept) for kept in Kept} for one in card.counts}


def wished(wishes: Wishes) -> Sequence[str]:
    """What a selection wants beside the bytes, as far as it is not the default; for plans."""
    said = [f"metadata: {wishes.metadata.value}"] if wishes.metadata is not BASIC.metadata else []
    if wishes.reads_properties and wishes.owner is not OwnerPolicy.KEEP:
        said.append(f"owner: {wishes.owner.value}")
    if wishes.links is not LinkPolicy.SKIP:
        said.append(f"links: {wishes.links.value}")
    return said
