"""A secret is found in every form, wherever in a longer text it was when that was encoded."""

from __future__ import annotations

import base64
import json
from urllib.parse import quote

import pytest

from boxproof.core.secret_values import forms, holds_secret

SECRET = "stub-token/a+b=12:34"


@pytest.mark.parametrize("before", ["", "x", "xy", "xyz", "x-access-token:"])
@pytest.mark.parametrize("after", ["", "z", "@host"])
def test_it_is_found_in_base64_at_any_offset(before: str, after: str) -> None:
    whole = f"{before}{SECRET}{after}".encode()
    assert holds_secret(base64.b64encode(whole).decode(), SECRET)
    assert holds_secret(base64.urlsafe_b64encode(whole).decode(), SECRET)
    assert holds_secret(base64.encodebytes(whole * 5).decode(), SECRET)


@pytest.mark.parametrize("form", [SECRET, SECRET[::-1], SECRET.encode().hex(), quote(SECRET, safe="")])
def test_it_is_found_in_other_forms(form: str) -> None:
    assert holds_secret(f"said {form} and more", SECRET)
    assert holds_secret(json.dumps({"a": form}), SECRET)


def test_what_is_not_it_is_not_found() -> None:
    other = "stub-token/a+b=1x:34"
    assert not holds_secret(f"{other} {base64.b64encode(other.encode()).decode()}", SECRET)


def test_no_form_is_so_short_that_it_is_found_by_accident() -> None:
    assert min(map(len, forms("ab12cd34"))) >= 6
