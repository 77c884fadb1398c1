"""What is read out of a Dockerfile."""

from __future__ import annotations

from pathlib import Path

import pytest

from boxproof.subject import variables
from boxproof.subject.image import dockerfile, shell_commands
from boxproof.subject.model import ImagePart, Subject
from pytest_claims.faults import SubjectFault

DIGEST = "@sha256:" + "a" * 64
TWO_STAGES = f"""\
ARG BASE=ubuntu:24.04{DIGEST}
FROM ${{BASE}} AS builder
RUN --mount=type=cache,target=/var/cache/apt,sharing=locked --mount=type=cache,target=/var/lib/apt \\
    apt-get update -q && apt-get install -qy --no-install-recommends gcc make
FROM builder AS tested
FROM ${{BASE}}
# a word
RUN export A=b \\
    # in between
    && apt-get update && DEBIAN_FRONTEND=noninteractive apt-get -o X=y install -y \\
        curl jq && {{ rm -rf /var/lib/apt/lists/* || true; }}
COPY --link --from=builder /x /x
"""


def test_stages_know_what_they_start_from() -> None:
    found = dockerfile.parse(TWO_STAGES)
    assert [each.name for each in found.stages] == ["builder", "tested", "2"]
    assert found.bases == {"builder": f"ubuntu:24.04{DIGEST}", "2": f"ubuntu:24.04{DIGEST}"}
    assert (found.untagged(), found.undigested()) == ({}, {})


def test_a_stage_may_begin_with_an_earlier_one_of_its_own_name() -> None:
    recipe = dockerfile.parse("FROM debian:12 AS base\nRUN one\nFROM base AS base\nRUN two\n")
    assert [[each.rest for each in stage.steps] for stage in recipe.line] == [["one"], ["two"]]


@pytest.mark.parametrize(
    ("lines", "untagged", "undigested"),
    [
        ("FROM ubuntu", True, True),
        ("FROM ubuntu:latest", True, True),
        ("ARG V=latest\nFROM ubuntu:${V}", True, True),
        ("FROM host:5000/ubuntu", True, True),
        (f"FROM ubuntu{DIGEST}", True, False),
        ("FROM host:5000/ubuntu:24.04", False, True),
        (f"FROM ubuntu:24.04{DIGEST} AS x", False, False),
    ],
)
def test_a_base_is_pinned_by_a_tag_and_by_a_digest(lines: str, untagged: bool, undigested: bool) -> None:
    found = dockerfile.parse(lines)
    assert (bool(found.untagged()), bool(found.undigested())) == (untagged, undigested)


def test_build_arguments_count() -> None:
    found = dockerfile.parse("ARG V=24.04\nFROM ubuntu:${V}", {"V": "latest"})
    assert found.untagged() == {"0": "ubuntu:latest"}


def test_installs_and_updates_are_seen_in_their_run() -> None:
    found = dockerfile.parse(TWO_STAGES)
    (first,) = found.stages[0].steps
    second, copy = found.final.steps
    assert first.installs[0].packages == ("gcc", "make")
    assert not first.installs[0].recommends
    (install,) = second.installs
    assert (install.options, install.packages) == (("-o", "X=y", "-y"), ("curl", "jq"))
    assert install.recommends
    assert (first.updates, second.updates) == (1, 1)
    assert copy.option("from") == "builder"
    assert copy.rest == "/x /x"


def test_a_cache_mount_or_a_removal_keeps_a_path_out_of_the_layer() -> None:
    found = dockerfile.parse(TWO_STAGES)
    (first,), second = found.stages[0].steps, found.final.steps[0]
    assert [first.cleans(each) for each in dockerfile.CLEANED] == [True, True]
    assert [first.caches(each) for each in dockerfile.CLEANED] == [True, True]
    assert [second.cleans(each) for each in dockerfile.CLEANED] == [True, False]


def test_commands_are_not_split_inside_quotes_and_substitutions() -> None:
    line = 'apt-get install -y a "$(x >/dev/null 2>&1 && echo b || echo c)" && { rm -f "/d;e" || true; }'
    first, second, third = shell_commands.simple_commands(line)
    assert first.endswith('echo c)"')
    assert (second, third) == ('rm -f "/d;e"', "true")
    step = dockerfile.Step("RUN", line)
    assert step.installs[0].packages == ("a", "$(x >/dev/null 2>&1 && echo b || echo c)")


