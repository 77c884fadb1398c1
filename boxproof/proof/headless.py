"""The box in headless mode on the engine, with its own CLI, against the stub."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from boxproof.probes.local import LocalContainer
from boxproof.probes.login import FILE
from boxproof.proof.factories import Containers
from boxproof.subject.model import Subject


class Headless:
    """Makes containers that answer one prompt and end; they are not started."""

    def __init__(self, subject: Subject, container: Containers) -> None:
        self.subject = subject
        self.container = container

    @property
    def file(self) -> str:
        """Where the credentials file is."""
        return f"{self.subject.config_dir}/{FILE}"

    def __call__(
        self,
        *words: str,
        env: str = "",
        file: str | None = None,
        volume: str = "",
        environment: Mapping[str, str] | None = None,
        **options: Any,
    ) -> LocalContainer:
        """Return one with ``env`` as its token, ``file`` as its credentials, ``volume`` for its directory.

        ``words`` are more of the CLI's arguments; ``options`` are the docker SDK's.
        """
        given = {"CLAUDE_MODE": "headless", "CLAUDE_PROMPT": "Say hello.", "CLAUDE_CODE_OAUTH_TOKEN": env}
        if volume:
            options["volumes"] = {volume: {"bind": self.subject.config_dir, "mode": "rw"}}
        files = {} if file is None else {self.file: (file.encode(), 0o644)}
        return self.container(
            *words, stub=env or "none", files=files, environment=given | dict(environment or {}),
            start=False, **options,
        )  # fmt: skip
