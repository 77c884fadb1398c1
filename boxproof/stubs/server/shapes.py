"""What requests and answers of the Messages API look like, as far as the stub needs them."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from typing import Any

Json = dict[str, Any]
TEXT = "stub answer"
REASONS = {"text": "end_turn", "tool_use": "tool_use"}


def error(kind: str, text: str) -> Json:
    """Return an error as the Messages API words it."""
    return {"type": "error", "error": {"type": kind, "message": text}}


def prompt(body: Json) -> str:
    """Return the text of the last user message."""
    messages = [each for each in body.get("messages") or [] if each.get("role") == "user"]
    content = messages[-1].get("content", "") if messages else ""
    if isinstance(content, str):
        return content
    return "\n".join(each.get("text", "") for each in content if each.get("type") == "text")


def skills(body: Json) -> list[str]:
    """Return the names of the skills that the program tells the model of."""
    contents = [each.get("content") for each in body.get("messages") or []]
    texts = [part.get("text", "") for each in contents if isinstance(each, list) for part in each]
    texts += [each for each in contents if isinstance(each, str)]
    listed = "\n".join(text.partition("for use with the Skill tool:")[2] for text in texts)
    return [line[2:].partition(":")[0] for line in listed.splitlines() if line.startswith("- ")]


def reply(body: Json, how: Json) -> Json:
    """Return the one block of an answer: calls of ``command`` until ``turns`` have results, then ``text``."""
    contents = [each.get("content") for each in body.get("messages") or []]
    parts = [part for each in contents if isinstance(each, list) for part in each]
    done = sum(part.get("type") == "tool_result" for part in parts)
    if done >= int(how.get("turns", 0)):
        return {"type": "text", "text": str(how.get("text", TEXT))}
    given = {"command": str(how.get("command", "true")), "description": "what the stub wants done"}
    return {"type": "tool_use", "id": f"toolu_stub_{time.time_ns()}", "name": "Bash", "input": given}


def message(body: Json, content: list[Json], reason: str | None) -> Json:
    """Return a whole message."""
    return {
        "id": f"msg_stub_{time.time_ns()}", "type": "message", "role": "assistant",
        "model": body.get("model", "stub"), "content": content,
        "stop_reason": reason, "stop_sequence": None, "usage": {"input_tokens": 1, "output_tokens": 1},
    }  # fmt: skip


def events(body: Json, block: Json) -> Iterator[tuple[str, Json]]:
    """Yield the events of a streamed message."""
    if block["type"] == "text":
        empty, delta = block | {"text": ""}, {"type": "text_delta", "text": block["text"]}
    else:
        empty = block | {"input": {}}
        delta = {"type": "input_json_delta", "partial_json": json.dumps(block["input"])}
    last = {"stop_reason": REASONS[block["type"]], "stop_sequence": None}
    yield "message_start", {"type": "message_start", "message": message(body, [], None)}
    yield "content_block_start", {"type": "content_block_start", "index": 0, "content_block": empty}
    yield "content_block_delta", {"type": "content_block_delta", "index": 0, "delta": delta}
    yield "content_block_stop", {"type": "content_block_stop", "index": 0}
    yield "message_delta", {"type": "message_delta", "delta": last, "usage": {"output_tokens": 1}}
    yield "message_stop", {"type": "message_stop"}
