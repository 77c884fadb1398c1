"""What a client says first in a tunnel: hellos for TLS, what is none, and a program that tries them."""

from __future__ import annotations

import ssl

NO_HELLO = 2  # the type of a handshake message that a server begins with
FIRST = 43  # bytes of a hello's record before the length of its session: headers, version, random
# What each of several clients of a proxy hears, who send their parts one after the other, each when the one
# before has brought nothing for so many seconds. Who is beyond the proxy speaks first: what is let by is
# answered. argv[1]: the parts of each, the words that start the proxy, its port, the name, the seconds
TRY = """
import base64, json, pathlib, socket, subprocess, sys, tempfile, threading, time
from concurrent.futures import ThreadPoolExecutor

clients, words, port, name, seconds = json.loads(sys.argv[1])
place = ("127.0.0.1", port)
beyond, held = socket.create_server(("127.0.0.1", 443)), []

def greet():
    while True:
        held.append(beyond.accept()[0])
        held[-1].sendall(b"beyond")

def heard(parts):
    with socket.create_connection(place, timeout=seconds) as proxy:
        proxy.sendall(f"CONNECT {name}:443 HTTP/1.1\\r\\nHost: {name}\\r\\n\\r\\n".encode())
        head = b""
        while not head.endswith(b"\\r\\n\\r\\n") and (byte := proxy.recv(1)):
            head += byte
        for each in parts:
            try:
                proxy.sendall(base64.b64decode(each))
                return "an answer" if proxy.recv(1) else "nothing"
            except TimeoutError:
                continue
            except OSError:
                break
    return "nothing"

directory = tempfile.mkdtemp()
pathlib.Path(directory, "allowed").write_text(name)
running = subprocess.Popen([*words, directory, str(port)], stdout=subprocess.DEVNULL)
threading.Thread(target=greet, daemon=True).start()
until = time.monotonic() + seconds
while True:
    try:
        socket.create_connection(place).close()
        break
    except OSError:
        if running.poll() is not None or time.monotonic() > until:
            sys.exit("the proxy does not listen")
        time.sleep(0.05)
with ThreadPoolExecutor(len(clients)) as pool:
    print(json.dumps(list(pool.map(heard, clients))))
running.kill()
"""


def hello(name: str) -> bytes:
    """Return what a client says first that shows a name."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    into, out = ssl.MemoryBIO(), ssl.MemoryBIO()
    try:
        context.wrap_bio(into, out, server_hostname=name).do_handshake()
    except ssl.SSLWantReadError:
        return out.read()
    raise ValueError(f"a handshake for {name!r} that waits for nobody")


def with_names(name: str, *more: str) -> bytes:
    """Return a hello that shows several names, in that order."""
    plain = hello(name)
    at = plain.index(_shown(name))
    made = bytearray(plain[:at] + _shown(name, *more) + plain[at + len(_shown(name)) :])
    longer = len(made) - len(plain)
    extensions = FIRST
    for size in (1, 2, 1):  # session, ciphers, compressions
        extensions += size + int.from_bytes(made[extensions : extensions + size], "big")
    for start, size in ((3, 2), (6, 3), (extensions, 2)):  # of the record, the message, the extensions
        number = int.from_bytes(made[start : start + size], "big") + longer
        made[start : start + size] = number.to_bytes(size, "big")
    return bytes(made)


def no_hello(name: str) -> bytes:
    """Return another message of a handshake, which shows a name all the same."""
    made = bytearray(hello(name))
    made[5] = NO_HELLO
    return bytes(made)


def _shown(*names: str) -> bytes:
    """Return the extension that shows names, without its own number."""
    each = (b"\0" + len(name).to_bytes(2, "big") + name.encode() for name in names)
    found = b"".join(each)
    return (len(found) + 2).to_bytes(2, "big") + len(found).to_bytes(2, "big") + found