def test_no_from_is_the_subjects_fault() -> None:
    with pytest.raises(SubjectFault, match="no FROM"):
        dockerfile.parse("RUN true\n")


def test_the_line_of_the_image_begins_on_what_is_not_made_here() -> None:
    text = "FROM a:1 AS tools\nFROM b:1 AS b\nFROM b AS middle\nFROM middle\nCOPY --from=tools /x /x\n"
    assert [each.name for each in dockerfile.parse(text).line] == ["b", "middle", "3"]
    assert [each.name for each in dockerfile.parse("FROM x:1 AS x\nUSER 1\n").line] == ["x"]


def test_a_step_is_known_to_the_end_of_its_last_installation() -> None:
    installs = "apt-get install -y a && apt-get install -y b"
    text = f"FROM a:1\nRUN --mount=type=tmpfs,target=/t {installs} && rm /c\nRUN x && y\n"
    install, other = dockerfile.parse(text).final.steps
    assert install.installation == installs
    assert other.installation == "x && y"


def test_a_here_document_is_read_as_the_shell_does() -> None:
    text = "FROM a:1\nRUN --network=none <<EOF\n# a remark\napt-get install -y \\\n  gcc\nEOF\nUSER 7\n"
    stage = dockerfile.parse(text).final
    assert [each.packages for each in stage.steps[0].installs] == [("gcc",)]
    assert [each.word for each in stage.steps] == ["RUN", "USER"]


def test_every_image_that_a_build_takes_is_one_of_its_bases() -> None:
    text = (
        "# syntax=docker/dockerfile:1\nFROM a:1 AS b\nRUN --mount=from=c,target=/c true\n"
        "FROM b\nCOPY --from=b /x /x\nCOPY --from=0 /x /x\nCOPY --from=tools jq /\n"
        "COPY --from=d:latest /x /x\n"
    )
    found = dockerfile.parse(text)
    taken = {"b": "a:1", "b, RUN from": "c", "1, COPY from": "d:latest", "syntax": "docker/dockerfile:1"}
    assert found.bases == taken
    assert set(found.untagged()) == {"b, RUN from", "1, COPY from"}


def test_each_of_several_images_in_one_place_is_a_base() -> None:
    text = (
        "# check=skip=all\n# syntax=docker/dockerfile:latest\nFROM a:1\n"
        "COPY --from=b:latest /x /x\nCOPY --from=c:1 /y /y\nCOPY --from=c:1 /z /z\n"
        "RUN --mount=type=bind,from=d:1,target=/d --mount=type=bind,from=e,target=/e true\n"
    )
    found = dockerfile.parse(text)
    assert sorted(found.bases.values()) == ["a:1", "b:latest", "c:1", "d:1", "docker/dockerfile:latest", "e"]
    assert sorted(found.untagged().values()) == ["b:latest", "docker/dockerfile:latest", "e"]
    assert dockerfile.parse("FROM a:1\n# syntax=x\n").syntax == ""


@pytest.mark.parametrize(
    ("lines", "left"),
    [
        ("RUN apt-get install -y jq", ["/var/lib/apt/lists"]),
        ("RUN apt-get install -y jq && rm -rf /var/lib/apt/lists/*", []),
        (
            "RUN rm /etc/apt/apt.conf.d/docker-clean\nRUN apt-get install -y jq",
            ["/var/lib/apt/lists", "/var/cache/apt"],
        ),
        ("RUN rm /x/docker-clean && apt-get install -y jq && apt-get clean && rm -rf /var/lib/apt/lists", []),
    ],
)
def test_what_an_install_leaves_in_its_layer(lines: str, left: list[str]) -> None:
    found = dockerfile.parse(f"FROM a:1\n{lines}\n").final.unclean()
    assert [path for paths in found.values() for path in paths] == left


def test_an_install_within_another_command_ends_with_what_it_is_written_in() -> None:
    text = "FROM a:1\nRUN x && sh -c 'apt-get update; apt-get install -y a' && rm -rf /x\n"
    (step,) = dockerfile.parse(text).final.steps
    assert [each.packages for each in step.installs] == [("a",)]
    assert step.installation == "x && sh -c 'apt-get update; apt-get install -y a'"
    assert step.updates == 1


