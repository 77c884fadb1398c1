"""Sabotages of what the box's modes tell the CLI, say in their logs, and do with a login."""

from __future__ import annotations

from boxproof.deployment.sabotage_ways import as_root, edited, image_sabotage

START = "/usr/local/bin/entrypoint"
BOX = "/usr/local/lib/box"
WRAPPER = "/usr/local/sbin/claude"  # before the CLI in PATH
FILE = "$CLAUDE_CONFIG_DIR/.credentials.json"

image_sabotage(
    "session_told_to_nobody", "remote-control-lifecycle", "what the CLI says of its session is thrown away",
    dockerfile=edited(START, r's/^remote-control\) (.*) ;;$/remote-control) \1 >\/dev\/null ;;/'),
)  # fmt: skip
image_sabotage(
    "documented_flag", "mode-flags-exist", "headless mode gives --headless, as one of the documents has it",
    dockerfile=edited(START, "s/claude -p/claude --headless -p/"),
)  # fmt: skip
image_sabotage(
    "prompt_not_asked_for", "mode-flags-exist", "headless mode goes on without a prompt",
    dockerfile=edited(START, r's/^if \[ "\$mode" = headless \].*/if false; then/'),
)  # fmt: skip
image_sabotage(
    "word_of_its_own", "mode-flags-exist", "the api asks for events by a flag that there is not",
    dockerfile=edited(f"{BOX}/prompts.py", "s/--include-partial-messages/--partial/"),
)  # fmt: skip
image_sabotage(
    "everybody_may", "mode-dispatch", "the api does not look at the token",
    dockerfile=edited(f"{BOX}/service.py", "s/if not self.guarded:/if True:/"),
)  # fmt: skip
image_sabotage(
    "served_to_all", "mode-dispatch", "without a token the api is served on every address",
    dockerfile=edited(f"{BOX}/service.py", "s/elif not _loopback\\(made.host\\):/elif False:/"),
)  # fmt: skip
image_sabotage(
    "all_at_once", "mode-dispatch", "the api sends its stream as one answer, at the end",
    dockerfile=edited(f"{BOX}/prompts.py", r"s/\[PARTS\] if parts else \[\]/[]/"),
)  # fmt: skip
image_sabotage(
    "no_servers_in_one_mode", "mcp-server-starts-in-cluster",
    "headless mode takes no servers but those of a file, and is given none",
    dockerfile=edited(START, "s/claude -p/claude -p --strict-mcp-config/"),
)  # fmt: skip
image_sabotage(
    "no_servers_by_a_wrapper", "mcp-server-starts-in-cluster",
    "what stands before the CLI has it leave configured servers out, in every mode",
    dockerfile=as_root(
        rf"""printf '%s\n' '#!/bin/sh' 'exec /usr/local/bin/claude --strict-mcp-config "$@"' > {WRAPPER}""",
        f"chmod 0755 {WRAPPER}",
    ),
)  # fmt: skip
image_sabotage(
    "no_such_subcommand", "mode-flags-exist", "remote control is called by another word than the CLI has",
    dockerfile=edited(START, "s/claude remote-control/claude control-remote/"),
)  # fmt: skip
image_sabotage(
    "goes_on_alone", "mode-dispatch", "the CLI goes on when the client has gone",
    dockerfile=edited(f"{BOX}/prompts.py", "s/ensure_future.gone./ensure_future(asyncio.Event().wait())/"),
)  # fmt: skip
image_sabotage(
    "forgotten_at_term", "credentials-intact-after-sigterm",
    "the supervisor empties the credentials file before it passes TERM on",
    dockerfile=edited(f"{BOX}/supervise.py", r's/^( +)signal.setitimer\(/\1login.file().write_text("")\n&/'),
)  # fmt: skip
image_sabotage(
    "saved_in_place", "credentials-intact-after-sigterm",
    "a wrapper saves the login in place when it is told to end, and is not given the time",
    dockerfile=as_root(
        rf"""printf '%s\n' '#!/bin/sh' 'trap "save" TERM' """
        rf"""'save() {{ t=$(cat {FILE}); printf %.60s "$t" > {FILE}; kill $app; exit 0; }}' """
        rf"""'exec 3<&0' '/usr/local/bin/claude "$@" <&3 & app=$!' 'wait $app' > {WRAPPER}""",
        f"chmod 0755 {WRAPPER}",
    ),
)  # fmt: skip
image_sabotage(
    "no_guard", "auth-missing-fails-fast", "the CLI is started without a look for a login",
    dockerfile=edited(START, "s/if ! login; then/if false; then/"),
)  # fmt: skip
image_sabotage(
    "no_guard_without_a_terminal", "auth-missing-fails-fast", "mode interactive begins without a terminal",
    dockerfile=edited(START, r"s/^ *\[ -t 0 \] .*/:/"),
)  # fmt: skip
image_sabotage(
    "waits_everywhere", "auth-missing-fails-fast", "it waits for a login where nobody will come",
    dockerfile="ENV CLAUDE_WAIT_FOR_LOGIN=1",
)  # fmt: skip
image_sabotage(
    "raw_401", "auth-401-message", "the supervisor does not look at what the CLI says",
    dockerfile=edited(f"{BOX}/relay.py", "s/not told and /False and /"),
)  # fmt: skip
image_sabotage(
    "bare_refusal", "auth-401-message", "nothing that the CLI says is taken for a refusal",
    dockerfile=edited(f"{BOX}/login.py", "s/Failed to authenticate/Was not let in/"),
)  # fmt: skip
image_sabotage(
    "told_at_its_end", "auth-401-message", "a refusal is told once the CLI has ended, in every mode",
    dockerfile=edited(
        f"{BOX}/supervise.py",
        r's/^( +)if mode\(\) != "headless":/\1if False:/; '
        r's/ and self\.refused and mode\(\) == "headless":/ and self.refused:/',
    ),
)  # fmt: skip
image_sabotage(
    "deaf_to_errors", "auth-401-message", "what the CLI writes to its standard error is not looked at",
    dockerfile=edited(
        f"{BOX}/supervise.py",
        r"s/relay\.Relay\(source, sink, self\.refuse\)/"
        r"relay.Relay(source, sink, self.refuse if source is self.process.stdout else str)/",
    ),
)  # fmt: skip
image_sabotage(
    "no_preflight", "token-kind-matches-mode", "remote control takes every login",
    dockerfile=edited(f"{BOX}/login.py", "s/if mode == .remote-control. and/if False and/"),
)  # fmt: skip
image_sabotage(
    "scopes_not_read", "token-kind-matches-mode", "every login in a file is taken for a full one",
    dockerfile=edited(f"{BOX}/login.py", 's/"full" if FULL_SCOPE in scopes else "inference"/"full"/'),
)  # fmt: skip
image_sabotage(
    "traced", "structured-leveled-logs", "the entrypoint traces what it does",
    dockerfile=edited(START, "2i set -x"),
)  # fmt: skip
image_sabotage(
    "plain_while_waiting", "structured-leveled-logs", "while it waits for a login it says so in plain words",
    dockerfile=edited(
        f"{BOX}/supervise.py",
        r's/^( +)log\(f"\{why\} \{REMEDY\}", "warning"\)/\1print(why, flush=True)/',
    ),
)  # fmt: skip
image_sabotage(
    "coloured", "structured-leveled-logs", "messages have colours for a terminal in them",
    dockerfile=edited(f"{BOX}/logs.py", r's/"msg": message\}/"msg": f"\\x1b[1m{message}\\x1b[0m"}/'),
)  # fmt: skip
image_sabotage(
    "level_not_read", "structured-leveled-logs", "everything is logged, whatever the level",
    dockerfile=edited(f"{BOX}/logs.py", "s/^threshold = .*/threshold = 0/"),
)  # fmt: skip
image_sabotage(
    "environment_shown", "secret-not-in-logs-or-argv", "the entrypoint shows its environment, to be of help",
    dockerfile=edited(START, "2i env >&2"),
)  # fmt: skip
image_sabotage(
    "encoded_in_the_log", "secret-not-in-logs-or-argv", "the entrypoint logs the login in base64",
    dockerfile=edited(
        START,
        r'2i printf "{\\"msg\\": \\"%s\\"}\\n" '
        r'"$(printf %s "login:${CLAUDE_CODE_OAUTH_TOKEN:-}" | base64 -w0)" >\&2',
    ),
)  # fmt: skip
image_sabotage(
    "handed_over_openly", "secret-not-in-logs-or-argv", "the token is handed to the CLI as an argument",
    dockerfile=edited(
        START, r's/(claude -p)/\1 --settings "{\\"env\\": {\\"T\\": \\"$CLAUDE_CODE_OAUTH_TOKEN\\"}}"/'
    ),
)  # fmt: skip
image_sabotage(
    "wrong_token_logged", "secret-not-in-logs-or-argv", "the api logs the header that it does not let in",
    dockerfile=edited(
        f"{BOX}/api.py", r"s/^( +)(if not self.settings.allows.*)/\1log(str(request.headers))\n\1\2/"
    ),
)  # fmt: skip
image_sabotage(
    "of_the_machine", "limits-read-from-cgroup", "the helper takes the memory of the machine for the limit",
    dockerfile=edited(
        f"{BOX}/limits.py",
        's/memory_bytes=None if .*/memory_bytes=os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE"),/',
    ),
)  # fmt: skip
image_sabotage(
    "as_many_as_the_machine", "limits-read-from-cgroup", "Go programs take as many processors as there are",
    dockerfile=edited(f"{BOX}/limits.py", r's/^( +)made\["GOMAXPROCS"\] = .*/\1pass/'),
)  # fmt: skip
image_sabotage(
    "node_not_told", "limits-read-from-cgroup", "programs of Node are told no size",
    dockerfile=edited(f"{BOX}/limits.py", r's/^( +)made\["NODE_OPTIONS"\] = .*/\1pass/'),
)  # fmt: skip
image_sabotage(
    "api_not_told", "limits-read-from-cgroup", "in mode api the CLI is told no size",
    dockerfile=edited(
        f"{BOX}/prompts.py", "s/limits.environment\\(\\).items/__import__(\"os\").environ.items/"
    ),
)  # fmt: skip
image_sabotage(
    "not_told", "limits-read-from-cgroup", "the supervisor does not tell the CLI the limit",
    dockerfile=edited(f"{BOX}/supervise.py", r"s/env=limits.environment\(\), //"),
)  # fmt: skip
image_sabotage(
    "place_not_given_back", "api-keeps-its-places", "the place for a prompt is not given back",
    dockerfile=edited(f"{BOX}/slots.py", r"s/del self.taken\[name\]/pass/"),
)  # fmt: skip
image_sabotage(
    "any_name_of_an_event", "api-keeps-its-places", "an event has the name that it says, ends of lines in it",
    dockerfile=edited(f"{BOX}/api.py", r"s/name if known else .message./name/"),
)  # fmt: skip
image_sabotage(
    "last_client_noted", "api-token-out-of-sight", "the api notes who came last, with the token",
    dockerfile=edited(
        f"{BOX}/service.py",
        r's/^( +)scheme, _, given = .*/&\n\1Path("\/tmp\/last-client").write_text(authorization)/',
    ),
)  # fmt: skip
image_sabotage(
    "hidden_from_its_environment_alone", "api-token-out-of-sight",
    "with the token in a file the memory of the service can be read",
    dockerfile=edited(
        f"{BOX}/api.py",
        r"s/^    service\.keep_to_itself\(\)/    if settings.token:\n        service.keep_to_itself()/",
    ),
)  # fmt: skip
image_sabotage(
    "stays_apart", "api-leaves-nothing-running", "what leaves the CLI's process group is not looked for",
    dockerfile=edited(f"{BOX}/prompts.py", r"s/^( +)found = \[\] if self\.starting .*/\1found = []/"),
)  # fmt: skip
image_sabotage(
    "known_by_its_environment", "api-leaves-nothing-running", "what clears its environment is not looked for",
    dockerfile=edited(
        f"{BOX}/prompts.py",
        r's/if each\.state not in DEAD:/if Path(f"\/proc\/{each.pid}\/environ").read_bytes():/',
    ),
)  # fmt: skip
image_sabotage(
    "known_by_its_parents", "api-leaves-nothing-running", "what has lost its parent is not looked for",
    dockerfile=edited(f"{BOX}/prompts.py", "s/if not take_orphans\\(\\):/if False:/"),
)  # fmt: skip
image_sabotage(
    "any_type", "api-not-for-web-pages", "a request is read as JSON, whatever it says it is",
    dockerfile=edited(f"{BOX}/service.py", r"s/^( +)if content_type\.partition.*/\1if False:/"),
)  # fmt: skip
image_sabotage(
    "any_name_of_it", "api-not-for-web-pages", "the api does not ask under which name it was reached",
    dockerfile=edited(f"{BOX}/service.py", r"s/if not _loopback\(name\):/if False:/"),
)  # fmt: skip
image_sabotage(
    "every_page_is_let_to", "api-not-for-web-pages", "a page of any origin is told that it may send JSON",
    dockerfile=edited(
        f"{BOX}/api.py",
        r"s/^from starlette\.applications.*/&\nfrom starlette.middleware import Middleware\n"
        r"from starlette.middleware.cors import CORSMiddleware/; "
        r's/^( +)lifespan=watched,/\1middleware=[Middleware(CORSMiddleware, allow_origins=["*"], '
        r'allow_methods=["POST"], allow_headers=["*"])],\n&/',
    ),
)  # fmt: skip
image_sabotage(
    "asked_by_a_link", "api-not-for-web-pages", "the address may hold the prompt, for sources of events",
    dockerfile=edited(
        f"{BOX}/api.py",
        r's/methods=\["POST"\]/methods=["POST", "GET"]/; '
        r's/request\.headers\.get\("content-type", ""\)/'
        r'"application\/json" if request.method == "GET" else &/; '
        r"s/body = await whole\(request\)/& or json.dumps(dict(request.query_params)).encode()/",
    ),
)  # fmt: skip
image_sabotage(
    "relay_dies", "log-outlives-any-line", "brackets that go too deep end the thread that reads the CLI",
    dockerfile=edited(
        f"{BOX}/relay.py",
        r"s/except Exception as error:.*/except OSError as error:/; "
        r"s/except \(ValueError, RecursionError\):/except ValueError:/",
    ),
)  # fmt: skip
image_sabotage(
    "half_a_character", "log-outlives-any-line", "a line that cannot be written ends the thread that reads",
    dockerfile=edited(
        f"{BOX}/relay.py",
        r"s/except Exception as error:.*/except OSError as error:/; "
        r"s/allow_nan=False/allow_nan=False, ensure_ascii=False/",
    ),
)  # fmt: skip


