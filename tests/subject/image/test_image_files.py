"""What the files of an image say of its user."""

from __future__ import annotations

from typing import Any

import pytest

from boxproof.subject.image import image_files

PASSWD = "root:x:0:0::/root:/bin/sh\nagent:x:1001:1001::/home/a:/bin/sh\nbroken\n"


@pytest.mark.parametrize(
    ("config", "found"),
    [
        ({"User": "agent"}, {"uid": 1001, "home": "/home/a"}),
        ({"User": "1001:0"}, {"uid": 1001, "home": "/home/a"}),
        ({"User": ""}, {"uid": 0, "home": "/root"}),
        ({}, {"uid": 0, "home": "/root"}),
        ({"User": "7"}, {"uid": 7}),
        ({"User": "unknown"}, {}),
        ({"User": "7", "Env": ["A=b", "HOME=/h"]}, {"uid": 7, "home": "/h"}),
    ],
)
def test_a_user_is_that_of_the_configuration_and_the_table(
    config: dict[str, Any], found: dict[str, Any]
) -> None:
    assert image_files.account(config, PASSWD) == found


def test_root_is_known_without_a_table() -> None:
    assert image_files.account({"User": "root"}, "") == {"uid": 0}
