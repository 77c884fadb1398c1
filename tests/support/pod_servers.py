"""Stand-ins for an API server that has one pod."""

from __future__ import annotations

from typing import Any


def pod(state: dict[str, Any] | None = None, *, ready: bool = False, restarts: int = 0) -> dict[str, Any]:
    """Return a live pod with one container."""
    container = {"name": "c", "state": state or {"running": {}}, "restartCount": restarts}
    conditions = [{"type": "Ready", "status": str(ready)}]
    status = {"phase": "Running", "containerStatuses": [container], "conditions": conditions}
    return {"metadata": {"name": "p", "uid": "1"}, "spec": {"nodeName": "w"}, "status": status}


def waiting(reason: str) -> dict[str, Any]:
    """Return a container state."""
    return {"waiting": {"reason": reason, "message": "because"}}


class Fake:
    """An API server with one pod."""

    def __init__(self, live: dict[str, Any], *, alive: bool = True) -> None:
        self.live = live
        self.up = alive

    def get(self, *_: object) -> dict[str, Any]:
        """Return the pod."""
        return self.live

    find = get

    def alive(self) -> bool:
        """Return whether it answers."""
        return self.up
