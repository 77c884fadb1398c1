"""One HTTPS request of the probe program's own, direct or through a proxy: who answered, and how."""

from __future__ import annotations

import argparse
import socket
import ssl
from typing import Any
from urllib.parse import urlsplit

from boxproof.probes.program_files.dns import Answer, ending

ACCEPTED = 200  # what a proxy says once the tunnel is there


def https(asked: argparse.Namespace) -> Answer:
    """Ask for one path over TLS and say who answered; nothing is sent before the certificate was seen."""
    proxy = urlsplit(asked.via)
    host, port = (proxy.hostname or "", proxy.port or 80) if asked.via else (asked.host, asked.port)
    try:
        address: Any = socket.getaddrinfo(host, port, socket.AF_INET)[0][4]
        with socket.create_connection(address, timeout=asked.within) as connection:
            said = tunnel(connection, f"{asked.host}:{asked.port}") if asked.via else 0
            if asked.via and said != ACCEPTED:
                return {"reach": "open", "proxy": said}
            return {"reach": "open", "proxy": said} | answer(connection, asked)
    except socket.gaierror as error:
        return {"reach": "no name", "why": str(error)}
    except TimeoutError:
        return {"reach": "filtered", "why": "timeout"}
    except ssl.SSLError:
        raise
    except OSError as error:
        return {"reach": ending(error), "why": str(error)}


def tunnel(connection: socket.socket, target: str) -> int:
    """Ask a proxy for a tunnel and return its status; what follows belongs to the target."""
    connection.sendall(f"CONNECT {target} HTTP/1.1\r\nHost: {target}\r\n\r\n".encode())
    head = b""
    while not head.endswith(b"\r\n\r\n") and len(head) < 8192:
        byte = connection.recv(1)
        if not byte:
            break
        head += byte
    return int(head.split(b" ", 2)[1]) if head.startswith(b"HTTP/") else 0


def answer(connection: socket.socket, asked: argparse.Namespace) -> dict[str, Any]:
    """Return the issuer of the certificate that the authority vouches for, and the status of the answer."""
    context = ssl.create_default_context(cadata=asked.authority)
    try:
        with context.wrap_socket(connection, server_hostname=asked.host) as secure:
            seen: Any = secure.getpeercert()
            issuer = dict(pair for group in seen["issuer"] for pair in group)
            ask = f"GET {asked.path} HTTP/1.1\r\nHost: {asked.host}\r\nConnection: close\r\n\r\n"
            secure.sendall(ask.encode())
            status = int(secure.makefile("rb").readline().split(b" ", 2)[1])
    except ssl.SSLCertVerificationError as error:
        return {"verified": False, "why": error.verify_message}
    return {"verified": True, "issuer": issuer.get("organizationName", ""), "status": status}
