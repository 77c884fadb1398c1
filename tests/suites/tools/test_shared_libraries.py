"""What is made of the loader's answers."""

from __future__ import annotations

from suites.tools.shared_libraries import parse

SAID = """/usr/bin/jq:
\tlinux-vdso.so.1 (0x00007fff)
\tlibjq.so.1 => not found
\tlibc.so.6 => /lib/x86_64-linux-gnu/libc.so.6 (0x00007f65)
\tlibjq.so.1 => not found
ldd: warning: you do not have execution permission for `/usr/lib/x.so'
/usr/lib/x.so:
\tstatically linked
/opt/new:
/opt/new: /lib/x86_64-linux-gnu/libc.so.6: version `GLIBC_2.99' not found (required by /opt/new)
/usr/local/bin/script:
\tnot a dynamic executable
"""


def test_missing_libraries_and_versions_are_told_by_file() -> None:
    found = parse(SAID)

    assert found.files == {"/usr/bin/jq", "/usr/lib/x.so", "/opt/new", "/usr/local/bin/script"}
    assert set(found.missing) == {"/usr/bin/jq", "/opt/new"}
    assert found.missing["/usr/bin/jq"] == ("libjq.so.1",)
    assert "GLIBC_2.99" in found.missing["/opt/new"][0]
