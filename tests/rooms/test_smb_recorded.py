"""What a real server has sent: Samba 4.17.12, SMB 3.1.1, signed with AES-GMAC. Recorded, with the key of that session.

A folder with one file, `na\u00efve.txt`, that holds `hello`: it is listed, closed, and the file is read.
"""

import pytest

from orchestrator.files.smb.conversation import Conversation, Exchange
from orchestrator.files.smb.guarding import Signing, signing
from orchestrator.files.smb.listing import children
from orchestrator.files.smb.packets import (
    BadAnswer,
    close,
    created,
    data,
    open_file,
    open_folder,
    output,
    query_directory,
    read,
)
from orchestrator.files.smb.status import NO_MORE_FILES
from tests.rooms.test_smb_wire import standing

KEY = bytes.fromhex("cf0a8945e414f93315eb31534df12445")
LISTED = bytes.fromhex(
    "fe534d4240000100000000000500000009000000980000000400000000000000fffe0000caf9137fb3b7314700000000c4e9"
    "99111398de864af9fc35ca5b96af59000000010000000c5433e9ec7cdd010c5433e9ec7cdd010c5433e9ec7cdd010c5433e9"
    "ec7cdd01000000000000000000000000000000001000000000000000ea91b98f000000009f7a895700000000000000000000"
    "0000fe534d4240000200000000000e0000000d000000a80100000500000000000000fffe0000caf9137fb3b7314700000000"
    "968a492cb758f5c96f7a8aa79d8a6bea090048005a01000070000000000000000c5433e9ec7cdd010c5433e9ec7cdd010c54"
    "33e9ec7cdd010c5433e9ec7cdd01000000000000000000000000000000001000000002000000000000000000000000000000"
    "0000000000000000000000000000000000000000b0082500000000002e000000000000007000000000000000eb5233e9ec7c"
    "dd01eb5233e9ec7cdd01c05833e9ec7cdd01c05833e9ec7cdd01000000000000000000000000000000001000000004000000"
    "0000000000000000000000000000000000000000000000000000000000000000ad082500000000002e002e00000000000000"
    "00000000000087d67fc64717da0187d67fc64717da0187d67fc64717da0187d67fc64717da01050000000000000000100000"
    "0000000080000000120000000000000000000000000000000000000000000000000000000000000000000000b10825000000"
    "00006e006100ef00760065002e00740078007400000000000000fe534d4240000200060000800e0037000d00000000000000"
    "0700000000000000fffe0000caf9137fb3b73147000000001877233abb82485699166ebf0a1f3ab809000000000000000000"
    "000000000000"
)
CLOSED = bytes.fromhex(
    "fe534d4240000100000000000600110009000000000000000900000000000000fffe0000caf9137fb3b73147000000003872"
    "a32d0474858455d15a91b517df2b3c0000000000000000000000000000000000000000000000000000000000000000000000"
    "000000000000000000000000000000000000000000000000"
)
FILE_READ = bytes.fromhex(
    "fe534d4240000100000000000500000009000000980000000a00000000000000fffe0000caf9137fb3b7314700000000543f"
    "3ba7f12db2e77c3ce8ba7cfe2ade590000000100000087d67fc64717da0187d67fc64717da0187d67fc64717da0187d67fc6"
    "4717da010010000000000000050000000000000080000000000000003d2714db00000000de38f3e000000000000000000000"
    "0000fe534d424000010000000000080000000d000000580000000b00000000000000fffe0000caf9137fb3b7314700000000"
    "b40e4463f53b9613f3157f95cd35f1c11100500005000000000000000000000068656c6c6f000000fe534d42400001000000"
    "0000060033000d000000000000000c00000000000000fffe0000caf9137fb3b7314700000000e6ff5fbab3663390318d418e"
    "b343fd1a3c000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000"
    "000000000000000000000000000000000000"
)


def recorded() -> tuple[Conversation, list[Exchange]]:
    """The conversation as it was, with everything asked and nothing heard."""
    conversation = Conversation(
        standing(session=1194440627, tree=2132015562, next_message=4, credits=64, sign=signing(Signing.AES_GMAC, KEY))
    )
    query = query_directory(128 << 10)
    exchanges = [
        Exchange([open_folder(""), query, query]),
        Exchange([close(bytes(16))]),
        Exchange([open_file("na\u00efve.txt"), read(5), close()]),
    ]
    for exchange in exchanges:
        conversation.say(exchange)
    return conversation, exchanges


def test_what_a_real_server_has_sent_is_believed_and_understood() -> None:
    conversation, (listed, closed, file) = recorded()
    for frame in (LISTED, CLOSED, FILE_READ):
        conversation.hear(bytearray(frame))
    assert listed.done
    assert closed.done
    found = {child.name: child for child in children(output(listed.answer(1).message))}
    assert found.keys() == {".", "..", "na\u00efve.txt"}
    one = found["na\u00efve.txt"]
    assert (one.size, one.written_ns, one.folder, one.link) == (5, 1_700_000_000_123_456_700, False, False)
    assert found["."].folder
    assert listed.answer(2).status == NO_MORE_FILES
    assert created(file.answer(0).message).size == 5
    assert bytes(data(file.answer(1).message, 5)) == b"hello"


@pytest.mark.parametrize("frame", [LISTED, CLOSED, FILE_READ])
def test_no_byte_of_it_can_be_changed_unseen(frame: bytes) -> None:
    for place in range(len(frame)):
        spoilt = bytearray(frame)
        spoilt[place] ^= 0x40
        conversation, _ = recorded()
        with pytest.raises(BadAnswer):
            conversation.hear(spoilt)
