"""As whom Enterprise Manager logs on to guests: the tables [[guest_credentials]] of the config, by name."""

from collections.abc import Iterable, Mapping
from dataclasses import replace

from orchestrator.config import Config, read_secret
from orchestrator.core.errors import WordsError
from orchestrator.core.originals import GuestAccount
from orchestrator.core.plan import Plan, PlanProblem, dropping


def names_in(plan: Plan) -> frozenset[str]:
    """The credentials that a plan names."""
    return frozenset(one.guest_credentials for group in plan.groups for one in group.selections) - {""}


def without_strangers(plan: Plan, config: Config) -> Plan:
    """`plan` without what names credentials that the config does not have."""
    strangers = names_in(plan) - {one.name for one in config.guest_credentials}
    if not strangers:
        return plan
    problems = [
        PlanProblem(one.entry, "guest_credentials", _unknown(config, one.guest_credentials))
        for group in plan.groups
        for one in group.selections
        if one.guest_credentials in strangers
    ]
    groups = tuple(dropping(plan.groups, lambda _, one: one.guest_credentials in strangers))
    return replace(plan, groups=groups, problems=tuple(dict.fromkeys((*plan.problems, *problems))))


def accounts(config: Config, names: Iterable[str]) -> Mapping[str, GuestAccount]:
    """The accounts of these names. WordsError for one that the config does not have, ConfigInvalid for a password that
    is not there."""
    known = {one.name: (place, one) for place, one in enumerate(config.guest_credentials)}
    found: dict[str, GuestAccount] = {}
    for name in sorted(names):
        if name not in known:
            raise WordsError(what=f"guest credentials: {_unknown(config, name)}")
        place, one = known[name]
        found[name] = GuestAccount(one.username, read_secret(one, "password", f"guest_credentials[{place}]"))
    return found


def _unknown(config: Config, name: str) -> str:
    there = ", ".join(one.name for one in config.guest_credentials) or "none"
    return f"the config has no {name!r} in [[guest_credentials]]; it has {there}"
