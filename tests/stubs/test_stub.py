"""The stub of the Anthropic API, served on this machine over TLS."""

from __future__ import annotations

import ssl
from collections.abc import Iterator
from typing import Any

import httpx
import pytest

from boxproof.core.session import StubInfo
from boxproof.stubs.anthropic import Stub
from boxproof.stubs.server import shapes
from pytest_claims.faults import EnvironmentFault

ASK: dict[str, Any] = {"model": "m", "messages": [{"role": "user", "content": "hello there"}]}


@pytest.fixture
def stub(info: StubInfo) -> Iterator[Stub]:
    """The control side."""
    made = Stub(info)
    yield made
    made.close()


@pytest.fixture
def box(info: StubInfo) -> Iterator[httpx.Client]:
    """A client as the box is one: it trusts the test authority."""
    context = ssl.create_default_context(cadata=info.ca)
    with httpx.Client(base_url=f"https://{info.address}", verify=context, trust_env=False) as client:
        yield client


def send(box: httpx.Client, token: str = "stub-token-a", **more: object) -> httpx.Response:
    """Send one prompt."""
    return box.post("/v1/messages", json=ASK | more, headers={"Authorization": f"Bearer {token}"})


def refresh(box: httpx.Client, token: str) -> httpx.Response:
    """Ask for new tokens."""
    return box.post("/v1/oauth/token", json={"grant_type": "refresh_token", "refresh_token": token})


def test_a_prompt_is_answered_and_recorded(box: httpx.Client, stub: Stub) -> None:
    assert send(box).json()["content"][0]["text"] == shapes.TEXT

    (seen,) = stub.requests()
    assert (seen.path, seen.token, seen.prompt, seen.status) == (
        "/v1/messages", "stub-token-a", "hello there", 200,
    )  # fmt: skip


def test_a_streamed_answer_has_the_events_in_order(box: httpx.Client) -> None:
    text = send(box, stream=True).text
    names = [line.removeprefix("event: ") for line in text.splitlines() if line.startswith("event: ")]
    assert names[0] == "message_start"
    assert names[-2:] == ["message_delta", "message_stop"]
    assert shapes.TEXT in text


def test_the_skills_a_model_is_told_of_are_recorded(box: httpx.Client, stub: Stub) -> None:
    told = "The following skills are available for use with the Skill tool:\n\n- one: what: for\n- two"
    for content in (told, [{"type": "text", "text": told}]):
        send(box, messages=[*ASK["messages"], {"role": "system", "content": content}])

    assert [list(each.skills) for each in stub.requests()] == [["one", "two"]] * 2


def test_behaviour_is_per_token(box: httpx.Client, stub: Stub) -> None:
    stub.of("stub-token-b").behave("401")

    assert send(box, "stub-token-b").status_code == 401
    assert send(box, "stub-token-a").status_code == 200
    assert [each.status for each in stub.of("stub-token-b").requests()] == [401]


def test_no_token_is_refused(box: httpx.Client) -> None:
    assert box.post("/v1/messages", json=ASK).status_code == 401


def test_refresh_mode_takes_only_a_token_given_out(box: httpx.Client, stub: Stub) -> None:
    stub.of("stub-token-a").behave("refresh")
    assert send(box, "stub-token-a").status_code == 401

    given = refresh(box, "stub-token-a.refresh.0").json()

    assert given["access_token"] != "stub-token-a"
    assert send(box, given["access_token"]).status_code == 200
    assert len(stub.of("stub-token-a").requests()) == 3
    assert refresh(box, given["refresh_token"]).json()["access_token"] != given["access_token"]


def test_slow_answers_late(box: httpx.Client, stub: Stub) -> None:
    stub.of("stub-token-a").behave("slow", seconds=0.4, text="at last")
    answer = send(box)
    assert answer.elapsed.total_seconds() >= 0.4
    assert answer.json()["content"][0]["text"] == "at last"


def test_a_mode_can_come_after_some_answers(box: httpx.Client, stub: Stub) -> None:
    stub.of("stub-token-a").behave("401", after=2)
    assert [send(box).status_code for _ in range(3)] == [200, 200, 401]
    assert send(box, "stub-token-b").status_code == 200


@pytest.mark.parametrize("stream", [False, True])
def test_a_session_has_work_to_do_before_the_text(box: httpx.Client, stub: Stub, stream: bool) -> None:
    stub.of("stub-token-a").behave("ok", turns=1, command="touch done")
    answered = {"role": "user", "content": [{"type": "tool_result", "tool_use_id": "t", "content": ""}]}

    asked = send(box, stream=stream).text
    ended = send(box, stream=stream, messages=[*ASK["messages"], answered]).text

    assert "touch done" in asked
    assert '"stop_reason": "tool_use"' in asked
    assert shapes.TEXT not in asked
    assert shapes.TEXT in ended


def test_a_renewed_token_lasts_as_long_as_asked(box: httpx.Client, stub: Stub) -> None:
    stub.of("stub-token-a").behave("ok", expires_in=301)
    assert refresh(box, "stub-token-a.refresh.0").json()["expires_in"] == 301


def test_reset_forgets_one_token(box: httpx.Client, stub: Stub) -> None:
    send(box, "stub-token-a")
    send(box, "stub-token-b")
    stub.of("stub-token-a").reset()
    assert [each.token for each in stub.requests()] == ["stub-token-b"]


def test_other_paths_are_not_there_and_recorded(box: httpx.Client, stub: Stub) -> None:
    assert box.get("/v1/nonesuch").status_code == 404
    assert [each.path for each in stub.requests("/v1/nonesuch")] == ["/v1/nonesuch"]


def test_an_unknown_mode_is_refused(stub: Stub) -> None:
    with pytest.raises(EnvironmentFault, match="400"):
        stub.behave("odd")  # type: ignore[arg-type]


def test_a_dead_control_side_is_a_fault_of_the_environment() -> None:
    stub = Stub(StubInfo(address="", ca="", control="http://127.0.0.1:1"))
    with pytest.raises(EnvironmentFault, match="does not answer"):
        stub.requests()
    stub.close()
