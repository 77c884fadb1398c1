"""The parts of the api mode that need no server."""

from __future__ import annotations

import asyncio
import ctypes
import hashlib
import subprocess
import sys
from collections.abc import Coroutine, Iterator
from pathlib import Path
from typing import Any

import pytest


def test_only_the_right_bearer_token_is_let_in(box: dict[str, Any]) -> None:
    settings = box["service"].settings({"BOX_API_TOKEN": "stub-client", "BOX_API_HOST": "0.0.0.0"})

    assert settings.allows("Bearer stub-client")
    assert settings.allows("bearer stub-client")
    for wrong in (
        "",
        "Bearer \xe9",
        "Bearer ",
        "Bearer stub-clien",
        "Bearer stub-client2",
        "Basic stub-client",
        "stub-client",
    ):
        assert not settings.allows(wrong), wrong


def test_a_hash_serves_for_the_token(box: dict[str, Any]) -> None:
    kept = "sha256:" + hashlib.sha256(b"stub-client").hexdigest()
    settings = box["service"].settings({"BOX_API_TOKEN": kept})

    assert not settings.readable
    assert box["service"].settings({"BOX_API_TOKEN": "stub-client"}).readable
    assert settings.allows("Bearer stub-client")
    for wrong in (kept, kept.removeprefix("sha256:"), "stub-clien", ""):
        assert not settings.allows(f"Bearer {wrong}"), wrong


@pytest.mark.parametrize(
    ("host", "kind", "ok"),
    [
        ("127.0.0.1:8080", "application/json", True), ("localhost", "application/json; charset=utf-8", True),
        ("[::1]:8080", "Application/JSON", True), ("127.0.0.1:8080", "text/plain", False),
        ("127.0.0.1:8080", "", False), ("rebound.example:8080", "application/json", False),
        ("127.0.0.1.example", "application/json", False), ("[", "application/json", False),
        ("x@127.0.0.1", "application/json", True), ("127.0.0.1@x", "application/json", False),
    ],
)  # fmt: skip
def test_without_a_token_no_web_page_is_answered(box: dict[str, Any], host: str, kind: str, ok: bool) -> None:
    guarded = box["service"].settings({"BOX_API_TOKEN": "stub-client"})
    guarded.expects(host, kind)
    try:
        box["service"].settings({}).expects(host, kind)
    except box["service"].Wrong:
        assert not ok
    else:
        assert ok


def test_a_token_file_is_read_anew(box: dict[str, Any], tmp_path: Path) -> None:
    file = tmp_path / "token"
    file.write_text("stub-old\n")
    settings = box["service"].settings({"BOX_API_TOKEN_FILE": str(file)})
    assert settings.allows("Bearer stub-old")
    file.write_text("stub-new")
    assert settings.allows("Bearer stub-new")
    file.unlink()
    assert not settings.allows("Bearer stub-new")
    assert not settings.allows("Bearer ")


@pytest.mark.parametrize(
    ("environment", "said"),
    [
        ({"BOX_API_HOST": "0.0.0.0"}, "Set BOX_API_TOKEN_FILE"),
        ({"BOX_API_TOKEN_FILE": "/nonexistent"}, "cannot be read"),
        ({"BOX_API_TOKEN_FILE": "/dev/null"}, "is empty"),
        ({"BOX_API_TOKEN": "sha256:abc"}, "is no hash"),
        ({"BOX_API_PORT": "http"}, "BOX_API_PORT=http"),
        ({"BOX_API_CONCURRENCY": "0"}, "above 0"),
    ],
)
def test_settings_that_cannot_be(box: dict[str, Any], environment: dict[str, str], said: str) -> None:
    with pytest.raises(box["service"].Wrong, match=said):
        box["service"].settings(environment)


def test_without_a_token_it_serves_on_loopback_only(box: dict[str, Any]) -> None:
    assert box["service"].settings({}).allows("")


@pytest.mark.parametrize(
    "body",
    [b"", b"[]", b"{}", b'"x"', b'{"prompt": " "}', b'{"prompt": "x", "stream": 1}',
     b'{"prompt": "x", "timeout": 61}', b'{"prompt": "x", "timeout": 0}',
     b'{"prompt": "x", "timeout": true}', b'{"prompt": "x", "timeout": NaN}', b"[" * 100_000,
     b'{"prompt": ' + b"[" * 100_000, b'{"prompt": "\\ud800"}', b"\xff\xfe"],
)  # fmt: skip
def test_requests_that_cannot_be(box: dict[str, Any], body: bytes) -> None:
    with pytest.raises(box["service"].Wrong):
        box["service"].asked(body, "", 60)


