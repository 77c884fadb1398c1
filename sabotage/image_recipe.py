"""Sabotages of the image's recipe: the Dockerfile and its list of tools."""

from __future__ import annotations

import re
from pathlib import Path

from boxproof.subject.image import tools
from pytest_claims.sabotages import SabotageError, subject_sabotage


def _dockerfile(directory: Path, pattern: str, new: str) -> None:
    """Replace what matches in the Dockerfile, everywhere; raises SabotageError if nothing does."""
    path = directory / "image" / "Dockerfile"
    text, count = re.subn(pattern, new, path.read_text(), flags=re.MULTILINE)
    if not count:
        raise SabotageError(f"nothing in the Dockerfile matches {pattern!r}")
    path.write_text(text)


@subject_sabotage("base-tag-pinned", "the base is whatever is latest")
def base_latest(directory: Path) -> None:
    _dockerfile(directory, r"^(ARG BASE_IMAGE=\w+):.*$", r"\1:latest")


@subject_sabotage("base-tag-pinned", "the builder's base has no tag at all")
def builder_without_tag(directory: Path) -> None:
    _dockerfile(directory, r"^FROM \S+ AS builder$", "FROM ubuntu AS builder")


@subject_sabotage("base-digest-pinned", "the base is pinned by its tag alone")
def base_without_digest(directory: Path) -> None:
    _dockerfile(directory, r"^(ARG BASE_IMAGE=\S+)@sha256:.*$", r"\1")


@subject_sabotage("apt-cleanup-same-layer", "the installing RUN has no cache mounts and cleans nothing")
def installs_without_mounts(directory: Path) -> None:
    _dockerfile(directory, r"--mount=type=cache,\S+ ", "")


@subject_sabotage("apt-no-install-recommends", "one install takes recommended packages too")
def one_install_with_recommends(directory: Path) -> None:
    _dockerfile(directory, r"(apt-get install -qy.*) --no-install-recommends \\$", r"\1 \\")


@subject_sabotage("buildkit-and-apt-cache-mounts", "no RUN has cache mounts")
def no_cache_mounts(directory: Path) -> None:
    _dockerfile(directory, r"--mount=type=cache,\S+ ", "")


@subject_sabotage("buildkit-and-apt-cache-mounts", "a second layer updates the lists again")
def updated_again(directory: Path) -> None:
    _dockerfile(directory, r"^WORKDIR ", "RUN apt-get update && apt-get install -y jq\nWORKDIR ")


@subject_sabotage(
    "copy-order-keeps-dependency-cache", "the box's own files are copied before the packages come"
)
def own_files_first(directory: Path) -> None:
    _dockerfile(directory, r"^(FROM \S+ AS box)$", r"\1\nCOPY rootfs/ /")


@subject_sabotage("tool-bump-rebuilds-one-layer", "one COPY brings all tools")
def tools_in_one_copy(directory: Path) -> None:
    _dockerfile(directory, r"^COPY --link --from=tools \S+ \S+$", "")
    names = [each.name for each in tools.load(directory / "image/tools.toml") if each.obtain.way != "package"]
    _dockerfile(
        directory, r"^COPY rootfs/ /$", f"COPY --from=tools {' '.join(names)} /usr/local/bin/\nCOPY rootfs/ /"
    )


def _in_tools(directory: Path, pattern: str, new: str) -> None:
    """Replace what matches first in tools.toml; raises SabotageError if nothing does."""
    path = directory / "image" / "tools.toml"
    text, count = re.subn(pattern, new, path.read_text(), count=1, flags=re.MULTILINE)
    if not count:
        raise SabotageError(f"nothing in tools.toml matches {pattern!r}")
    path.write_text(text)


@subject_sabotage("tool-versions-pinned", "kubectl is whatever is stable on the day of the build")
def kubectl_of_the_day(directory: Path) -> None:
    _dockerfile(
        directory,
        r"^COPY --link --from=tools kubectl .*$",
        "RUN curl -fsSLo /usr/local/bin/kubectl https://example.invalid/$(curl -fsSL "
        "https://example.invalid/stable.txt)/kubectl",
    )


@subject_sabotage("tool-versions-pinned", "tools.toml names a version that is not in the image")
def another_version_listed(directory: Path) -> None:
    _in_tools(directory, r'(name = "helm"\nversion = ")4', r"\g<1>3")
    path = directory / "image" / "modules" / "tools"
    for name in ("go.mod", "go.sum"):
        text = (path / name).read_text()
        (path / name).write_text(text.replace("helm.sh/helm/v4 v4.", "helm.sh/helm/v4 v3."))


@subject_sabotage("claude-code-version-pinned", "the CLI is pinned to latest")
def cli_latest(directory: Path) -> None:
    _in_tools(directory, r'(name = "claude"\nversion = ")[^"]+', r"\g<1>latest")


@subject_sabotage("base-tag-pinned", "a file is copied out of an image that is latest")
def copied_from_latest(directory: Path) -> None:
    _dockerfile(directory, r"^(COPY rootfs/ /)$", r"COPY --from=busybox:latest /bin/busybox /opt/busybox\n\1")


