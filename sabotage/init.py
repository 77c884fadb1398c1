"""Changes to the init container of the configuration: it loses, leaks, asks or lets the agent start."""

from __future__ import annotations

from typing import Any

from boxproof.deployment.sabotage_ways import Objects, edited, image_sabotage, manifest_sabotage
from sabotage.box_parts import pod_of

PROGRAM = "/usr/local/lib/box/config_clone.py"
RUN = f"python3 -I {PROGRAM}"
CLONE, SECRET, HOME = "/var/lib/config-clone/repository", "/run/secrets/config-clone", "/home/claude/.claude"


def _init(objects: Objects) -> dict[str, Any]:
    found = [each for each in pod_of(objects)["initContainers"] if each["name"] == "config-clone"]
    init: dict[str, Any] = found[0]
    return init


def _script(objects: Objects, text: str) -> None:
    _init(objects)["command"] = ["/usr/bin/tini", "--", "sh", "-c", text]


@manifest_sabotage("init-clone-fresh-volume", "what is cloned goes to a volume that the agent does not have")
def delivered_elsewhere(objects: Objects) -> None:
    pod_of(objects)["volumes"].append({"name": "elsewhere", "emptyDir": {}})
    mounts = _init(objects)["volumeMounts"]
    next(each for each in mounts if each["mountPath"] == HOME)["name"] = "elsewhere"


@manifest_sabotage("init-update-path-reachable", "after a start the clone's .git is removed")
def git_directory_removed(objects: Objects) -> None:
    _script(objects, f"{RUN} && rm -rf {CLONE}/.git")


@manifest_sabotage("init-preserves-runtime-state", "the directory is emptied before each start")
def emptied_first(objects: Objects) -> None:
    _script(objects, f"find {HOME} -mindepth 1 -delete; exec {RUN}")


@manifest_sabotage("init-preserves-runtime-state", "the login from the Secret is copied at each start")
def seed_copied_always(objects: Objects) -> None:
    _script(objects, f"{RUN} && cp {SECRET}/credentials.json {HOME}/.credentials.json")


image_sabotage(
    "local-changes-overwritten",
    "init-preserves-runtime-state",
    "a file that was changed on the volume is replaced by the repository's",
    dockerfile=edited(PROGRAM, r's/or have not in \("", self.known.get\(path\)\)/or False/'),
)
image_sabotage(
    "prompts",
    "init-never-prompts",
    "git may ask on a terminal",
    dockerfile=edited(PROGRAM, 's/"GIT_TERMINAL_PROMPT": "0", //'),
)
image_sabotage(
    "not-emptied",
    "init-recovers-partial-clone",
    "what a crash left is not removed before the next clone",
    dockerfile=edited(PROGRAM, r"s/^        empty\(self.directory\)$/        pass/"),
)
image_sabotage(
    "shell-patterns",
    "init-cleanup-covers-all-dotfiles",
    "the patterns * and .[!.]* stand for everything",
    dockerfile=edited(
        PROGRAM,
        r's/in directory.iterdir\(\):$/in [*directory.glob("[!.]*"), *directory.glob(".[!.]*")]:/',
    ),
)


@manifest_sabotage("init-ownership-and-fsgroup", "the pod has no fsGroup")
def no_fsgroup(objects: Objects) -> None:
    _init(objects)
    del pod_of(objects)["securityContext"]["fsGroup"]


@manifest_sabotage("init-pat-does-not-linger", "the token becomes part of the address in .git/config")
def token_in_the_remote(objects: Objects) -> None:
    _script(
        objects,
        f'{RUN} && git -C {CLONE} config remote.origin.url "https://$(cat {SECRET}/token)@github.com/x.git"',
    )


@manifest_sabotage("init-pat-does-not-linger", "the agent gets the Secret as environment variables")
def token_in_the_environment(objects: Objects) -> None:
    _init(objects)
    pod_of(objects)["containers"][0]["envFrom"].append({"secretRef": {"name": "claude-config-clone"}})


@manifest_sabotage("init-pat-does-not-linger", "the token is an argument of the init container's program")
def token_in_the_arguments(objects: Objects) -> None:
    _script(objects, f'{RUN} "$(cat {SECRET}/token)"')


@manifest_sabotage("init-pat-does-not-linger", "the init container prints the token")
def token_in_the_log(objects: Objects) -> None:
    _script(objects, f"cat {SECRET}/token; exec {RUN}")


@manifest_sabotage("init-pat-does-not-linger", "from the second start on the token is in .git/config")
def token_in_the_remote_later(objects: Objects) -> None:
    address = f"https://$(cat {SECRET}/token)@github.com/x.git"
    later = f'git -C {CLONE} config remote.origin.url "{address}"'
    _script(objects, f'had=$(ls -d {CLONE}/.git 2>/dev/null); {RUN} && {{ [ -z "$had" ] || {later}; }}')