def test_a_stream_is_asked_for_in_two_ways(box: dict[str, Any]) -> None:
    asked = box["service"].asked
    assert asked(b'{"prompt": "x", "stream": true}', "", 60).stream
    assert asked(b'{"prompt": "x"}', "text/event-stream", 60).stream
    assert not asked(b'{"prompt": "x", "timeout": 2}', "application/json", 60).stream


def test_the_metrics_are_cumulative_and_end(box: dict[str, Any]) -> None:
    made = box["metrics"].Metrics()
    made.answered(200, 0.5)
    made.answered(200, 20)
    made.answered(401)
    lines = made.text(ready=True, running=1, expires_in=7.4).splitlines()

    assert lines[-1] == "# EOF"
    wanted = {
        'box_prompts_total{status="200"} 2', 'box_prompts_total{status="401"} 1',
        'box_prompt_seconds_bucket{le="1.0"} 1', 'box_prompt_seconds_bucket{le="60.0"} 2',
        'box_prompt_seconds_bucket{le="+Inf"} 2', "box_prompt_seconds_count 2",
        "box_prompt_seconds_sum 20.500", "box_ready 1", "box_prompts_running 1",
        "box_login_expires_seconds 7",
    }  # fmt: skip
    assert wanted <= set(lines)


CLI = """#!/bin/sh
started() { echo "{\\"type\\": \\"child\\", \\"pid\\": $1}"; }
prompt=$(cat)
echo "{\\"type\\": \\"system\\", \\"token\\": \\"$BOX_API_TOKEN\\"}"
case $prompt in
fails) echo broken >&2; exit 3 ;;
hangs) sleep 30 & started $!; wait ;;
leaves) setsid sleep 30 & started $!; wait ;;
clears) env -i setsid sleep 30 & started $!; wait ;;
orphans) started "$(env -i setsid sh -c 'sleep 30 >&- 2>&- & echo $!')"; sleep 30 ;;
alone) kill -9 $PPID; env -i setsid sleep 30 & started $!; wait ;;
closes) exec >&- 2>&-; exec sleep 30 ;;
esac
echo "{\\"type\\": \\"result\\", \\"result\\": \\"$prompt\\"}"
"""


