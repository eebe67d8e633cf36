"""Putting on a file or folder of a share what it was beside its bytes: streams, descriptor, attributes, times.

In this order, because writing a stream changes the times, and what a descriptor takes away from the account is not
taken from a file that is open already. What was put on is asked for again: only what the server then tells counts.
Source: MS-SMB2 2.2.39, MS-FSCC 2.4.7 and 2.6, MS-DTYP 2.4.6, MS-FSA 2.1.5.15.2 and 2.1.5.17.
"""

import struct
from collections.abc import Callable

from orchestrator.core.errors import FileError
from orchestrator.core.fidelity import Properties, Property, Stream
from orchestrator.core.security import Control, Descriptor, parse
from orchestrator.files.copying import own_buffer
from orchestrator.files.readers import Reader, StreamReader
from orchestrator.files.smb.asking import chain, granted
from orchestrator.files.smb.connection import ConnectionLost
from orchestrator.files.smb.facts import set_end, to_filetime
from orchestrator.files.smb.packets import (
    BadAnswer,
    close,
    create,
    created,
    open_any,
    output,
    write,
    written,
)
from orchestrator.files.smb.queries import (
    READ_CONTROL,
    SYSTEM_SECURITY,
    WRITE_ATTRIBUTES,
    WRITE_DAC,
    WRITE_OWNER,
    Basic,
    Parts,
    basic,
    query_basic,
    query_security,
    set_basic,
    set_security,
)
from orchestrator.files.smb.share import Live
from orchestrator.files.smb.status import OK

SETTABLE = 0x0001 | 0x0002 | 0x0004 | 0x0020 | 0x0100 | 0x2000
"""Read-only, hidden, system, archive, temporary, not indexed: the attributes that a client may set."""
TELLING = SETTABLE & ~0x0020 | 0x0800 | 0x4000
"""Those whose loss would matter: all but the archive bit, and whether the file was compressed or encrypted."""

READ_ONLY, HIDDEN, ARCHIVE = 0x0001, 0x0002, 0x0020

_NORMAL = 0x80
_HEAD = struct.Struct("<BBHIIII")
_ROOM = 128 << 10
_WRITE_DATA, _WRITE_OPTIONS, _OPEN_OR_MAKE = 0x00100182, 0x4040, 3

Put = tuple[frozenset[Property], frozenset[Property]]
"""(what was put on and is there, what was left over)."""


def present(has: Properties) -> frozenset[Property]:
    """What of `has` a share could hold."""
    there = {
        Property.STREAMS: bool(has.streams),
        Property.DESCRIPTOR: has.descriptor is not None,
        Property.AUDIT: has.descriptor is not None and _parts(has.descriptor) & Parts.SACL,
        Property.ATTRIBUTES: bool((has.attributes or 0) & TELLING),
        Property.TIMES: has.modified_ns is not None,
        Property.CREATED: has.created_ns is not None,
    }
    return frozenset(one for one, held in there.items() if held)


def put(
    live: Live,
    name: str,
    has: Properties,
    wants: Callable[[Property], bool],
    open_stream: StreamReader,
    check: Callable[[int], None],
    withheld: int = 0,
) -> Put:
    """Put on what `has` and `wants` have in common, on whatever is at `name`: a file, a folder, a link itself.

    `check` is called with the bytes of each chunk of a stream. Never half: what is not all there afterwards is left
    over. Attributes that are `withheld` are to be set later. Raises ConnectionLost, and what `check` raises.
    """
    asked = frozenset(one for one in present(has) if wants(one))
    done: set[Property] = set()
    # Writing a stream changes the time of the file, by which a restored one is known again.
    before = _basic_at(live, name) if Property.STREAMS in asked and Property.TIMES not in asked else None
    if Property.STREAMS in asked and _put_streams(live, name, has.streams, open_stream, check):
        done.add(Property.STREAMS)
    if Property.DESCRIPTOR in asked and has.descriptor is not None:
        done |= _put_descriptor(live, name, has.descriptor, audit=Property.AUDIT in asked)
    wanted = basic_of(has, asked, withheld)
    if before is not None:
        wanted = wanted._replace(accessed=before.accessed, written=before.written)
    if any(wanted):
        done |= _put_basic(live, name, has, wanted, withheld)
    return frozenset(done & asked), asked - done


