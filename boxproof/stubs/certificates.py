"""The certificates of the stub: a test authority, and one server certificate for its names."""

from __future__ import annotations

import io
import tarfile
from collections.abc import Sequence
from dataclasses import dataclass

NAME = "boxproof test authority"
DIRECTORY = "etc/boxproof-stub"


@dataclass(frozen=True)
class Authority:
    """PEM texts: the authority's certificate, and the server's chain and key."""

    ca: str
    chain: bytes
    key: bytes


def issue(names: Sequence[str]) -> Authority:
    """Return a new authority and a server certificate for ``names``."""
    import trustme  # it brings cryptography, which only a process that starts a stub needs

    ca = trustme.CA(organization_name=NAME)
    server = ca.issue_cert(*names)
    chain = b"".join(each.bytes() for each in server.cert_chain_pems)
    return Authority(ca.cert_pem.bytes().decode(), chain, server.private_key_pem.bytes())


def archive(authority: Authority) -> bytes:
    """Return a tar of the server's files, to be put at the root of the stub's container."""
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w") as tar:
        for name, data in (("tls.crt", authority.chain), ("tls.key", authority.key)):
            entry = tarfile.TarInfo(f"{DIRECTORY}/{name}")
            entry.size, entry.mode = len(data), 0o600
            tar.addfile(entry, io.BytesIO(data))
    return buffer.getvalue()
