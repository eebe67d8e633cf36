"""What a file of a share is beside its bytes: four times, attributes, named streams, security descriptor.

Asked for in the same frame as the file is opened, read and closed in. The questions come after the reading, because a
server lets what follows a request that failed fail with it; what was left so is asked once more, one by one. Whatever
a server refuses, or answers with what cannot be used, is told as unread: the file itself is copied all the same.
"""

from collections.abc import Callable
from dataclasses import replace
from typing import NamedTuple

from orchestrator.core.fidelity import Properties, Property, Stream
from orchestrator.core.reparse import as_posix, parse_point
from orchestrator.files.smb.asking import asked, chain, granted
from orchestrator.files.smb.conversation import Answer
from orchestrator.files.smb.listing import nanoseconds
from orchestrator.files.smb.packets import BadAnswer, Created, Request, close, created, open_any, output
from orchestrator.files.smb.queries import (
    READ_CONTROL,
    SYSTEM_SECURITY,
    Parts,
    VolumeFlag,
    controlled,
    file_system,
    get_reparse_point,
    query_file_system,
    query_security,
    query_streams,
    streams,
)
from orchestrator.files.smb.share import Live
from orchestrator.files.smb.status import BUFFER_OVERFLOW, BUFFER_TOO_SMALL, OK, REFUSED

FIRST = 16 << 10
"""Bytes of room for the streams of a file, and for its descriptor. More costs the server time for every file."""
LARGEST = 1 << 20
"""Bytes of room at the most, when a server says that FIRST is too little."""


class Abilities(NamedTuple):
    """What can be asked of the files of one volume, by this account."""

    streams: bool
    descriptors: bool
    audit: bool

    @property
    def access(self) -> int:
        """The rights to open a file with, to be allowed to ask."""
        return (READ_CONTROL if self.descriptors else 0) | (SYSTEM_SECURITY if self.audit else 0)

    @property
    def parts(self) -> Parts:
        return Parts.OWNER | Parts.GROUP | Parts.DACL | (Parts.SACL if self.audit else Parts(0))

    def requests(self) -> tuple[Request, ...]:
        """The questions, in the order in which `told` takes their answers."""
        found = (query_streams(FIRST),) if self.streams else ()
        return (*found, query_security(FIRST, self.parts)) if self.descriptors else found


def abilities_of(live: Live, root: str) -> Abilities:
    """What can be asked of the volume whose folder is `root`; found out by opening that folder. OSError.

    Audit entries are shown to accounts with a privilege only. Whether this one has it is tried here, and not again.
    """
    audit = True
    answers = chain(live, open_any(root, READ_CONTROL | SYSTEM_SECURITY), query_file_system(), close())
    if answers[0].status in REFUSED:
        audit = False
        answers = chain(live, open_any(root), query_file_system(), close())
    granted(answers[0], root)
    if answers[1].status != OK:
        return Abilities(True, True, audit)
    flags = file_system(output(answers[1].message, "QUERY_INFO"))
    descriptors = bool(flags & VolumeFlag.ACLS)
    return Abilities(bool(flags & VolumeFlag.NAMED_STREAMS), descriptors, audit and descriptors)


def told(opened: Created, abilities: Abilities, answers: list[Answer]) -> Properties | None:
    """Properties from the answers to an opening and to `abilities.requests()`; None when they are to be asked one by
    one. Never raises."""
    if any(answer.status != OK for answer in answers):
        return None
    found: tuple[Stream, ...] = ()
    descriptor: bytes | None = None
    unread: set[Property] = set()
    left = iter(answers)
    if abilities.streams:
        found, unread = _streams(next(left).message, unread)
    if abilities.descriptors:
        descriptor, unread = _descriptor(next(left).message, abilities, unread)
    return _properties(opened, found, descriptor, unread)