@subject_sabotage("base-digest-pinned", "a RUN has an image mounted that only its tag names")
def mounted_by_tag(directory: Path) -> None:
    line = "RUN --mount=type=bind,from=busybox:1.36,target=/mnt true"
    _dockerfile(directory, r"^(COPY rootfs/ /)$", rf"{line}\n\1")


@subject_sabotage("tool-versions-pinned", "a program is fetched by Python, whatever is served that day")
def fetched_by_python(directory: Path) -> None:
    fetch = "import urllib.request as u; u.urlretrieve('https://example.invalid/x', '/usr/local/bin/x')"
    _dockerfile(directory, r"^(COPY rootfs/ /)$", rf'RUN python3 -c "{fetch}"\n\1')


@subject_sabotage("tool-versions-pinned", "ADD fetches a program by its address, without a checksum")
def fetched_by_add(directory: Path) -> None:
    _dockerfile(directory, r"^(COPY rootfs/ /)$", r"ADD https://example.invalid/x /usr/local/bin/x\n\1")


@subject_sabotage("tool-versions-pinned", "a repository is cloned at whatever its branch is")
def cloned_in_the_build(directory: Path) -> None:
    clone = "RUN <<EOF\ngit clone --depth=1 https://example.invalid/x.git /opt/x\nEOF"
    _dockerfile(directory, r"^(COPY rootfs/ /)$", rf"{clone}\n\1")


@subject_sabotage("claude-code-version-pinned", "the installer brings a second CLI of the day")
def second_cli(directory: Path) -> None:
    install = "RUN curl -fsSL https://claude.ai/install.sh | bash"
    _dockerfile(directory, r"^(COPY rootfs/ /)$", rf"{install}\n\1")


@subject_sabotage("tool-bump-rebuilds-one-layer", "one COPY brings two tools of the middle")
def two_tools_in_one_copy(directory: Path) -> None:
    _dockerfile(directory, r"^COPY --link --from=tools stern /$", "")
    _dockerfile(directory, r"^COPY --link --from=tools crictl /$", "COPY --link --from=tools crictl stern /")


@subject_sabotage(
    "copy-order-keeps-dependency-cache", "a script of the box is copied before the packages come"
)
def one_script_first(directory: Path) -> None:
    _dockerfile(directory, r"^(FROM \S+ AS box)$", r"\1\nCOPY rootfs/usr/local/lib/box/health.py /opt/")


@subject_sabotage("image-user-nonroot", "the recipe ends with USER root")
def recipe_ends_as_root(directory: Path) -> None:
    _dockerfile(directory, r"^USER 1000:1000$", "USER 00:0")


@subject_sabotage("nonroot-user-numeric", "the recipe ends with a USER by name")
def recipe_ends_by_name(directory: Path) -> None:
    _dockerfile(directory, r"^USER 1000:1000$", "USER claude")


@subject_sabotage("entrypoint-exec-form", "the recipe's ENTRYPOINT has brackets, and is no JSON: a shell's")
def entrypoint_in_single_quotes(directory: Path) -> None:
    _dockerfile(directory, r'^ENTRYPOINT \["/usr/bin/tini".*$', "ENTRYPOINT ['/usr/bin/tini', '--']")


@subject_sabotage("ci-reproducible-build", "a RUN brings what is there up to the day's versions")
def upgraded_by_the_day(directory: Path) -> None:
    _dockerfile(
        directory, r"^(COPY rootfs/ /)$", r"RUN apt-get update -q && apt-get upgrade -qy && rm -rf /tmp/*\n\1"
    )


def _pip_as_a_module(directory: Path) -> None:
    line = "RUN python3 -m pip install --quiet --no-cache-dir --break-system-packages mcp"
    _dockerfile(directory, r"^(COPY rootfs/ /)$", rf"{line}\n\1")


@subject_sabotage(
    "ci-reproducible-build", "a RUN brings what Python's index has that day, by pip as a module"
)
def index_of_the_day(directory: Path) -> None:
    _pip_as_a_module(directory)


@subject_sabotage("tool-versions-pinned", "a tool comes of Python's index, by pip as a module")
def fetched_by_a_module(directory: Path) -> None:
    _pip_as_a_module(directory)


@subject_sabotage("tool-versions-pinned", "a tool comes of npm's registry, started by another program")
def fetched_behind_another_program(directory: Path) -> None:
    line = "RUN env CI=1 timeout 600 npm install --global mcp-tool"
    _dockerfile(directory, r"^(COPY rootfs/ /)$", rf"{line}\n\1")


PINNED_IMAGE = f"busybox:1.36@sha256:{'a' * 64}"


@subject_sabotage("base-tag-pinned", "of two images that files are copied out of, the first is latest")
def first_of_two_copied_from_is_latest(directory: Path) -> None:
    lines = (
        rf"COPY --from=busybox:latest /bin/busybox /opt/a\nCOPY --from={PINNED_IMAGE} /bin/busybox /opt/b\n"
    )
    _dockerfile(directory, r"^(COPY rootfs/ /)$", rf"{lines}\1")


