"""The groups of an image's user are those that its tables list it in, under whatever name."""

from __future__ import annotations

import pytest

from suites.isolation.image_groups import given

PASSWD = "root:x:0:0:root:/root:/bin/sh\nclaude:x:1000:1000::/home/claude:/bin/sh\nbroken\n"


@pytest.mark.parametrize(
    ("group", "found"),
    [
        ("root:x:0:\nclaude:x:1000:\n", set()),
        ("staff:x:50:claude\nsudo:x:27:other,claude\ntape:x:26:other\n", {50, 27}),
        ("near:x:60:claude2\nno-number:x:x:claude\nshort:x:61\n", set()),
    ],
)
def test_the_groups_that_list_the_user_are_found(group: str, found: set[int]) -> None:
    assert given(PASSWD, group, 1000) == found


def test_a_uid_without_a_name_is_in_no_group() -> None:
    assert given(PASSWD, "staff:x:50:claude\n", 4242) == set()
