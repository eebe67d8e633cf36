"""By how many routes the units of a run wait: what is looked at each time that a unit is handed out."""

from collections.abc import Mapping

from orchestrator.core.fleet import Unit
from orchestrator.journal_postgres.routes import Route, routes_of


def unit(number: int, sites: tuple[str, ...] = (), **seats: int) -> Unit:
    server = f"vbr{number % 5}"
    common = {"all": 50, f"server {server}": 8, f"machine {server} vm{number}": 1}
    return Unit("r", f"g{number}", f"vm{number}", server, number, sites, common | seats, "{}")


def ids(*units: Unit) -> set[str]:
    return {route.id for route in routes_of(units)}


def test_ten_thousand_machines_wait_by_as_many_routes_as_there_are_backup_servers() -> None:
    chains = [{f"chain vbr{n % 5} vm{n}": 2} for n in range(10_000)]
    assert len(ids(*(unit(n, **chains[n]) for n in range(10_000)))) == 5


def test_a_chain_that_holds_more_machines_than_it_may_has_a_route_of_its_own() -> None:
    large: Mapping[str, int] = {"chain vbr0 files": 2}
    of_chain = [unit(5 * n, **large) for n in range(3)]
    routes = routes_of([*of_chain, unit(50)])
    assert [route.seats.get("chain vbr0 files") for route in routes] == [2, 2, 2, None]
    assert ids(*of_chain[:2]) == {routes_of([unit(0)])[0].id}, "two of them are no more than it carries"


def test_routes_differ_by_run_sites_seats_and_who_refused() -> None:
    route = Route("r", ("berlin",), {"all": 1})
    others = [
        Route("s", ("berlin",), {"all": 1}),
        Route("r", ("berlin", "munich"), {"all": 1}),
        Route("r", (), {"all": 1}),
        Route("r", ("berlin",), {"all": 2}),
        Route("r", ("berlin",), {"all": 1}, ("w1",)),
    ]
    assert len({one.id for one in [route, *others]}) == 6
    assert Route("r", (), {"a": 1, "b": 2}).id == Route("r", (), {"b": 2, "a": 1}).id
