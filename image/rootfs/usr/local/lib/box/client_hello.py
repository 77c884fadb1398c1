"""The name that a TLS client asks for, out of the first message it sends."""

HANDSHAKE, CLIENT_HELLO = 22, 1
SERVER_NAME, HOST_NAME = 0, 0
ENCRYPTED = 0xFE0D  # encrypted_client_hello: it hides another name behind the one that is shown
LONGEST = 1 << 16  # bytes


class NoHello(Exception):
    """What came is no ClientHello that shows whom it is for; the text says why."""


class Reader:
    """Bytes that are read one after the other; raises NoHello where there are too few."""

    def __init__(self, data: bytes) -> None:
        self.data = data
        self.place = 0

    def take(self, count: int) -> bytes:
        """Return the next bytes."""
        found = self.data[self.place : self.place + count]
        if len(found) != count:
            raise NoHello("it ends too early")
        self.place += count
        return found

    def number(self, size: int) -> int:
        """Return the next number."""
        return int.from_bytes(self.take(size), "big")

    def block(self, size: int) -> "Reader":
        """Return what has its length before it."""
        return Reader(self.take(self.number(size)))

    @property
    def more(self) -> bool:
        """Whether something is left."""
        return self.place < len(self.data)


def message(records: bytes) -> bytes | None:
    """Return the handshake message in ``records``, which may be several; None while more is to come."""
    found, reader = b"", Reader(records)
    while len(found) < 4 or len(found) < 4 + int.from_bytes(found[1:4], "big"):
        left = len(records) - reader.place
        if left and records[reader.place] != HANDSHAKE:
            raise NoHello("it is no TLS")
        if found and (found[0] != CLIENT_HELLO or int.from_bytes(found[1:4], "big") > LONGEST):
            raise NoHello("it is no ClientHello")
        if left < 5 or left < 5 + int.from_bytes(records[reader.place + 3 : reader.place + 5], "big"):
            if left >= 5 and records[reader.place + 3 : reader.place + 5] == b"\0\0":
                raise NoHello("a record is empty")
            return None
        reader.take(3)
        part = reader.block(2).data
        if not part:
            raise NoHello("a record is empty")
        found += part
    return found


def name(hello: bytes) -> str:
    """Return the host that a handshake message is for, in lower case; raises NoHello."""
    reader = Reader(hello)
    if reader.number(1) != CLIENT_HELLO:
        raise NoHello("it is no ClientHello")
    body = reader.block(3)
    body.take(2 + 32)  # version, random
    for size in (1, 2, 1):  # session, ciphers, compressions
        body.block(size)
    names: list[str] = []
    extensions = body.block(2)
    while extensions.more:
        kind, value = extensions.number(2), extensions.block(2)
        if kind == ENCRYPTED:
            raise NoHello("it hides a name in an encrypted ClientHello")
        if kind == SERVER_NAME:
            names.extend(_hosts(value.block(2)))
    if len(names) != 1:
        raise NoHello(f"it names {len(names)} hosts")
    return names[0]


def _hosts(found: Reader) -> list[str]:
    names = []
    while found.more:
        kind, value = found.number(1), found.block(2).data
        if kind != HOST_NAME:
            raise NoHello("it names something else than a host")
        try:
            names.append(value.decode("ascii").lower())
        except UnicodeDecodeError:
            raise NoHello("its name is no ASCII") from None
    return names