OTHERWISE = (
    "remote-control) mode=interactive ;; interactive) mode=remote-control ;; headless) mode=interactive ;;"
)
image_sabotage(
    "talks_on_a_terminal", "mode-dispatch", "without CLAUDE_MODE, on a terminal, it is interactive",
    dockerfile=edited(
        START,
        "s/^mode=.*/usual=remote-control; [ ! -t 0 ] || usual=interactive; mode=${CLAUDE_MODE:-$usual}/",
    ),
)  # fmt: skip
image_sabotage(
    "serves_where_it_could", "mode-dispatch", "without CLAUDE_MODE, with a token for clients, it is the api",
    dockerfile=edited(
        START, "s/^mode=.*/mode=${CLAUDE_MODE:-${BOX_API_TOKEN:+api}}; mode=${mode:-remote-control}/"
    ),
)  # fmt: skip
image_sabotage(
    "any_mode_on_a_terminal", "mode-dispatch", "on a terminal an unknown mode is the interactive one",
    dockerfile=edited(START, r's/^\*\) stop "Unknown/*) [ ! -t 0 ] || exec claude "$@"; stop "Unknown/'),
)  # fmt: skip
image_sabotage(
    "modes_mixed_up", "mode-dispatch", "each mode that is named leads to another one",
    dockerfile=edited(START, rf"s/^mode=.*/&; case ${{CLAUDE_MODE:-}} in {OTHERWISE} esac/"),
)  # fmt: skip
image_sabotage(
    "only_listens", "mode-dispatch", "in mode api something listens, and answers nobody",
    dockerfile=edited(
        START, r"s/^api\) exec .*/api) exec socat TCP-LISTEN:8080,fork,reuseaddr,bind=127.0.0.1 EXEC:true ;;/"
    ),
)  # fmt: skip
image_sabotage(
    "word_for_remote_control", "mode-flags-exist", "remote control gives the CLI a flag it does not have",
    dockerfile=edited(START, "s/claude remote-control/claude remote-control --no-colours/"),
)  # fmt: skip
image_sabotage(
    "file_shown", "secret-not-in-logs-or-argv", "headless mode shows which login is on the volume",
    dockerfile=edited(
        START, r's/^headless\) exec /headless) cat "$CLAUDE_CONFIG_DIR"\/.cred* >\&2 || :; exec /'
    ),
)  # fmt: skip
image_sabotage(
    "failure_costs_a_place", "api-keeps-its-places", "the place of a prompt that had no answer stays taken",
    dockerfile=edited(
        f"{BOX}/api.py",
        r"s/^( +)seconds = time.monotonic\(\) - started/&\n"
        r'\1self.api.slots.taken.update({"lost": started} if status == 502 else {})/',
    ),
)  # fmt: skip
