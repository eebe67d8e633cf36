r"""Shares by UNC path (`\\server\share\folder`), spoken to in SMB2 and SMB3 by the orchestrator itself.

`smbprotocol` negotiates, logs on and connects to the share; then its socket is taken over by a data path of our own:
requests packed with `struct`, several in one frame, many frames under way. `packets`, `listing`, `guarding` and
`conversation` do no I/O; `connection` has the socket. May touch: the network, towards servers that the config names.
Promises: every answer is proved by its signature or its encryption before it is believed; an answer that lies about
its lengths is an error; whatever fails is an OSError; a source is never written to. Refuses: threads of its own.
"""

from orchestrator.files.smb.logon import Account
from orchestrator.files.smb.share import Reaching, Unc, parse_unc
from orchestrator.files.smb.source import SmbSource
from orchestrator.files.smb.target import SmbTarget

__all__ = ["Account", "Reaching", "SmbSource", "SmbTarget", "Unc", "parse_unc"]
