"""What the targets are fed: bytes, JSON that is nearly right, lines of a CLI, requests."""

from __future__ import annotations

import json
from typing import Any

from hypothesis import strategies as st

MANY_DIGITS = "many digits"
SCALARS = st.one_of(
    st.none(), st.booleans(), st.integers(), st.floats(), st.text(max_size=20),
    st.sampled_from(["\ud800", "\x00", "\u2028", "a\nevent: result", MANY_DIGITS, 1e999]),
)  # fmt: skip
VALUES = st.recursive(
    SCALARS,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=8), inner, max_size=4),
    max_leaves=12,
)


def text_of(value: Any) -> bytes:
    """Return a value as JSON with whatever Python puts in it, NaN and half characters too."""
    return json.dumps(value).replace(f'"{MANY_DIGITS}"', "9" * 5000).encode()


def objects(*keys: str) -> st.SearchStrategy[bytes]:
    """Return objects with some of ``keys``, as JSON."""
    fields = st.dictionaries(st.sampled_from(keys) | st.text(max_size=8), VALUES, max_size=6)
    return fields.map(text_of)


def nearly(good: st.SearchStrategy[bytes]) -> st.SearchStrategy[bytes]:
    """Return ``good`` ones, cut, doubled, with bytes put in, nested deeply; and any bytes."""

    @st.composite
    def made(draw: st.DrawFn) -> bytes:
        text = draw(good)
        at = draw(st.integers(0, len(text)))
        return draw(
            st.sampled_from(
                [
                    text, text[:at], text[at:], text + text,
                    text[:at] + draw(st.binary(max_size=6)) + text[at:],
                    text[:at] + b"[" * 3000 + text[at:], b'{"a":' * 3000 + text + b"}" * 3000,
                ]
            )
        )  # fmt: skip

    return made() | st.binary(max_size=200)


REQUESTS = nearly(objects("prompt", "stream", "timeout"))
EVENTS = nearly(objects("type", "result", "is_error", "session_id", "usage"))
LINES = st.lists(EVENTS, max_size=6).map(b"\n".join)
CREDENTIALS = nearly(
    st.fixed_dictionaries(
        {
            "claudeAiOauth": st.dictionaries(
                st.sampled_from(["accessToken", "refreshToken", "expiresAt", "scopes"]), VALUES
            )
        }
    ).map(text_of)
)
WORDS = st.text(
    st.sampled_from("abcz019.-_:/@?#[]%\\ \n\r\t\0\x7f\xe9\u2028") | st.characters(codec="utf-8"), max_size=40
)
HEADS = nearly(
    st.tuples(
        st.sampled_from(["CONNECT", "GET", "POST", "connect", "CONNECT "]), WORDS,
        st.sampled_from([":443", ":80", "", ":0443", ":443:443"]), st.sampled_from([" HTTP/1.1", " HTTP/9"]),
    ).map(lambda parts: "".join([parts[0], " ", *parts[1:], "\r\n\r\n"]).encode())
)  # fmt: skip
HTTP = nearly(
    st.builds(
        lambda method, path, headers, body: b"%s %s HTTP/1.1\r\n%s\r\n%s" % (method, path, headers, body),
        st.sampled_from([b"GET", b"POST", b"PUT", b"HEAD", b"OPTIONS", b"\xff"]),
        st.sampled_from([b"/v1/prompt", b"/healthz", b"/readyz", b"/metrics", b"/", b"//x", b"/%ff", b"*"]),
        st.lists(
            st.sampled_from(
                [
                    b"Host: localhost\r\n", b"Host: a\r\n", b"Content-Type: application/json\r\n",
                    b"Content-Length: 5\r\n", b"Content-Length: -1\r\n", b"Transfer-Encoding: chunked\r\n",
                    b"Connection: close\r\n", b"Connection: upgrade\r\nUpgrade: websocket\r\n",
                    b"Expect: 100-continue\r\n", b"Authorization: Bearer \xff\r\n",
                    b"X: " + b"y" * 9000 + b"\r\n",
                    b"Accept: text/event-stream\r\n", b"Cookie: \0\r\n",
                ]
            ),
            max_size=5,
        ).map(b"".join),
        REQUESTS | st.sampled_from([b"0\r\n\r\n", b"5\r\nabcde\r\n0\r\n\r\n", b"zz\r\n"]),
    )
)  # fmt: skip


VARIANTS = 6  # of each input: drawing one costs more than trying it


def variants(value: Any) -> tuple[Any, ...]:
    """Return an input, its halves, itself twice, changed, and backwards; of a tuple so its first part."""
    if isinstance(value, tuple):
        return tuple((each, *value[1:]) for each in variants(value[0]))
    half = len(value) // 2
    if isinstance(value, str):
        return (
            value,
            value[:half],
            value[half:],
            value + value,
            f"{value[:half]}\0{value[half:]}",
            value[::-1],
        )
    changed = bytes(each ^ 1 for each in value[half : half + 1])
    twice, other = value + value, value[:half] + changed + value[half + 1 :]
    return (value, value[:half], value[half:], twice, other, value[::-1])