def asked_one_by_one(live: Live, name: str, abilities: Abilities) -> Properties:
    """The properties of whatever is at `name`, a link itself among them; in several round trips. OSError when it
    cannot be opened at all, or the connection breaks.

    What the account is not allowed to ask for is left away: first the audit entries, then the descriptor.
    """
    unread: set[Property] = set()
    answer = _opened(live, name, abilities)
    if answer.status in REFUSED and abilities.audit:
        unread.add(Property.AUDIT)
        abilities = abilities._replace(audit=False)
        answer = _opened(live, name, abilities)
    if answer.status in REFUSED and abilities.descriptors:
        unread.add(Property.DESCRIPTOR)
        abilities = abilities._replace(descriptors=False)
        answer = _opened(live, name, abilities)
    opened = created(granted(answer, name).message)
    found: tuple[Stream, ...] = ()
    descriptor: bytes | None = None
    try:
        if abilities.streams:
            buffer = _roomy(live, name, lambda room: query_streams(room, opened.handle))
            found, unread = _streams(buffer, unread)
        if abilities.descriptors:
            buffer = _roomy(live, name, lambda room: query_security(room, abilities.parts, opened.handle))
            descriptor, unread = _descriptor(buffer, abilities, unread)
    finally:
        live.connection.ask([close(opened.handle)])
    return _properties(opened, found, descriptor, unread)


def properties_at(live: Live, name: str, abilities: Abilities) -> Properties:
    """The properties of whatever is at `name`, a link itself among them: in one round trip, if nothing is refused.
    OSError when it cannot be opened."""
    first, *answers, _ = chain(live, open_any(name, abilities.access, itself=True), *abilities.requests(), close())
    if first.status in REFUSED:
        return asked_one_by_one(live, name, abilities)
    found = told(created(granted(first, name).message), abilities, answers)
    return found or asked_one_by_one(live, name, abilities)


def link_at(live: Live, name: str, found: Properties) -> Properties:
    """The properties `found` of the link at `name` with where it leads: as a POSIX system says it, or else as Windows
    does. OSError when that cannot be asked; a link that does not parse has LINK among what is unread."""
    first, told_of, _ = chain(live, open_any(name, itself=True), get_reparse_point(), close())
    granted(first, name)
    try:
        point = parse_point(bytes(controlled(granted(told_of, name).message)))
    except (BadAnswer, ValueError):
        return replace(found, unread=found.unread | {Property.LINK})
    return replace(found, link_to=as_posix(point) or point.target or None)


def _opened(live: Live, name: str, abilities: Abilities) -> Answer:
    return asked(live, open_any(name, abilities.access, itself=True))


def _roomy(live: Live, name: str, ask: Callable[[int], Request]) -> memoryview | None:
    """The answer to a question, asked again with all the room there can be when FIRST is too little; None when the
    server does not answer it."""
    answer = asked(live, ask(FIRST))
    if answer.status in (BUFFER_OVERFLOW, BUFFER_TOO_SMALL):
        answer = asked(live, ask(min(LARGEST, live.largest_query)))
    return answer.message if answer.status == OK else None


def _streams(message: memoryview | None, unread: set[Property]) -> tuple[tuple[Stream, ...], set[Property]]:
    if message is not None:
        try:
            return streams(output(message, "QUERY_INFO")), unread
        except BadAnswer:
            pass
    return (), unread | {Property.STREAMS}


def _descriptor(
    message: memoryview | None, abilities: Abilities, unread: set[Property]
) -> tuple[bytes | None, set[Property]]:
    if message is not None:
        try:
            return bytes(output(message, "QUERY_INFO")), unread
        except BadAnswer:
            pass
    return None, unread | {Property.DESCRIPTOR} | ({Property.AUDIT} if abilities.audit else set())


def _properties(
    opened: Created, found: tuple[Stream, ...], descriptor: bytes | None, unread: set[Property]
) -> Properties:
    return Properties(
        modified_ns=_time(opened.written),
        accessed_ns=_time(opened.accessed),
        created_ns=_time(opened.created),
        changed_ns=_time(opened.changed),
        attributes=opened.attributes,
        descriptor=descriptor,
        streams=found,
        unread=frozenset(unread),
    )


def _time(filetime: int) -> int | None:
    """A time, where the file system keeps one."""
    return nanoseconds(filetime) if filetime else None
