"""What EM tells of single restore points, put together."""

from dataclasses import replace
from datetime import timedelta

from orchestrator.core.catalog import RestorePoint
from orchestrator.core.inventory import Inventory
from orchestrator.core.preflight import Grade, machines
from tests.core.values import AT, NOW, job, planned, point

REVERSE = ("Full", "ReversedIncremental", "ReversedIncremental")
"""A reverse-incremental chain, the newest first."""


def chain(vm: str, algorithms: tuple[str, ...], server: str = "vbr01", backup: str = "Files") -> list[RestorePoint]:
    return [
        replace(
            point(vm, f"{vm} {server} {backup} {day}", AT - timedelta(days=day), server),
            algorithm=algorithm,
            backup_file=f"{backup} D2026-11-{20 - day}T230012_1A2B.vbk",
        )
        for day, algorithm in enumerate(algorithms)
    ]


def test_the_full_restore_point_at_the_end_of_a_reverse_incremental_chain_is_warned_of_like_the_others() -> None:
    plan = planned(job({"vm": "fs01"}), chain("fs01", REVERSE))
    assert plan.groups[0].point.algorithm == "Full"
    [finding] = machines(plan, NOW)
    assert (finding.grade, finding.about) == (Grade.WARN, ("fs01",))
    assert "reverse-incremental backup of fs01: it cannot be mounted while its job runs" in finding.message


def test_other_chains_of_the_same_machine_are_no_reverse_incremental_ones() -> None:
    forward = ("Incremental", "Full")
    copies = chain("fs01", forward, backup="Copies")
    elsewhere = chain("fs01", forward, server="vbr02")
    known = Inventory([*chain("fs01", REVERSE), *copies, *elsewhere])
    assert [known.of_id(one.uid) for one in (*copies, *elsewhere)] == [*copies, *elsewhere]
    plan = planned(job({"vm": "fs02"}), chain("fs02", forward))
    assert [finding.grade for finding in machines(plan, NOW)] == [Grade.PASS]
