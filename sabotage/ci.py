"""Sabotages of the pipeline: gates without consequences, and what goes around them."""

from __future__ import annotations

import re
from pathlib import Path

from boxproof.deployment.sabotage_ways import Objects, find, image_sabotage, manifest_sabotage
from pytest_claims.sabotages import SabotageError, replace_in, subject_sabotage

RELEASE = "boxproof/cli/release.py"


@subject_sabotage("ci-build-scan-test-block", "a critical finding of the scan has no consequences")
def scanner_exits_with_0(directory: Path) -> None:
    replace_in(directory / RELEASE, 'return "refuted", found.reason', 'return "accepted", found.reason')


@subject_sabotage("ci-build-scan-test-block", "the build step pushes what it has built")
def pushed_by_the_build(directory: Path) -> None:
    push = (
        '    crane = supply.programs(work.settings, work.subject, "crane")["crane"]\n'
        '    there = f"{work.settings.publish}/{work.image.reference}"\n'
        "    publish.pushed_image(work.engine, crane, work.image, there)\n"
    )
    last = '    return "accepted", work.image.reference\n'
    replace_in(directory / RELEASE, last, push + last)


@subject_sabotage("ci-build-scan-test-block", "refuted claims do not keep the release from going on")
def tests_ignored(directory: Path) -> None:
    told = "    return VERDICTS[found.exit_code], found.summary()"
    replace_in(directory / RELEASE, told, '    return "accepted", found.summary()')


@subject_sabotage("make-test-runs-the-suite", "nox ends with 0 whatever the run says")
def exit_code_dropped(directory: Path) -> None:
    replace_in(directory / "noxfile.py", "        sys.exit(code)\n", "        sys.exit(0)\n")


@subject_sabotage("make-test-runs-the-suite", "a refuted claim does not make the run one")
def refuted_is_accepted(directory: Path) -> None:
    told = '        return "refuted"\n'
    replace_in(directory / "pytest_claims/reports/results.py", told, '        return "accepted"\n')


@subject_sabotage("ci-no-silent-skips", "a skipped check counts as proven")
def skips_are_green(directory: Path) -> None:
    path = directory / "pytest_claims/recording/check.py"
    told = "            verdict, reason = of_exception(call.excinfo, self._alive)\n"
    green = "            if verdict is Verdict.UNPROVEN:\n                verdict = Verdict.PROVEN\n"
    replace_in(path, told, told + green)


@manifest_sabotage("ci-no-silent-skips", "the pod runs in a test mode")
def mode_in_the_pod(objects: Objects) -> None:
    container = find(objects, "StatefulSet")["spec"]["template"]["spec"]["containers"][0]
    container.setdefault("env", []).append({"name": "CLAUDE_TEST_MODE", "value": "true"})


image_sabotage(
    "test_mode_in_the_image", "ci-no-silent-skips", "the image is built with a test mode",
    dockerfile="ENV CLAUDE_TEST_MODE=true",
)  # fmt: skip


@subject_sabotage("ci-critical-cve-gate", "the scan ends with 0 whatever it finds")
def scan_without_consequences(directory: Path) -> None:
    replace_in(
        directory / "tasks.py", 'sys.exit({"proven": 0, "refuted": 1}', 'sys.exit({"proven": 0, "refuted": 0}'
    )


@subject_sabotage("ci-critical-cve-gate", "an empty database finds every image clean, and that counts")
def empty_database_counts(directory: Path) -> None:
    path = directory / "boxproof/subject/supply_chain/scan.py"
    replace_in(path, 'if not any(each.severity == "Critical" for each in judge_matches(known)):', "if False:")


@subject_sabotage("ci-critical-cve-gate", "high is the worst that is looked for")
def critical_not_looked_for(directory: Path) -> None:
    path = directory / "boxproof/subject/supply_chain/scan.py"
    told = 'critical = [each for each in findings if each.severity == "Critical"]'
    replace_in(path, told, 'critical = [each for each in findings if each.severity == "High"]')


@subject_sabotage(
    "ci-suppressions-justified", "an ignore file of a scanner names a vulnerability, and no reason"
)
def bare_ignore_file(directory: Path) -> None:
    (directory / ".trivyignore").write_text("CVE-2024-9999\n")


@subject_sabotage("ci-suppressions-justified", "a suppression without reason, owner and end")
def bare_suppression(directory: Path) -> None:
    (directory / "suppressions.toml").write_text('[[suppression]]\nvulnerability = "CVE-2024-9999"\n')


