"""Which commands that users read count as starting the box, and which options of them."""

from __future__ import annotations

import pytest

from suites.packaging import given_commands


@pytest.mark.parametrize(
    ("command", "freed"),
    [
        ("docker compose run --rm --cap-add NET_ADMIN box", [("--cap-add NET_ADMIN",)]),
        ("docker compose -f a.yaml run \\\n  --cap-add=ALL box", [("--cap-add=ALL",)]),
        ("docker-compose exec --privileged box sh", [("--privileged",)]),
        ("docker compose run --rm --cap-drop ALL box", []),
        ("docker compose run --rm box", []),
        ("docker compose up -d; docker compose logs", []),
    ],
)
def test_of_composes_commands_those_that_free_the_box_are_given(
    command: str, freed: list[tuple[str, ...]]
) -> None:
    assert list(given_commands.given({"page.md": command}, "box").values()) == [
        each for each in [freed] if each
    ]