@subject_sabotage(
    "base-digest-pinned", "of two images that one RUN has mounted, a tag alone names the second"
)
def second_of_two_mounted_by_tag(directory: Path) -> None:
    mounts = f"--mount=type=bind,from={PINNED_IMAGE},target=/a --mount=type=bind,from=busybox:1.36,target=/b"
    _dockerfile(directory, r"^(COPY rootfs/ /)$", rf"RUN {mounts} true\n\1")


@subject_sabotage("base-digest-pinned", "the frontend is named by a tag, behind another directive")
def frontend_by_tag(directory: Path) -> None:
    path = directory / "image" / "Dockerfile"
    path.write_text(f"# escape=\\\n# syntax=docker/dockerfile:1\n{path.read_text()}")


@subject_sabotage("tool-versions-pinned", "a program and its checksum come out of one place, by one command")
def checksum_of_the_same_place(directory: Path) -> None:
    fetch = "curl -fsSLO https://example.invalid/x -O https://example.invalid/x.sha256"
    _dockerfile(directory, r"^(COPY rootfs/ /)$", rf"RUN cd /opt && {fetch} && sha256sum -c x.sha256\n\1")


@subject_sabotage("buildkit-and-apt-cache-mounts", "the builder alone has no cache mounts")
def builder_without_mounts(directory: Path) -> None:
    path = directory / "image" / "Dockerfile"
    before, builder, rest = path.read_text().partition(" AS builder\n")
    end = rest.index("\nFROM ")
    bare = re.sub(r"--mount=type=cache,\S+ ", "", rest[:end])
    if bare == rest[:end]:
        raise SabotageError("the builder has no cache mounts")
    path.write_text(before + builder + bare + rest[end:])


@subject_sabotage("buildkit-and-apt-cache-mounts", "pip has the cache mount of npm, and keeps nothing in it")
def mount_of_another_manager(directory: Path) -> None:
    mount = "--mount=type=cache,target=/root/.npm"
    line = f"RUN {mount} pip install --require-hashes -r /opt/requirements.txt"
    _dockerfile(directory, r"^(COPY rootfs/ /)$", rf"{line}\n\1")


@subject_sabotage(
    "buildkit-and-apt-cache-mounts", "a stage between the base and the box fetches the lists too"
)
def lists_of_two_stages(directory: Path) -> None:
    mounts = "--mount=type=cache,target=/var/cache/apt --mount=type=cache,target=/var/lib/apt"
    install = "apt-get update -q && apt-get install -qy --no-install-recommends tini"
    first = f"FROM ${{BASE_IMAGE}} AS first\nRUN {mounts} {install}\n"
    _dockerfile(directory, r"^FROM \S+ AS box$", rf"{first}\nFROM first AS box")


@subject_sabotage("ci-reproducible-build", "a RUN installs by a list that names packages in no version")
def list_without_versions(directory: Path) -> None:
    (directory / "image" / "requirements.txt").write_text("requests\nclick>=8\n")
    mount = "--mount=type=bind,source=requirements.txt,target=/requirements.txt"
    line = f"RUN {mount} pip install -r /requirements.txt"
    _dockerfile(directory, r"^(COPY rootfs/ /)$", rf"{line}\n\1")


@subject_sabotage("tool-versions-pinned", "a checksum in the same RUN is that of another file")
def another_file_checked(directory: Path) -> None:
    fetch = "curl -fsSLo /usr/local/bin/x https://example.invalid/x"
    check = f"echo '{'0' * 64}  /etc/hostname' | sha256sum -c -"
    _dockerfile(directory, r"^(COPY rootfs/ /)$", rf"RUN {fetch} && {check}\n\1")


@subject_sabotage("tool-versions-pinned", "cargo builds a tool of a version, of the day's dependencies")
def cargo_without_its_lock(directory: Path) -> None:
    _dockerfile(directory, r"^(COPY rootfs/ /)$", r"RUN cargo install tool@1.2.3\n\1")


@subject_sabotage("tool-versions-pinned", "pip takes a branch, beside a file of versions")
def branch_beside_versions(directory: Path) -> None:
    install = "pip install -c /tmp/versions.txt git+https://example.invalid/tool.git@main"
    _dockerfile(directory, r"^(COPY rootfs/ /)$", rf"RUN {install}\n\1")


@subject_sabotage("ci-reproducible-build", "a download is compared with its checksum beside what goes on")
def compared_in_the_background(directory: Path) -> None:
    fetch = "curl -fsSLo /usr/local/bin/x https://example.invalid/1.2/x"
    check = f"echo '{'0' * 64}  /usr/local/bin/x' | sha256sum -c -"
    _dockerfile(
        directory, r"^(COPY rootfs/ /)$", rf"RUN {fetch} && {check} & chmod 0755 /usr/local/bin/x\n\1"
    )