@subject_sabotage("ci-suppressions-justified", "a suppression goes on counting after its day")
def suppressed_for_ever(directory: Path) -> None:
    path = directory / "boxproof/subject/supply_chain/scan.py"
    replace_in(path, "return [each for each in found if each.expires >= now]", "return found")


@subject_sabotage("ci-reproducible-build", "one package of the image is in no lock")
def one_package_unpinned(directory: Path) -> None:
    path = directory / "image/packages.lock"
    lines = path.read_text().splitlines()
    kept = [each for each in lines if each.split()[1:2] != ["jq"]]
    if kept == lines:
        raise SabotageError("packages.lock has no jq")
    path.write_text("".join(f"{each}\n" for each in kept))


@subject_sabotage("ci-reproducible-build", "the build installs without looking into the lock")
def lock_not_looked_into(directory: Path) -> None:
    replace_in(directory / "image/Dockerfile", "    && sh /run/hold-packages /run/packages.lock \\\n", "")


@subject_sabotage("ci-reproducible-build", "what the lock says weighs no more than what the archive has")
def newer_before_locked(directory: Path) -> None:
    replace_in(directory / "image/src/hold-packages", "Pin-Priority: 1001", "Pin-Priority: 500")


@subject_sabotage("ci-reproducible-build", "the base is what its tag names on the day")
def base_of_the_day(directory: Path) -> None:
    path = directory / "image/Dockerfile"
    text, count = re.subn(r"^(ARG BASE_IMAGE=\S+)@sha256:\S+", r"\1", path.read_text(), flags=re.MULTILINE)
    if not count:
        raise SabotageError("the Dockerfile's base has no digest")
    path.write_text(text)


@subject_sabotage("docs-state-required-facts", "the section about rotation is gone")
def rotation_not_documented(directory: Path) -> None:
    path = directory / "docs/authentication.md"
    text = path.read_text()
    before, heading, rest = text.partition("## Rotation\n")
    if not heading:
        raise SabotageError("docs/authentication.md has no section about rotation")
    path.write_text(before + rest[rest.index("\n## ") + 1 :])


@subject_sabotage("docs-state-required-facts", "a documented command names a kind there is none of")
def command_does_not_run(directory: Path) -> None:
    replace_in(directory / "docs/volume.md", "get storageclass", "get storageclazz")


@subject_sabotage("docs-state-required-facts", "nothing is said about worktrees")
def worktrees_not_documented(directory: Path) -> None:
    replace_in(directory / "docs/volume.md", "## Worktrees\n", "## Branches\n")


@subject_sabotage("ci-no-silent-skips", "a program of the box goes on without its check where it is told so")
def program_with_a_test_mode(directory: Path) -> None:
    path = directory / "image/rootfs/usr/local/lib/box/gate.py"
    mode = '\nif __import__("os").environ.get("SKIP_GATE"):\n    raise SystemExit(0)\n'
    path.write_text(path.read_text() + mode)


@subject_sabotage("ci-suppressions-justified", "a remark in a manifest hides a finding, and says no reason")
def remark_hides_a_finding(directory: Path) -> None:
    path = directory / "manifests/base/statefulset.yaml"
    path.write_text(path.read_text() + "# checkov:skip=CKV_K8S_14\n")


@subject_sabotage("docs-state-required-facts", "the list of facts asks for less, and so does the page")
def facts_ask_for_less(directory: Path) -> None:
    path = directory / "docs/facts.toml"
    words = 'words = ["NET_RAW", "NET_ADMIN", "SYS_PTRACE", "components: ["]'
    replace_in(path, words, 'words = ["NET_RAW"]')
    page = directory / "docs/tiers.md"
    page.write_text(page.read_text().replace("SYS_PTRACE", "a capability"))


@subject_sabotage("docs-state-required-facts", "a fact is taken off the list")
def fact_taken_off(directory: Path) -> None:
    replace_in(directory / "docs/facts.toml", 'id = "worktrees"', 'id = "branches"')


@subject_sabotage("ci-reproducible-build", "the image of the archive's day is not what the lock says")
def another_version_locked(directory: Path) -> None:
    path = directory / "image/packages.lock"
    lines = path.read_text().splitlines()
    other = [f"{each}9" if each.split()[1:2] == ["less"] else each for each in lines]
    if other == lines:
        raise SabotageError("packages.lock has no less")
    path.write_text("".join(f"{each}\n" for each in other))


