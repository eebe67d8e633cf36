"""A small fleet that is beaten: one worker killed, one frozen beyond its lease, PostgreSQL restarted, a network cut."""

from pathlib import Path

import pytest

from tests.support.postgres import postgres
from tests.support.rough import Blow, Spec, story

LEASE = 4.0
BLOWS = (
    Blow(3, "kill", 1),
    Blow(6, "freeze", 2, 1.5 * LEASE),
    Blow(9, "flicker", 0, 0.3 * LEASE),
    Blow(12, "restart"),
)


@pytest.mark.flow
@pytest.mark.timeout(180)
async def test_a_fleet_that_is_beaten_does_every_unit_keeps_every_limit_and_leaves_nothing(tmp_path: Path) -> None:
    with postgres() as server:
        told = await story(tmp_path, server, Spec(1, BLOWS, units=20, workers=3, lease=LEASE, longest=150.0))
    assert not any(told.faults.values()), (told.faults, told.broken, told.writers, told.carried)
    assert told.done == 20
    assert sum(told.struck.values()) == len(BLOWS), told.not_struck
    assert told.started > 3
    assert told.perished >= 1
