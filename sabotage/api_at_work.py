"""Sabotages of mode api while prompts are worked on."""

from __future__ import annotations

from boxproof.deployment.sabotage_ways import edited, image_sabotage

BOX = "/usr/local/lib/box"
API, PROMPTS, SERVICE = (f"{BOX}/{each}.py" for each in ("api", "prompts", "service"))

image_sabotage(
    "answers_first", "sigterm-graceful-5s", "told to end, the api lets every prompt be answered first",
    dockerfile=edited(
        API, r"s/^END_AFTER = .*/END_AFTER = 600.0/; s/^( +)self\.api\.children\.end_all\(\)/\1pass/"
    ),
)  # fmt: skip
image_sabotage(
    "killed_with_its_prompt", "sigterm-graceful-5s", "the api kills a prompt's CLI, and tells it nothing",
    dockerfile=edited(PROMPTS, r"s/^( +)self\.end\(child\)/\1self.kill(child)/"),
)  # fmt: skip
image_sabotage(
    "errors_not_read", "api-keeps-its-places", "nobody reads the errors of the api's CLI",
    dockerfile=edited(
        PROMPTS,
        r's/ensure_future\(_last_words\(child\)\)/ensure_future(asyncio.sleep(0, ""))/',
    ),
)  # fmt: skip
image_sabotage(
    "lines_as_the_library_has_them", "api-keeps-its-places",
    "an event is read as a line of the library's, which has 64 KiB at most",
    dockerfile=edited(PROMPTS, r"s/lines = whole_lines\(child\.stdout\)/lines = child.stdout/"),
)  # fmt: skip
image_sabotage(
    "one_end_of_a_line_of_three", "api-keeps-its-places",
    "the name of an event may have a carriage return in it, which ends lines too",
    dockerfile=edited(
        API, r's/^( +)known = isinstance.*/\1known = isinstance(name, str) and "\\n" not in name/'
    ),
)  # fmt: skip
image_sabotage(
    "cleared_when_idle", "api-leaves-nothing-running",
    "what a prompt leaves is looked for once no other is worked on",
    dockerfile=edited(
        PROMPTS,
        r"s/found = \[\] if self\.starting else/"
        r"found = [] if self.starting or len(self.running) > 1 else/",
    ),
)  # fmt: skip
image_sabotage(
    "asked_to_go", "api-leaves-nothing-running", "what a prompt leaves is sent TERM, and may be deaf to it",
    dockerfile=edited(PROMPTS, r"s/os\.kill\(each\.pid, signal\.SIGKILL\)/os.kill(each.pid, 15)/"),
)  # fmt: skip
image_sabotage(
    "type_anywhere_in_the_header", "api-not-for-web-pages", "our type may stand anywhere in the header",
    dockerfile=edited(SERVICE, r"s/^( +)if content_type\.partition.*/\1if JSON not in content_type:/"),
)  # fmt: skip
image_sabotage(
    "begins_as_localhost", "api-not-for-web-pages", "a name that begins as localhost is taken for it",
    dockerfile=edited(
        SERVICE, r's/if not _loopback\(name\):/if not (_loopback(name) or name.startswith("localhost")):/'
    ),
)  # fmt: skip
image_sabotage(
    "left_in_the_table", "zombies-reaped", "the api ends what a prompt has left, and waits for none of it",
    dockerfile=edited(PROMPTS, r"s/^( +)os\.waitpid\(each\.pid, os\.WNOHANG\)/\1pass/"),
)  # fmt: skip
image_sabotage(
    "header_in_the_environment", "api-token-out-of-sight",
    "the CLI of a prompt inherits the header of its client",
    dockerfile=edited(
        SERVICE, r's/^( +)scheme, _, given = .*/&\n\1os.environ["HTTP_AUTHORIZATION"] = authorization/'
    ),
)  # fmt: skip
image_sabotage(
    "last_client_in_memory", "api-token-out-of-sight", "the api notes in a file in memory who came last",
    dockerfile=edited(
        SERVICE,
        r's#^( +)scheme, _, given = .*#&\n\1Path("/dev/shm/last-client").write_text(authorization)#',
    ),
)  # fmt: skip