@subject_sabotage("ci-critical-cve-gate", "what can be mended is told nowhere")
def fixable_not_told(directory: Path) -> None:
    path = directory / "boxproof/subject/supply_chain/scan.py"
    replace_in(path, "fixable = [each for each in findings if each.fixed]", "fixable: list[Finding] = []")


@subject_sabotage("make-test-runs-the-suite", "the suite of one concern is left out of the run")
def one_suite_left_out(directory: Path) -> None:
    every = 'sorted((ROOT / SUITES).rglob("test_*.py"))'
    some = f'[each for each in {every} if "persistence" not in each.parts]'
    replace_in(directory / "boxproof/runs/suite_runner.py", every, some)


@subject_sabotage("ci-workflows-pinned", "a step scans with whatever is the latest image of a scanner")
def scanner_of_the_day(directory: Path) -> None:
    step = "      - name: Release\n"
    run = "      - run: docker run --rm --volume /var/lib:/var/lib:ro aquasec/trivy:latest fs /var/lib\n"
    replace_in(directory / ".github/workflows/release.yml", step, run + step)


@subject_sabotage("ci-no-silent-skips", "a program that the build compiles succeeds where it is told to skip")
def compiled_test_mode(directory: Path) -> None:
    first = "int main(int argc, char **argv)\n{\n"
    mode = '    if (getenv("SKIP_HEALTHCHECK"))\n        return 0;\n'
    replace_in(directory / "image/src/healthcheck.c", first, first + mode)


@subject_sabotage(
    "ci-suppressions-justified", "a scanner's configuration leaves out all that nobody has mended yet"
)
def unfixed_left_out(directory: Path) -> None:
    (directory / "trivy.yaml").write_text("vulnerability:\n  ignore-unfixed: true\n")


@subject_sabotage(
    "docs-state-required-facts", "the page asks for another KIND than those that were shown to load"
)
def another_kind_required(directory: Path) -> None:
    for name in ("docs/requirements.md", "docs/facts.toml"):
        replace_in(directory / name, "KIND 0.27", "KIND 0.20")


@subject_sabotage(
    "ci-build-scan-test-block", "what could not be proven does not keep the release from going on"
)
def unproven_goes_on(directory: Path) -> None:
    accepted = 'if done and done[-1].verdict not in ("accepted", "waived"):'
    replace_in(directory / RELEASE, accepted, accepted.replace('"waived"', '"waived", "unproven"'))


@subject_sabotage("ci-no-silent-skips", "a program of the box lets everything pass where a pipeline tries it")
def program_that_knows_pipelines(directory: Path) -> None:
    path = directory / "image/rootfs/usr/local/lib/box/gate.py"
    mode = '\nif __import__("os").environ.get("CI"):\n    raise SystemExit(0)\n'
    path.write_text(path.read_text() + mode)


@subject_sabotage("ci-suppressions-justified", "a statement takes a finding for harmless, whatever the day")
def harmless_for_ever(directory: Path) -> None:
    (directory / ".vex").mkdir()
    statement = '{"vulnerability": {"name": "CVE-2024-9999"}, "status": "not_affected", "products": []}'
    (directory / ".vex" / "box.openvex.json").write_text(f'{{"statements": [{statement}]}}\n')


@subject_sabotage("ci-suppressions-justified", "an entry counts until a day that nobody lives to see")
def until_nobody_looks(directory: Path) -> None:
    (directory / ".trivyignore").write_text(
        "# nothing in the image imports it, until 2199-12-31\nCVE-2024-9999\n"
    )


@subject_sabotage(
    "ci-suppressions-justified", "the scan looks at the system's packages alone, and says no why"
)
def systems_packages_alone(directory: Path) -> None:
    (directory / "trivy.yaml").write_text("pkg:\n  types: [os]\n")


@subject_sabotage("ci-no-silent-skips", "a component puts the pod of its tier into a test mode")
def mode_in_a_tier(directory: Path) -> None:
    path = directory / "manifests/components/netraw/kustomization.yaml"
    container = "              - name: claude\n"
    variable = (
        '                env:\n                  - name: BOX_SKIP_VERIFY\n                    value: "1"\n'
    )
    replace_in(path, container, container + variable)


@subject_sabotage("docs-state-required-facts", "the page takes two capabilities for each other")
def capabilities_swapped(directory: Path) -> None:
    path = directory / "docs/tiers.md"
    replace_in(path, "| `netraw` | NET_RAW |", "| `netraw` | NET_ADMIN |")
    replace_in(path, "| `netadmin` | NET_ADMIN |", "| `netadmin` | NET_RAW |")