def set_attributes(live: Live, name: str, attributes: int) -> int | None:
    """Give a file these of the attributes that a client may set, and no other of them; what it has then, None when the
    server refuses. ConnectionLost."""
    wanted = set_basic(0, 0, 0, 0, attributes & SETTABLE or _NORMAL)
    answers = chain(live, open_any(name, WRITE_ATTRIBUTES, itself=True), wanted, query_basic(), close())
    if any(answer.status != OK for answer in answers):
        return None
    return basic(output(answers[2].message, "QUERY_INFO")).attributes


def basic_of(has: Properties, asked: frozenset[Property], withheld: int = 0) -> Basic:
    """Times and attributes as they are set on an open file; 0 for what is to stay as it is."""
    times = Property.TIMES in asked
    attributes = (has.attributes or 0) & SETTABLE & ~withheld or _NORMAL
    return Basic(
        _filetime(has.created_ns) if Property.CREATED in asked else 0,
        _filetime(has.accessed_ns) if times else 0,
        _filetime(has.modified_ns) if times else 0,
        _filetime(has.changed_ns) if times else 0,
        attributes if has.attributes is not None and Property.ATTRIBUTES in asked else 0,
    )


def _put_streams(
    live: Live, name: str, streams: tuple[Stream, ...], open_stream: StreamReader, check: Callable[[int], None]
) -> bool:
    """Whether all of them arrived whole."""
    whole = True
    for stream in streams:
        try:
            reading = open_stream(stream)
        except FileError:
            whole = False
            continue
        try:
            whole = _put_stream(live, f"{name}:{stream.name}", reading, check) == stream.size and whole
        except ConnectionLost:
            raise
        except (FileError, OSError):
            whole = False
        finally:
            reading.close()
    return whole


def _put_stream(live: Live, name: str, reading: Reader, check: Callable[[int], None]) -> int:
    """Write one stream; its bytes. OSError, FileError."""
    # Not emptied while it is opened: that is refused for the streams of a hidden file (MS-FSA 2.1.5.1.2.1).
    (answer,) = chain(live, create(name, _WRITE_DATA, _WRITE_OPTIONS, _OPEN_OR_MAKE))
    handle = created(granted(answer, name).message).handle
    try:
        done = 0
        while chunk := reading.read(own_buffer()):
            for at in range(0, len(chunk), live.largest_write):
                piece = bytes(chunk[at : at + live.largest_write])
                (answer,) = chain(live, write(piece, done, handle))
                if written(granted(answer, name).message) != len(piece):
                    raise BadAnswer("a part of a stream was not written")
                done += len(piece)
            check(len(chunk))
        (answer,) = chain(live, set_end(done, handle))
        granted(answer, name)
        return done
    finally:
        live.connection.ask([close(handle)])


def _put_descriptor(live: Live, name: str, descriptor: bytes, *, audit: bool) -> set[Property]:
    """What of a descriptor is there afterwards. What the account may not set does not keep the rest from being set:
    permissions without their owner still keep others out."""
    parts = _parts(descriptor)
    wanted = parts if audit else parts & ~Parts.SACL
    data = _to_set(descriptor)
    for some in dict.fromkeys((wanted, wanted & ~Parts.SACL, wanted & Parts.DACL)):
        if some and _set_parts(live, name, data, some):
            found = _parts_of(live, name, some)
            return _alike(descriptor, found, parts & ~Parts.SACL, some)
    return set()


