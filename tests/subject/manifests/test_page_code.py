"""The code of a document is found in each markup, and prose is none."""

from __future__ import annotations

import pytest

from boxproof.subject.manifests.page_code import code


@pytest.mark.parametrize(
    ("suffix", "text", "found"),
    [
        (".md", "A\n\n```sh\na\n```\n\n1. B\n\n   ~~~\n   b\n   ~~~\n", ["a", "b"]),
        (".md", "A:\n\n    a\n    b\n\nC\n", ["a\n    b"]),
        (".md", "- A:\n\n    more of it\n\n    and more\n", []),
        (".md", "Some:\n- A\n- B\n\n    more of B\n", []),
        (".md", "```console\n$ a\nsaid\nroot@host:~# docker b\n# docker c\n# a remark\n```\n",
         ["a\nsaid\ndocker b\ndocker c\n# a remark"]),
        (".md", "```sh\n# docker c\n```\n", ["# docker c"]),
        (".rst", "A\n\n.. code-block:: sh\n   :linenos:\n\n   a\n\n   b\n\nC\n", ["a\n\n   b"]),
        (".rst", "A::\n\n   a\n\n.. note::\n\n   b\n", ["a"]),
        (".adoc", "= A\n\n[source,sh]\n----\na\n----\n\n....\nb\n....\n", ["a", "b"]),
        (".adoc", "A\n----\nprose\n\nB\n----\n", []),
        (".txt", "Then do kubectl a\n  $ kubectl b\nkubectl c\n", ["kubectl b", "kubectl c"]),
    ],
)  # fmt: skip
def test_code_of_a_document(suffix: str, text: str, found: list[str]) -> None:
    assert [each.strip() for each in code(text, suffix)] == found
