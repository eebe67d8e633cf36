"""The circuit breaker and the share of mounts that a backup server is given."""

from orchestrator.core.health import (
    PAUSE,
    PAUSE_MOST,
    PROBES,
    TRIP_AFTER,
    Circuit,
    Health,
    failed,
    mounted,
    next_change,
)


def after_failures(count: int, now: float = 0.0) -> Health:
    health = Health()
    for _ in range(count):
        health = failed(health, now)
    return health


def test_a_healthy_server_is_given_all_its_mounts() -> None:
    assert Health().mounts(4, 0.0) == 4


def test_failures_below_the_threshold_give_less_but_never_nothing() -> None:
    assert [after_failures(count).mounts(8, 0.0) for count in range(TRIP_AFTER)] == [8, 4, 2]
    assert after_failures(TRIP_AFTER - 1).mounts(1, 0.0) == 1


def test_failures_in_a_row_open_the_breaker_and_the_pause_ends_with_one_try() -> None:
    health = after_failures(TRIP_AFTER)
    assert health.circuit is Circuit.OPEN
    assert health.mounts(4, PAUSE - 1) == 0
    assert health.mounts(4, PAUSE) == 1


def test_a_good_mount_closes_the_breaker_and_the_server_gets_its_mounts_back_one_by_one() -> None:
    health = mounted(after_failures(TRIP_AFTER), 5.0, 4)
    assert health.circuit is Circuit.CLOSED
    given = [health.mounts(4, 0.0)]
    for _ in range(4):
        health = mounted(health, 5.0, 4)
        given.append(health.mounts(4, 0.0))
    assert given == [1, 2, 3, 4, 4]


def test_every_failed_try_doubles_the_pause_up_to_its_limit_and_the_last_gives_the_server_up() -> None:
    health, now, pauses = after_failures(TRIP_AFTER), 0.0, []
    while health.circuit is Circuit.OPEN:
        pauses.append(health.until - now)
        now = health.until
        health = failed(health, now)
    assert pauses == [min(PAUSE * 2**number, PAUSE_MOST) for number in range(PROBES)]
    assert health.circuit is Circuit.GIVEN_UP
    assert health.mounts(4, 1e9) == 0


def test_a_mount_far_slower_than_usual_halves_the_share_and_a_quick_server_is_not_punished_for_seconds() -> None:
    usual = mounted(Health(), 20.0, 4)
    assert mounted(usual, 200.0, 4).mounts(4, 0.0) == 2
    assert mounted(mounted(Health(), 1.0, 4), 20.0, 4).mounts(4, 0.0) == 4


def test_the_next_change_is_the_earliest_end_of_a_pause() -> None:
    servers = {"a": after_failures(TRIP_AFTER, 10.0), "b": after_failures(TRIP_AFTER, 30.0), "c": Health()}
    assert next_change(servers, 20.0) == PAUSE - 10.0
    assert next_change({"c": Health()}, 20.0) is None