def _set_parts(live: Live, name: str, data: bytes, parts: Parts) -> bool:
    access = READ_CONTROL | WRITE_DAC | (SYSTEM_SECURITY if parts & Parts.SACL else 0)
    if parts & (Parts.OWNER | Parts.GROUP):
        access |= WRITE_OWNER
    answers = chain(live, open_any(name, access, itself=True), set_security(parts, data), close())
    return all(answer.status == OK for answer in answers)


def _parts_of(live: Live, name: str, parts: Parts) -> Descriptor | None:
    """Those parts of a descriptor as the server tells them; None when it does not, or they do not parse."""
    access = READ_CONTROL | (SYSTEM_SECURITY if parts & Parts.SACL else 0)
    answers = chain(live, open_any(name, access, itself=True), query_security(_ROOM, parts), close())
    try:
        return parse(bytes(output(granted(answers[1], name).message, "QUERY_INFO")))
    except (OSError, ValueError):
        return None


def _alike(descriptor: bytes, found: Descriptor | None, needed: Parts, put_on: Parts) -> set[Property]:
    try:
        wanted = parse(descriptor)
    except ValueError:
        return set()  # it is there, but nobody can tell whether it is what it was
    if found is None:
        return set()
    done = set()
    same = (found.owner, found.group, found.dacl) == (wanted.owner, wanted.group, wanted.dacl)
    flags = Control.DACL_PRESENT | Control.DACL_PROTECTED | Control.DACL_INHERITED
    if same and put_on & needed == needed and found.control & flags == wanted.control & flags:
        done.add(Property.DESCRIPTOR)
    if put_on & Parts.SACL and found.sacl == wanted.sacl:
        done.add(Property.AUDIT)
    return done


def _basic_at(live: Live, name: str) -> Basic | None:
    answers = chain(live, open_any(name, itself=True), query_basic(), close())
    try:
        return basic(output(granted(answers[1], name).message, "QUERY_INFO"))
    except ConnectionLost:
        raise
    except OSError:
        return None


def _put_basic(live: Live, name: str, has: Properties, wanted: Basic, withheld: int) -> set[Property]:
    opening = open_any(name, WRITE_ATTRIBUTES, itself=True)
    answers = chain(live, opening, set_basic(*wanted), query_basic(), close())
    if any(answer.status != OK for answer in answers):
        return set()
    try:
        found = basic(output(answers[2].message, "QUERY_INFO"))
    except BadAnswer:
        return set()
    done = set()
    if (found.accessed if wanted.accessed else 0, found.written) == (wanted.accessed, wanted.written):
        done.add(Property.TIMES)
    if found.created == wanted.created:
        done.add(Property.CREATED)
    if (found.attributes ^ (has.attributes or 0)) & TELLING & ~withheld == 0:
        done.add(Property.ATTRIBUTES)
    return done


def _parts(descriptor: bytes) -> Parts:
    """What a descriptor has, whether or not the rest of it parses."""
    if len(descriptor) < _HEAD.size:
        return Parts(0)
    _, _, control, owner, group, _, _ = _HEAD.unpack_from(descriptor)
    return (
        (Parts.OWNER if owner else Parts(0))
        | (Parts.GROUP if group else Parts(0))
        | (Parts.DACL if control & Control.DACL_PRESENT else Parts(0))
        | (Parts.SACL if control & Control.SACL_PRESENT else Parts(0))
    )


def _to_set(descriptor: bytes) -> bytes:
    """A descriptor as it is to be set: that a list was inherited by itself is only kept when it is also asked for."""
    if len(descriptor) < _HEAD.size:
        return descriptor
    revision, more, control, *places = _HEAD.unpack_from(descriptor)
    for inherited, asked in (
        (Control.DACL_INHERITED, Control.DACL_INHERIT_REQUIRED),
        (Control.SACL_INHERITED, Control.SACL_INHERIT_REQUIRED),
    ):
        if control & inherited:
            control |= asked
    return _HEAD.pack(revision, more, control, *places) + descriptor[_HEAD.size :]


def _filetime(time_ns: int | None) -> int:
    return 0 if time_ns is None else to_filetime(time_ns)
