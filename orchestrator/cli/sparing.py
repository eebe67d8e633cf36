"""What libraries would take for nobody when they are imported."""

import os
from collections.abc import Iterator
from contextlib import contextmanager

_STORES = ("SSL_CERT_FILE", "SSL_CERT_DIR")
"""Where OpenSSL looks for the certificates of the system, before it looks where it was built to."""


@contextmanager
def without_certificates() -> Iterator[None]:
    """While this is open, OpenSSL finds no certificates of the system. aiohttp reads them all, twice, when it is
    imported, into contexts of its own: 2 MB, and a tenth of the start. All our clients say whom they trust."""
    before = {name: os.environ.get(name) for name in _STORES}
    os.environ |= dict.fromkeys(_STORES, os.devnull)
    try:
        yield
    finally:
        for name, value in before.items():
            os.environ.pop(name)
            if value is not None:
                os.environ[name] = value
