"""A stub on this machine, in the test's own process."""

from __future__ import annotations

import ssl
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from boxproof.core.session import StubInfo
from boxproof.stubs import certificates
from boxproof.stubs.server import stub


@contextmanager
def serving(directory: Path) -> Iterator[StubInfo]:
    """Run both sides of a stub whose certificate is in ``directory``."""
    authority = certificates.issue(["localhost"])
    (directory / "tls.crt").write_bytes(authority.chain)
    (directory / "tls.key").write_bytes(authority.key)
    stub.STATE.reset("")
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(directory / "tls.crt", directory / "tls.key")
    sides = [stub.Server(("127.0.0.1", 0), each) for each in (stub.Api, stub.Control)]
    sides[0].context = context
    for each in sides:
        threading.Thread(target=each.serve_forever, args=(0.02,), daemon=True).start()
    api, control = (each.server_port for each in sides)
    try:
        yield StubInfo(address=f"localhost:{api}", ca=authority.ca, control=f"http://127.0.0.1:{control}")
    finally:
        for each in sides:
            each.shutdown()
            each.server_close()
