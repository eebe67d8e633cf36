"""Certificates of the system are read by who trusts them, and not by every import."""

import os
import ssl

import pytest

from orchestrator.cli.sparing import without_certificates


def known() -> int:
    return ssl.create_default_context().cert_store_stats()["x509"]


def test_nobody_finds_the_certificates_of_the_system_until_it_is_over() -> None:
    before = known()
    with without_certificates():
        assert known() == 0
    assert known() == before


@pytest.mark.parametrize("file", [None, "", "/etc/other.pem"])
def test_where_the_operator_has_put_them_holds_again_afterwards(
    file: str | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("SSL_CERT_FILE", raising=False)
    if file is not None:
        monkeypatch.setenv("SSL_CERT_FILE", file)
    with pytest.raises(ImportError), without_certificates():
        raise ImportError
    assert os.environ.get("SSL_CERT_FILE") == file
