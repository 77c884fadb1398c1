"""No setting that is called as a secret is has a value, and no build takes one as an argument."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from secrets import token_hex
from typing import Any

from boxproof.core.session import Session
from boxproof.deployment import deploy
from boxproof.kube.client import Object
from boxproof.subject.detection import bake
from boxproof.subject.image import dockerfile
from boxproof.subject.manifests import compose_file, shipped
from boxproof.subject.model import Subject
from pytest_claims import claim, control, needs, observe, require, scope
from suites.image import every_build
from suites.image.fixed_versions import secrets_in_words
from suites.secrets import plain_settings, written_credentials
from suites.secrets.given_words import NAME
from suites.secrets.written_tiers import tiers

NONE_SAID = require(
    "no setting that is called as a secret is has its value where it stands", lambda found: found == []
)
NO_ARGUMENT = require("no build is given a secret as an argument", lambda found: found == [])
ARGUMENT = re.compile(rf"--build-arg[= ]+[\"']?(?P<name>{NAME})(?=[=\"'\s]|$)")
BAKES = ("docker-bake*.hcl", "docker-bake*.json")
HEADER = {"httpGet": {"path": "/", "httpHeaders": [{"name": "Authorization", "value": "Bearer changeme"}]}}
DOCTORED: dict[str, Mapping[str, Any]] = {
    "a variable": {"env": [{"name": "BOX_API_TOKEN", "value": "changeme"}]},
    "a header": {"livenessProbe": HEADER},
    "an option": {"args": ["serve", "--api-token=changeme"]},
    "an option and its value": {"command": ["sh", "-c", "serve --password changeme"]},
}
SETTINGS = {"settings.env": "MODE=api\nANTHROPIC_API_KEY=paste-it-here\n"}
SERVERS = '{\n"mcpServers": {"a": {"env": {"GRAFANA_API_KEY": "paste-it-here"}}}\n}\n'
CALLED = '{\n"mcpServers": {"a": {"headers": {"Authorization": "Bearer changeme"}}}\n}\n'
RECIPE = "FROM scratch\nARG GITHUB_TOKEN\nRUN git clone https://$GITHUB_TOKEN@git.example.org/a.git\n"
PAGE = "docker build --build-arg NPM_TOKEN --tag box ."


def values_of(subject: Subject) -> dict[str, Any]:
    """Return the values of charts that ship, by the file that they stand in."""
    named = (subject.path(each) for each in (*subject.chart.values, subject.chart.fleet) if each)
    paths = {*shipped.files(subject, "values*.yaml", "values*.yml"), *(each for each in named if each)}
    read = {each: list(compose_file.documents(each)) for each in sorted(paths)}
    return {str(each.relative_to(subject.directory)): values for each, values in read.items()}


@claim("pod-spec-holds-no-literal-token")
@needs("default-tier")
@scope("image")
def test_no_setting_that_is_called_as_a_secret_is_has_a_value(session: Session, subject: Subject) -> None:
    """Whatever its value looks like: of every tier, of Compose files, among the values of charts."""

    def said(asked: str, found: list[str]) -> list[str]:
        return observe("secrets that are said", asked, found)

    own = [value for data in subject.start.secrets.values() for value in data.values()]
    # the harness's, in the place of a user's
    given = (deploy.token_of(session.suffix), *own, *subject.start.env.values())
    with control("variables, options, headers, files in a ConfigMap, a Secret, services, values are seen"):
        for what, fields in DOCTORED.items():
            spec = {"containers": [{"name": "a", **fields}]}
            pod: Object = {"kind": "Pod", "metadata": {"name": "p"}, "spec": spec}
            NONE_SAID.fails(said(what, plain_settings.of_objects([pod])))
        for data in (SETTINGS, {"mcp.json": SERVERS}, {"mcp.json": CALLED}, {"token": "changeme"}):
            made: Object = {"kind": "ConfigMap", "metadata": {"name": "c"}, "data": data}
            NONE_SAID.fails(said(f"a ConfigMap: {sorted(data)}", plain_settings.of_objects([made])))
        kept: Object = {"kind": "Secret", "metadata": {"name": "s"}, "stringData": {"token": "changeme"}}
        NONE_SAID.fails(said("a Secret that ships", plain_settings.of_objects([kept])))
        service = {"one": {"environment": ["ANTHROPIC_API_KEY=paste-it-here"]}}
        NONE_SAID.fails(said("a service", plain_settings.of_services(service)))
        for values in ({"auth": {"apiKey": "abcde"}}, {"mcp": SERVERS}):
            NONE_SAID.fails(said(f"values: {sorted(values)}", plain_settings.of_values(values)))
    for name, objects in tiers(session, subject):
        NONE_SAID(said(f"tier {name}", plain_settings.of_objects(objects, given=given)))
    for name, content in shipped.compose(subject).items():
        NONE_SAID(said(name, plain_settings.of_services(content["services"])))
    for name, values in values_of(subject).items():
        NONE_SAID(said(name, plain_settings.of_values(values)))


def arguments(services: Mapping[str, Mapping[str, Any]]) -> Iterator[tuple[str, str]]:
    """Give the names of the arguments that services are built with, and the service of each."""
    for name, each in services.items():
        build = (each or {}).get("build")
        told = (build.get("args") or ()) if isinstance(build, Mapping) else ()
        yield from ((name, str(one).partition("=")[0]) for one in told)


def baked(subject: Subject) -> Iterator[tuple[str, str]]:
    """Give the names of the arguments that files of Bake tell, and the target of each."""
    for path in shipped.files(subject, *BAKES):
        for name, target in bake.targets(path.suffix, path.read_text(errors="replace")):
            yield from ((f"{path.name}: {name}", str(each)) for each in target.get("args") or ())


@claim("no-secret-in-build-args")
@needs("dockerfile")
@scope("image")
def test_no_build_takes_a_secret_as_an_argument(subject: Subject) -> None:
    """A builder notes arguments, whoever gives them: recipes, Compose, Bake, commands of documents."""

    def named(asked: str, pairs: Sequence[tuple[str, str]]) -> list[str]:
        found = [f"{where}: {each}" for where, each in pairs if re.fullmatch(NAME, each.upper())]
        return observe("secrets as arguments", asked, found)

    def written(asked: str, recipe: dockerfile.Recipe) -> list[str]:
        return observe("secrets as arguments", asked, secrets_in_words(recipe))

    def commanded(asked: str, texts: Mapping[str, str]) -> list[str]:
        pairs = [(page, each["name"]) for page, text in texts.items() for each in ARGUMENT.finditer(text)]
        return named(asked, pairs)

    with control("one of a recipe, of a service, and of a command without its value, are seen"):
        NO_ARGUMENT.fails(written("a recipe", dockerfile.parse(RECIPE)))
        built = {"one": {"build": {"context": ".", "args": {"NPM_TOKEN": "${NPM_TOKEN}"}}}}
        NO_ARGUMENT.fails(named("a service", list(arguments(built))))
        NO_ARGUMENT.fails(commanded("a page", {"doctored.md": PAGE}))
    for name, recipe in dockerfile.of_all(subject).items():
        NO_ARGUMENT(written(name, recipe))
    for name, content in shipped.compose(subject).items():
        NO_ARGUMENT(named(name, list(arguments(content["services"]))))
    NO_ARGUMENT(named("files of Bake", list(baked(subject))))
    NO_ARGUMENT(commanded("documents and scripts", shipped.commands(subject)))


NONE_GIVEN = require("no argument that a build is given is a secret", lambda found: found == [])
GIVEN = (
    "NPM_TOKEN", "NPM_TOKEN=${{ secrets.NPM_TOKEN }}", "LOGIN=${{ secrets.READ_TOKEN }}",
    "INDEX=https://robot:a1{}@example.org/simple",
)  # fmt: skip


@claim("no-secret-in-build-args")
@needs("dockerfile")
@scope("image")
def test_no_argument_that_a_build_is_given_is_a_secret(subject: Subject) -> None:
    """By pipelines too, and by its value: whatever the argument is called."""

    def given(asked: str, written: list[tuple[str, str]]) -> list[str]:
        return observe("secrets as arguments", asked, written_credentials.in_arguments(written))

    with control("a name, a pipeline's secret by another name, and an address with a password are seen"):
        for each in GIVEN:
            NONE_GIVEN.fails(given("an argument", [("doctored", each.replace("{}", token_hex(8)))]))
    NONE_GIVEN(given("files, scripts and pipelines", list(every_build.arguments(subject))))


NONE_HANDED_OVER = require(
    "no file of variables that ships, and that the box is started with, says a secret",
    lambda found: found == [],
)


@claim("pod-spec-holds-no-literal-token")
@scope("image")
def test_no_file_of_variables_that_ships_says_a_secret(subject: Subject, tmp_path: Path) -> None:
    """A place for its user's own is none; a file that git leaves out is its user's own."""

    def told(asked: str, files: Mapping[str, Path]) -> list[str]:
        texts = {where: path.read_text(errors="replace") for where, path in files.items()}
        every = {where: written_credentials.in_variables(text) for where, text in texts.items()}
        found = [f"{where}: {name}" for where, names in every.items() for name in names]
        return observe("secrets in files of variables", asked, found)

    with control("those that a Compose file and a page name are seen"):
        (tmp_path / "a.env").write_text(f"MODE=api\nANTHROPIC_API_KEY=a1{token_hex(8)}\n")
        (tmp_path / "compose.yaml").write_text("services: {one: {env_file: a.env}}\n")
        (tmp_path / "start.sh").write_text("docker run --env-file ./a.env box\n")
        found = written_credentials.variable_files(Subject(directory=tmp_path, name="doctored"))
        assert len(NONE_HANDED_OVER.fails(told("a box", found))) == 2
    NONE_HANDED_OVER(told("Compose files, scripts, documents", written_credentials.variable_files(subject)))