image_sabotage(
    "token_in_the_update",
    "init-pat-does-not-linger",
    "an update is fetched from an address with the token in it",
    dockerfile=edited(
        PROGRAM,
        r's#"--prune", self\.url, self\.branch#"--prune", '
        r'self.url.replace("://", "://" + USERNAME + ":" + secret("token") + "@"), self.branch#',
    ),
)
image_sabotage(
    "kept_beside_the_clone",
    "init-pat-does-not-linger",
    "git keeps the token in a file beside the clone",
    dockerfile=edited(
        PROGRAM,
        r's#^( +)\("credential\.helper", ""\),.*#&\n'
        r'\1("credential.helper", f"store --file={DEFAULTS[CLONE]}/credentials"),#',
    ),
)


@manifest_sabotage("init-failure-blocks-main", "a failed clone is not taken for a failure")
def failure_swallowed(objects: Objects) -> None:
    _script(objects, f"{RUN} || true")


@manifest_sabotage("init-failure-blocks-main", "what fails once is let pass the second time")
def second_time_lucky(objects: Objects) -> None:
    _script(objects, f"{RUN} || [ -e {CLONE}.tried ] || {{ touch {CLONE}.tried; exit 1; }}")


@manifest_sabotage("init-never-prompts", "a token that does not fit is tried for more than a minute")
def tried_for_long(objects: Objects) -> None:
    _script(objects, f"{RUN} || {{ sleep 70; exit 1; }}")


@manifest_sabotage("init-pat-does-not-linger", "the token stands in base64 on the volume")
def token_encoded_on_the_volume(objects: Objects) -> None:
    _script(objects, f"{RUN} && printf 'x:%s' \"$(cat {SECRET}/token)\" | base64 -w0 > {HOME}/.netrc")


@manifest_sabotage("init-ownership-and-fsgroup", "the login from the Secret can be read by everybody")
def login_for_everybody(objects: Objects) -> None:
    _script(objects, f"{RUN} && chmod 0644 {HOME}/.credentials.json")


@manifest_sabotage("init-clone-fresh-volume", "the memory of the repository is left out")
def without_memory(objects: Objects) -> None:
    _script(objects, f"{RUN} && rm -f {HOME}/CLAUDE.md")


@manifest_sabotage("init-preserves-runtime-state", "what nobody has named is tidied away before each start")
def tidied_first(objects: Objects) -> None:
    kept = ("projects", "CLAUDE.md", ".credentials.json", "skills", "settings.json")
    but = " ".join(f"! -name {each}" for each in kept)
    _script(objects, f"find {HOME} -mindepth 1 -maxdepth 1 {but} -exec rm -rf {{}} +; exec {RUN}")


image_sabotage(
    "asks_at_an_update",
    "init-never-prompts",
    "git may ask on a terminal when a clone is updated",
    dockerfile=edited(
        PROGRAM,
        r"s/env=environment\(self\.url\),/"
        r'env=environment(self.url) | ({"GIT_TERMINAL_PROMPT": "1"} if words[0] == "fetch" else {}),/',
    ),
)


@manifest_sabotage("init-ownership-and-fsgroup", "the settings of the repository are made read-only")
def settings_read_only(objects: Objects) -> None:
    _script(objects, f"{RUN} && chmod 0444 {HOME}/settings.json")


image_sabotage(
    "taken_away_though_changed",
    "init-preserves-runtime-state",
    "a file that the repository no longer has is removed, whatever was written to it",
    dockerfile=edited(
        PROGRAM,
        r"s/if digest\(self\.target \/ path\) == self\.known\[path\] and/"
        r"if os.path.lexists(self.target \/ path) and/",
    ),
)
image_sabotage(
    "new_ones_overwrite",
    "init-preserves-runtime-state",
    "a file that the repository has for the first time replaces the agent's own of that name",
    dockerfile=edited(
        PROGRAM,
        r's/or have not in \("", self\.known\.get\(path\)\)/or have not in ("", self.known.get(path, have))/',
    ),
)


image_sabotage(
    "stopped_by_a_lock",
    "init-update-path-reachable",
    "what git locked in a start that was killed stays locked",
    dockerfile=edited(PROGRAM, r"/for lock in /,/lock\.unlink/d"),
)


image_sabotage(
    "goes_on_alone",
    "init-update-path-reachable",
    "an update only goes on from the commit that is there",
    dockerfile=edited(
        PROGRAM,
        r's/"fetch", "--depth=1"/"fetch"/; s/"reset", "--hard", "FETCH/"merge", "--ff-only", "FETCH/',
    ),
)


@manifest_sabotage(
    "init-pat-does-not-linger", "git's own file of logins is kept in the home, which is the agent's"
)
def kept_in_the_home(objects: Objects) -> None:
    _init(objects)["volumeMounts"].append({"name": "user", "mountPath": "/home/claude"})
    _script(
        objects,
        f"{RUN} && printf 'https://x:%s@host\\n' \"$(cat {SECRET}/token)\" > /home/claude/.git-credentials",
    )