@pytest.mark.parametrize(
    ("lines", "said"),
    [
        ("ARG V=1.2.3\nRUN npm i a@${V}", "npm i a@1.2.3"),
        ("ARG V=1\nARG W=${V}.2\nRUN npm i a@$W", "npm i a@1.2"),
        ("ARG V\nRUN npm i a@${V:-1.2.3}", "npm i a@${V:-1.2.3}"),
        ("ARG AHEAD\nRUN npm i a@$AHEAD", "npm i a@9"),
        ("RUN npm i a@$AHEAD", "npm i a@$AHEAD"),  # a stage has to name it
        ("ARG GIVEN=1\nRUN npm i a@$GIVEN", "npm i a@7"),
        ("ENV V=1.2 W='a b'\nRUN x $V $W", "x 1.2 a b"),
        ("ARG V=1\nENV V=2\nRUN x $V", "x 2"),
        ("ARG V=1\nRUN V=$(curl x) && npm i a@$V", "V=$(curl x) && npm i a@$V"),
        ("ARG V=1\nRUN for V in a b; do npm i $V; done", "for V in a b; do npm i $V; done"),
        ("ENV A=it's\nRUN x $B", "x $B"),
    ],
)
def test_the_values_of_a_build_are_filled_in(lines: str, said: str) -> None:
    found = dockerfile.parse(f"ARG AHEAD=9\nFROM a:1\n{lines}\n", {"GIVEN": "7"})
    assert found.final.steps[-1].value == said


def test_a_stage_has_the_variables_of_the_one_that_it_begins_with() -> None:
    found = dockerfile.parse("FROM a:1 AS x\nARG U=7\nENV G=8\nFROM x\nUSER ${U}:${G}\n")
    assert found.final.steps[-1].value == "${U}:8"


@pytest.mark.parametrize(
    ("line", "base"),
    [
        ("FROM ${NONE}", ""),
        ("FROM ${NONE:-debian:12}", "debian:12"),
        ("FROM --platform=$BUILDPLATFORM ${KNOWN} AS x", "debian:13"),
        ("FROM node:${NONE}", "node:"),
    ],
)
def test_a_base_may_be_what_the_user_gives(line: str, base: str) -> None:
    found = dockerfile.parse(f"ARG TAG=13\nARG KNOWN=debian:${{TAG}}\nARG NONE\n{line}\n")
    assert found.final.base == base
    assert bool(found.untagged()) == base.endswith("node:")


def test_names_of_stages_are_the_same_in_capitals() -> None:
    found = dockerfile.parse("FROM a:1 AS Build\nFROM build AS Run\nCOPY --from=BUILD /x /x\n")
    assert (list(found.bases), [each.name for each in found.line]) == (["build"], ["build", "run"])


@pytest.mark.parametrize(
    ("target", "names"), [("", ["a", "b", "2"]), ("B", ["a", "b"]), ("0", ["a"]), ("2", ["a", "b", "2"])]
)
def test_a_target_is_what_is_built(target: str, names: list[str]) -> None:
    found = dockerfile.parse("FROM x:1 AS a\nFROM x:1 AS b\nFROM x:1\n", target=target)
    assert [each.name for each in found.stages] == names


def test_a_target_that_is_not_there_is_the_subjects_fault() -> None:
    with pytest.raises(SubjectFault, match="no stage 'dev'"):
        dockerfile.parse("FROM x:1 AS a\n", target="dev")


SETTLED = "RUN echo 'APT::Install-Recommends \"0\";' >/etc/apt/apt.conf"


@pytest.mark.parametrize(
    ("lines", "recommends"),
    [
        ("RUN apt-get -oAPT::Install-Recommends=false install -y jq", False),
        ('RUN apt-get -o APT::Install-Recommends="0" install -y jq', False),
        ("RUN apt-get -o APT::Install-Recommends=true install -y jq", True),
        ("RUN apt-get install ${EXTRA} --no-install-recommends jq", False),
        (
            "RUN echo 'APT::Install-Recommends \"false\";' >/etc/apt/apt.conf.d/9\nRUN apt-get install jq",
            False,
        ),
        ("RUN apt-get install jq\nRUN echo 'APT::Install-Recommends \"0\";' >/etc/apt/apt.conf.d/9", True),
        (f"{SETTLED}\nRUN apt-get install --install-recommends a", True),
        (f"{SETTLED}\nRUN apt -o APT::Install-Recommends=1 install a", True),
        ("RUN apt-get build-dep -y jq", True),
        ("RUN aptitude install -R jq", False),
        (f"{SETTLED}\nFROM first\nRUN apt-get install a", False),
        (f"{SETTLED}\nFROM b:1\nRUN apt-get install a", True),
    ],
)
def test_apt_may_be_told_in_other_ways_to_leave_recommended_packages_out(
    lines: str, recommends: bool
) -> None:
    found = dockerfile.parse(f"FROM a:1 AS first\n{lines}\n")
    installs = [one for stage in found.stages for step in stage.steps for one in step.installs]
    assert [each.recommends for each in installs] == [recommends]