@pytest.fixture
def children(box: dict[str, Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    """What runs a stand-in for the CLI; meanwhile this process takes orphans, as the service does."""
    cli = tmp_path / "claude"
    cli.write_text(CLI)
    cli.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}:/usr/bin:/bin")
    monkeypatch.setenv("BOX_API_TOKEN", "stub-client")
    prompts = box["prompts"]
    monkeypatch.setattr(prompts, "KILL_AFTER", 0.2)
    yield prompts.Children()
    ctypes.CDLL(None).prctl(box["reaper"].PR_SET_CHILD_SUBREAPER, 0, 0, 0, 0)


async def never() -> None:
    await asyncio.Event().wait()


def carried_out(children: Any, work: Coroutine[Any, Any, Any]) -> Any:
    """Return what ``work`` comes to; its loop lives until what it started has ended, as the box's does."""

    async def whole() -> Any:
        try:
            return await work
        finally:
            while children.running:
                await asyncio.sleep(0.02)
            await asyncio.sleep(0.02)  # the pipes are closed by the loop

    return asyncio.run(whole())


async def said(children: Any, prompt: str, gone: Any = None, timeout: float = 10) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = []

    async def tell(event: dict[str, Any] | None) -> None:
        found.extend([event] if event else [])

    result = await children.work("a", prompt, gone or never(), tell, timeout=timeout, parts=False)
    assert result == found[-1]
    return found


def test_a_prompt_goes_in_by_standard_input_and_its_result_comes_last(children: Any) -> None:
    found = carried_out(children, said(children, "hello"))

    assert found[-1] == {"type": "result", "result": "hello"}
    assert found[0]["token"] == "", "the clients' token is not for the agent"
    assert not children.running


def test_a_cli_that_fails_is_quoted(box: dict[str, Any], children: Any) -> None:
    with pytest.raises(box["prompts"].Failed, match="broken"):
        carried_out(children, said(children, "fails"))


def runs(pid: int) -> bool:
    try:
        return "Z" not in Path(f"/proc/{pid}/stat").read_text().split()
    except OSError:
        return False


@pytest.mark.parametrize("prompt", ["hangs", "leaves", "clears", "orphans", "alone"])
@pytest.mark.parametrize("why", ["Gone", "TooLong"])
def test_a_prompt_nobody_waits_for_ends_with_all_it_started(
    box: dict[str, Any], children: Any, why: str, prompt: str
) -> None:
    async def cut_short() -> int:
        pids: list[int] = []
        told = asyncio.Event()

        async def tell(event: dict[str, Any] | None) -> None:
            if event and "pid" in event:
                pids.append(event["pid"])
                told.set()

        gone = told.wait() if why == "Gone" else never()
        with pytest.raises(getattr(box["prompts"], why)):
            await children.work("a", prompt, gone, tell, timeout=2, parts=False)
        while runs(pids[0]):
            await asyncio.sleep(0.05)
        return pids[0]

    assert carried_out(children, cut_short())


@pytest.mark.parametrize("prompt", ["hangs", "leaves", "clears", "orphans"])
def test_what_another_prompt_has_started_outlasts_the_end_of_one(
    box: dict[str, Any], children: Any, prompt: str
) -> None:
    async def beside() -> None:
        over, pid = asyncio.Event(), asyncio.get_running_loop().create_future()

        async def tell(event: dict[str, Any] | None) -> None:
            if event and "pid" in event:
                pid.set_result(event["pid"])

        work = children.work("other", prompt, over.wait(), tell, timeout=30, parts=False)
        other = asyncio.ensure_future(work)
        found = await pid
        await said(children, "hello")
        while len(children.running) > 1:  # what the first one left is not cleared away yet
            await asyncio.sleep(0.02)
        assert runs(found)
        over.set()
        with pytest.raises(box["prompts"].Gone):
            await other
        while runs(found):
            await asyncio.sleep(0.02)

    carried_out(children, beside())


@pytest.mark.usefixtures("children")
def test_what_was_there_before_any_prompt_is_left_alone(box: dict[str, Any]) -> None:
    with subprocess.Popen(["sleep", "30"]) as before:
        try:
            made = box["prompts"].Children()
            carried_out(made, said(made, "hello"))
            assert runs(before.pid)
        finally:
            before.kill()


def test_a_cli_that_is_not_there_is_told(box: dict[str, Any], children: Any, tmp_path: Path) -> None:
    (tmp_path / "claude").unlink()
    with pytest.raises(box["prompts"].Failed, match="cannot be started"):
        carried_out(children, said(children, "hello"))


def test_the_end_of_a_cli_is_that_of_its_reaper(box: dict[str, Any]) -> None:
    for script, code in (("exit 3", 3), ("kill -9 $$", 137), ("trap 'exit 5' TERM; kill 0; exit 6", 5)):
        argv = [sys.executable, "-IS", str(Path(box["reaper"].__file__)), "name", "sh", "-c", script]
        assert subprocess.run(argv, check=False, start_new_session=True).returncode == code


@pytest.mark.parametrize("prompt", ["closes", "x" * 3_000_000, "hangs"])
def test_whatever_is_waited_for_the_time_ends(
    box: dict[str, Any], children: Any, tmp_path: Path, prompt: str
) -> None:
    if prompt.startswith("x"):  # nobody reads it
        (tmp_path / "claude").write_text("#!/bin/sh\nexec sleep 30\n")

    async def cut_short() -> None:
        with pytest.raises(box["prompts"].TooLong):
            await said(children, prompt, timeout=1)

    carried_out(children, cut_short())


def test_a_reader_that_takes_nothing_does_not_lengthen_the_time(box: dict[str, Any], children: Any) -> None:
    async def tell(_: object) -> None:
        await never()

    with pytest.raises(box["prompts"].TooLong):
        carried_out(children, children.work("a", "hello", never(), tell, timeout=1, parts=False))


@pytest.mark.parametrize(
    ("line", "is_one"),
    [
        (b'{"type": "x"}', True), (b'{"x": "\\ud800"}', True), (b'{"x": NaN}', False),
        (b'{"x": 1e999}', False), (b'{"x": ' + b"[" * 100_000, False),
        (b'{"x": ' + b"[" * 100_000 + b"]" * 100_000 + b"}", False),
        (b"[]", False), (b"\xff", False), (b'{"x": ' + b"9" * 5000 + b"}", False),
    ],
)  # fmt: skip
def test_an_event_is_what_can_be_handed_on(box: dict[str, Any], line: bytes, is_one: bool) -> None:
    assert (box["prompts"].event(line) is not None) is is_one


def test_a_line_that_is_too_long_is_left_out_and_the_next_is_not(
    box: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(box["prompts"], "LINE", 10)

    async def read(data: bytes) -> list[bytes]:
        stream = asyncio.StreamReader()
        stream.feed_data(data)
        stream.feed_eof()
        return [each async for each in box["prompts"].whole_lines(stream)]

    assert asyncio.run(read(b"one\n" + b"x" * 200_000 + b"\n\ntwo")) == [b"one", b"", b"two"]


def test_a_place_is_given_back_and_stuck_is_told(box: dict[str, Any]) -> None:
    made = box["slots"].Slots(1, 600)
    with pytest.raises(ValueError, match="why"), made.take("a"):
        raise ValueError("why")
    with made.take("a"):
        assert not made.stuck
        with pytest.raises(box["slots"].Busy), made.take("b"):
            pass
        made.taken["a"] -= 600 + box["slots"].SPARE + 1
        assert made.stuck
    assert not made.stuck
