"""Local users and groups by name. Windows knows none of POSIX: there every name is unknown."""

from contextlib import suppress
from functools import lru_cache

from orchestrator.core.fidelity import Ids, OwnerPolicy, Properties, Wishes

with suppress(ImportError):  # Windows
    import grp
    import pwd

AS_IT_IS = -1
"""What chown(2) takes for an id that is not to be changed."""


def user_id(account: str | int) -> int | None:
    """The id of a local user; None when there is none of that name."""
    return account if isinstance(account, int) else _user(account)


def group_id(account: str | int) -> int | None:
    """The id of a local group; None when there is none of that name."""
    return account if isinstance(account, int) else _group(account)


def wanted_owner(has: Properties, wishes: Wishes) -> tuple[int | None, int | None] | None:
    """(user, group) that a copy should have, None for one that no account here stands for; None when its owner is not
    asked for, or the source does not tell one."""
    if has.uid is None or has.gid is None or wishes.owner is OwnerPolicy.NONE:
        return None
    if wishes.owner is OwnerPolicy.KEEP:
        return has.uid, has.gid
    user, group = _mapped(has.uid, wishes.users), _mapped(has.gid, wishes.groups)
    return (None if user is None else user_id(user)), (None if group is None else group_id(group))


def unknown_accounts(wishes: Wishes) -> list[str]:
    """What is wrong with the accounts that a job names, in plain words."""
    if wishes.owner is not OwnerPolicy.MAP:
        return []
    users = [f"there is no local user {name!r}" for _, name in wishes.users if user_id(name) is None]
    groups = [f"there is no local group {name!r}" for _, name in wishes.groups if group_id(name) is None]
    return list(dict.fromkeys(users + groups))


def _mapped(id: int, table: Ids) -> str | int | None:
    return next((account for known, account in table if known == id), None)


@lru_cache(maxsize=1024)
def _user(name: str) -> int | None:
    try:
        return pwd.getpwnam(name).pw_uid
    except (KeyError, NameError):
        return None


@lru_cache(maxsize=1024)
def _group(name: str) -> int | None:
    try:
        return grp.getgrnam(name).gr_gid
    except (KeyError, NameError):
        return None