INSTALL = "<<EOF\nnpm install tool\nEOF\n"


@pytest.mark.parametrize(
    ("text", "commands"),
    [
        (f"RUN {INSTALL}", 1),
        (f"RUN --mount=type=cache,target=/x \\\n  # a remark\n  {INSTALL}", 1),
        (f"RUN bash -e {INSTALL}", 1),
        (f"RUN set -e; sudo bash {INSTALL}", 1),
        ("RUN cat <<EOF | sh -e\nnpm install tool\nEOF\n", 1),
        ("RUN cat > /x.sh <<EOF && sh /x.sh\nnpm install tool\nEOF\n", 1),
        ("RUN cat <<EOF > /x.sh && /x.sh\nnpm install tool\nEOF\n", 1),
        (f"RUN cat > /usr/local/bin/refresh {INSTALL}", 0),
        ("RUN cat <<EOF > /x.sh && chmod +x /x.sh\nnpm install tool\nEOF\n", 0),
        (f"RUN python3 - {INSTALL}", 0),
        ("COPY <<EOF /x.sh\nnpm install tool\nEOF\n", 0),
    ],
)
def test_a_here_document_is_commands_where_a_shell_reads_it(text: str, commands: int) -> None:
    found = dockerfile.parse(f"FROM a:1\n{text}USER 7\n").final
    every = [words for step in found.steps for words in step.commands]
    assert every.count(("npm", "install", "tool")) == commands
    assert found.steps[-1] == dockerfile.Step("USER", "7")


def test_braces_of_a_variable_group_no_commands() -> None:
    line = "npm i a@${V} && { x; } && (echo ${A}; { y; }) && z ${B:-c}"
    assert shell_commands.simple_commands(line) == ["npm i a@${V}", "x", "(echo ${A}; { y; })", "z ${B:-c}"]


def test_the_platform_of_a_build_is_known_to_each_from_and_to_a_stage_that_names_it() -> None:
    lines = "FROM a:1 AS for-amd64\nFROM b:1 AS for-arm64\nFROM for-${TARGETARCH} AS last\n"
    found = dockerfile.parse(f"{lines}RUN x $TARGETOS\nARG TARGETOS\nRUN x $TARGETOS\n")
    assert found.final.base == f"for-{variables.ARCHITECTURE}"
    assert not found.final.external
    assert [each.value for each in found.final.steps if each.word == "RUN"] == ["x $TARGETOS", "x linux"]


CONTEXTS = {"src": "./src", "Node": f"docker-image://node:22{DIGEST}", "made": "target:made"}


def test_a_build_context_with_a_name_is_no_image_but_where_it_names_one() -> None:
    text = (
        "FROM node AS a\nCOPY --from=src /x /x\nRUN --mount=from=made,target=/y true\n"
        "FROM made AS b\nCOPY --from=a /x /x\nCOPY --from=other:1 /x /x\n"
    )
    found = dockerfile.parse(text, contexts=CONTEXTS)
    assert found.bases == {"a": f"node:22{DIGEST}", "b, COPY from": "other:1"}
    assert [each.name for each in found.line] == ["b"]
    assert "1, COPY from" in dockerfile.parse(text.replace("AS b", "")).bases


def test_the_first_lines_tell_how_to_read_a_dockerfile() -> None:
    text = (
        "\ufeff# check=skip=all\n# escape=`\n# syntax=docker/dockerfile:1\nFROM a:1\n"
        "WORKDIR C:\\app\\\nRUN one `\n  two\nUSER me\n"
    )
    found = dockerfile.parse(text)
    assert found.syntax == "docker/dockerfile:1"
    steps = [(each.word, " ".join(each.value.split())) for each in found.final.steps]
    assert steps == [("WORKDIR", "C:\\app"), ("RUN", "one two"), ("USER", "me")]
    assert dockerfile.directives("# a remark\n# syntax=x\n") == {}


