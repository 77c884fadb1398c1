"""Counters of the api mode, in the text form of OpenMetrics."""

from collections import Counter
from collections.abc import Iterator

TYPE = "application/openmetrics-text; version=1.0.0; charset=utf-8"
BOUNDS = (1.0, 5.0, 15.0, 60.0, 300.0, 900.0)  # seconds: from a word to an hour's quarter of work


class Metrics:
    """What became of the prompts, and how long they took."""

    def __init__(self) -> None:
        self.prompts: Counter[int] = Counter()  # by the status they were answered with
        self.within: Counter[float] = Counter()
        self.seconds = 0.0

    def answered(self, status: int, seconds: float | None = None) -> None:
        """Count one answer; ``seconds`` only of those that the CLI worked on."""
        self.prompts[status] += 1
        if seconds is not None:
            self.seconds += seconds
            self.within[next((each for each in BOUNDS if seconds <= each), float("inf"))] += 1

    def text(self, *, ready: bool, running: int, expires_in: float | None) -> str:
        """Return all of it."""
        return "\n".join([*self._lines(ready, running, expires_in), "# EOF", ""])

    def _lines(self, ready: bool, running: int, expires_in: float | None) -> Iterator[str]:
        yield "# TYPE box_prompts counter"
        yield "# HELP box_prompts Prompts by the HTTP status they were answered with."
        for status, number in sorted(self.prompts.items()):
            yield f'box_prompts_total{{status="{status}"}} {number}'
        yield "# TYPE box_prompt_seconds histogram"
        yield "# UNIT box_prompt_seconds seconds"
        yield "# HELP box_prompt_seconds How long the CLI worked on a prompt."
        total = 0
        for bound in (*BOUNDS, float("inf")):
            total += self.within[bound]
            label = "+Inf" if bound == float("inf") else f"{bound:.1f}"
            yield f'box_prompt_seconds_bucket{{le="{label}"}} {total}'
        yield f"box_prompt_seconds_sum {self.seconds:.3f}"
        yield f"box_prompt_seconds_count {total}"
        yield from _gauge("box_prompts_running", "Prompts the CLI works on now.", running)
        yield from _gauge("box_ready", "1 if there is a login that the API did not refuse.", int(ready))
        if expires_in is not None:
            yield from _gauge(
                "box_login_expires_seconds", "Time until the login expires.", round(expires_in), "seconds"
            )


def _gauge(name: str, says: str, value: int, unit: str = "") -> Iterator[str]:
    yield f"# TYPE {name} gauge"
    if unit:
        yield f"# UNIT {name} {unit}"
    yield f"# HELP {name} {says}"
    yield f"{name} {value}"
