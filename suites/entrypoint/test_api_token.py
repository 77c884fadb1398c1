"""Mode api: where the token of its clients is while a prompt is worked on, in other places too."""

from __future__ import annotations

import hashlib
import json
import secrets

from boxproof.agent import api_session
from boxproof.fixtures.agent_modes import Headless
from boxproof.probes.containers import LocalContainer
from boxproof.subject.model import Subject
from pytest_claims import claim, control, observe, require, scope
from pytest_claims.faults import EnvironmentFault
from pytest_claims.waiting import until
from suites.entrypoint.test_api_survives import API, LOOK, SAYS

HEADER = "/root/header"  # of the client, who is nobody that the agent can look at
PLACES = '("/run", "/tmp", "/etc", "/home", "/workspace", "/var/lib")'
# all there is but what the kernel shows, and programs, which nobody but root can change
ALL_PLACES = (
    '["/" + each for each in os.listdir("/") if each not in ("proc", "sys", "usr")'
    ' and not os.path.islink("/" + each)]'
)
EVERYWHERE = LOOK.replace(PLACES, ALL_PLACES)
HOLDER = "sleep 3619"
NOWHERE = require("nothing that the agent can read holds the token", lambda places: places == [])


def asked_by_root(box: LocalContainer) -> None:
    """Send a prompt that is worked on for ever, as a client whose memory and files are not the agent's."""
    body = json.dumps({"prompt": "hangs"})
    words = ["curl", "-sSN", "--max-time", "900", "-H", f"@{HEADER}", "--json", body, api_session.URL]
    box.made.exec_run(words, user="0:0", detach=True)


@claim("api-token-out-of-sight")
@scope("image")
def test_the_agent_finds_it_nowhere_while_its_prompt_is_worked_on(
    headless: Headless, token: str, subject: Subject
) -> None:
    """Then there is a CLI, with an environment and arguments, which is handed what came with the prompt."""
    if EVERYWHERE == LOOK:
        raise EnvironmentFault("the places to look in are not those that this check knows")
    client = f"client-{secrets.token_hex(12)}"
    backwards, hashed = client[::-1], hashlib.sha256(client.encode()).hexdigest()
    made = headless(env=token, environment=API | {"BOX_API_TOKEN": f"sha256:{hashed}"})
    made.put({subject.image.cli: (SAYS, 0o755), HEADER: (f"Authorization: Bearer {client}".encode(), 0o600)})
    box = api_session.serve(made)

    def places(asked: str) -> list[str]:
        looked = box.exec(["python3", "-c", EVERYWHERE, backwards])
        assert looked.ok, looked.stderr
        return observe("where the token is seen", asked, looked.stdout.split())

    asked_by_root(box)
    until(lambda: box.exec(["pgrep", "--full", "sleep 900"]).ok, timeout=60, what="the CLI works on it")
    NOWHERE(places("while its prompt is worked on"))
    with control("a program that is started with it, and a file in memory, are seen"):
        box.made.exec_run(["sh", "-c", f"echo $TOKEN >/dev/shm/kept; exec {HOLDER}"],
                          environment={"TOKEN": client}, detach=True)  # fmt: skip
        until(
            lambda: {"environ", "file"} <= set(places("a program and a file have it")), timeout=60,
            what="both are there",
        )  # fmt: skip
        NOWHERE.fails(places("a program and a file have it"))