@pytest.mark.parametrize(
    ("line", "value"),
    [
        ('ENTRYPOINT ["sh", "-c", "exec $A"]', '["sh", "-c", "exec $A"]'),
        ("CMD $A", "$A"),
        ('USER "1000:1000"', "1000:1000"),
        ("USER '$A'", 'b"c'),
        ('WORKDIR "/a b"', "/a b"),
    ],
)
def test_a_builder_fills_in_and_takes_quotation_marks_off_where_it_does(line: str, value: str) -> None:
    found = dockerfile.parse(f"FROM a:1\nENV A='b\"c'\n{line}\n")
    assert found.final.steps[-1].value == value


def test_the_old_form_of_env_is_a_name_and_all_the_rest() -> None:
    found = dockerfile.parse("FROM a:1\nENV HOME /home/me too\nENV B=1 C=2\nWORKDIR $HOME/$B$C\n")
    assert found.final.steps[-1].value == "/home/me too/12"


def test_remarks_may_be_of_any_encoding_and_templates_are_no_dockerfiles(tmp_path: Path) -> None:
    (tmp_path / "Dockerfile").write_bytes("\ufeff# caf\u00e9\nFROM a:1\n".encode("latin-1", "ignore"))
    (tmp_path / "Dockerfile.tmpl").write_text("FROM {{ base }}\n")
    (tmp_path / "Dockerfile-dev").write_text("FROM b:1\n")
    about = Subject(directory=tmp_path, name="x", image=ImagePart(dockerfile="Dockerfile"))
    assert dockerfile.of(about).bases == {"0": "a:1"}
    assert set(dockerfile.of_all(about)) == {"Dockerfile", "Dockerfile-dev"}


@pytest.mark.parametrize(
    ("text", "windows"),
    [
        ("FROM mcr.microsoft.com/windows/servercore:ltsc2022", True),
        ("FROM golang:1.22-windowsservercore AS b\nFROM mcr.microsoft.com/powershell:nanoserver-1809", True),
        ("FROM mcr.microsoft.com/devcontainers/base:debian", False),
    ],
)
def test_a_recipe_for_windows_is_known_by_its_base(text: str, windows: bool) -> None:
    assert dockerfile.is_for_windows(dockerfile.parse(text)) is windows


@pytest.mark.parametrize(
    ("written", "image"),
    [
        ("${X}", "x:1"), ("${X:-y}", "x:1"), ("${NONE-y:2}", "y:2"), ("${NONE:-${X}}", "x:1"),
        ("${NONE}", ""), ("a:1${X:+-slim}", "a:1-slim"), ("a:1${NONE:+-slim}", "a:1"), ("${X:?say}", "x:1"),
    ],
)  # fmt: skip
def test_a_variable_of_a_base_is_filled_in_by_every_form_of_it(written: str, image: str) -> None:
    assert dockerfile.parse(f"ARG X=x:1\nFROM {written}\n").final.base == image


def test_what_a_shell_does_with_a_variable_is_left_to_it() -> None:
    recipe = dockerfile.parse("FROM a:1\nARG V=1.2\nRUN x ${V%.*} ${V:-3} ${W:-4} \\$V\n")
    assert recipe.final.steps[-1].value == "x ${V%.*} 1.2 ${W:-4} \\$V"


def test_what_a_stage_keeps_by_onbuild_is_carried_out_in_those_that_begin_with_it() -> None:
    text = (
        "FROM a:1 AS one\nONBUILD RUN npm install x\nONBUILD COPY --from=b:latest /b /b\nRUN true\n"
        "FROM one AS two\nUSER 7\nFROM two\nRUN false\n"
    )
    first, second, third = dockerfile.parse(text).stages
    assert [each.word for each in first.steps] == ["ONBUILD", "ONBUILD", "RUN"]
    assert [each.word for each in second.steps] == ["RUN", "COPY", "USER"]
    assert [each.word for each in third.steps] == ["RUN"]
    assert dockerfile.parse(text).untagged() == {"two, COPY from": "b:latest"}


def test_an_ampersand_of_a_redirection_ends_no_command() -> None:
    line = "a 2>&1 & b &>log; c >&2 <&3"
    assert shell_commands.simple_commands(line) == ["a 2>&1", "b &>log", "c >&2 <&3"]
