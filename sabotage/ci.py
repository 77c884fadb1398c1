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


@subject_sabotage("ci-build-scan-test-block", "the workflow pushes the image before the release")
def workflow_pushes_first(directory: Path) -> None:
    step = "      - name: Release\n"
    push = "      - run: docker build -t box image && docker push box\n"
    replace_in(directory / ".github/workflows/release.yml", step, push + step)


@subject_sabotage("ci-build-scan-test-block", "the workflow goes on after a release that was refused")
def workflow_ignores_the_release(directory: Path) -> None:
    step = "      - name: Release\n"
    replace_in(directory / ".github/workflows/release.yml", step, f"{step}        continue-on-error: true\n")


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


@subject_sabotage("ci-build-scan-test-block", "a script that the workflow runs pushes the image")
def pushed_by_a_script(directory: Path) -> None:
    (directory / "publish.sh").write_text("docker build -t box image\ndocker push box\n")
    step = "      - name: Release\n"
    run = "      - run: sh publish.sh\n"
    replace_in(directory / ".github/workflows/release.yml", step, run + step)


@subject_sabotage("ci-build-scan-test-block", "the release goes on whatever failed before it")
def release_always(directory: Path) -> None:
    step = "      - name: Release\n"
    replace_in(directory / ".github/workflows/release.yml", step, f"{step}        if: always()\n")


@subject_sabotage("ci-workflows-pinned", "an action is named by a tag, which can be moved")
def action_by_tag(directory: Path) -> None:
    path = directory / ".github/workflows/release.yml"
    text, count = re.subn(r"(actions/checkout)@[0-9a-f]{40}[^\n]*", r"\1@v4", path.read_text())
    if not count:
        raise SabotageError("the release checks nothing out by a commit")
    path.write_text(text)


@subject_sabotage("ci-workflows-pinned", "a checkout leaves its token behind for whatever runs after it")
def token_left_behind(directory: Path) -> None:
    replace_in(directory / ".github/workflows/e2e.yml", "persist-credentials: false", "fetch-depth: 1")


@subject_sabotage("ci-workflows-pinned", "the job that proves may write packages, and logs in")
def login_before_the_proof(directory: Path) -> None:
    path = directory / ".github/workflows/e2e.yml"
    replace_in(path, "permissions:\n  contents: read\n", "permissions: write-all\n")


@subject_sabotage("ci-workflows-pinned", "a job runs in whatever is the latest image")
def job_in_latest(directory: Path) -> None:
    replace_in(directory / ".github/workflows/matrix.yml", "image: debian:bookworm", "image: debian:latest")


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


@subject_sabotage("ci-workflows-pinned", "the repository's own action uses another by a tag")
def action_of_an_action_by_tag(directory: Path) -> None:
    path = directory / "action.yml"
    text, count = re.subn(r"(actions/cache)@[0-9a-f]{40}[^\n]*", r"\1@v4", path.read_text())
    if not count:
        raise SabotageError("action.yml keeps nothing by a commit")
    path.write_text(text)


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


RELEASES = ".github/workflows/release.yml"
RELEASE_STEP = "      - name: Release\n"


@subject_sabotage("ci-build-scan-test-block", "a step of several lines builds the image and pushes it")
def pushed_on_another_line(directory: Path) -> None:
    run = "      - run: |\n          docker buildx build \\\n            --push image\n"
    replace_in(directory / RELEASES, RELEASE_STEP, run + RELEASE_STEP)


@subject_sabotage("ci-build-scan-test-block", "an action pushes by what it is told of its outputs")
def pushed_by_an_output(directory: Path) -> None:
    uses = f"      - uses: docker/build-push-action@{'b' * 40}\n"
    told = "        with: {context: image, outputs: 'type=image,name=box,push-by-digest=true,push=true'}\n"
    replace_in(directory / RELEASES, RELEASE_STEP, uses + told + RELEASE_STEP)


@subject_sabotage("ci-build-scan-test-block", "the step that releases is switched off")
def release_switched_off(directory: Path) -> None:
    replace_in(directory / RELEASES, RELEASE_STEP, f"{RELEASE_STEP}        if: ${{{{ false }}}}\n")


@subject_sabotage("ci-build-scan-test-block", "the release stands in a remark, for the time being")
def release_in_a_remark(directory: Path) -> None:
    run = "        run: nox -s release -- --registry"
    replace_in(directory / RELEASES, run, f"        run: |\n          true # {run.strip()}")


@subject_sabotage("ci-build-scan-test-block", "what the release says is piped into a log")
def release_into_a_log(directory: Path) -> None:
    run = '--claims "$CLAIMS" --narrowed'
    replace_in(directory / RELEASES, run, f"{run} 2>&1 | tee release.log")


@subject_sabotage("ci-build-scan-test-block", "a script that is no .sh pushes the image")
def pushed_by_the_script_of_a_change(directory: Path) -> None:
    path = directory / ".ci" / "run"
    path.write_text(f"{path.read_text()}docker build -t box image && docker push box\n")


@subject_sabotage("ci-workflows-pinned", "every job of a workflow has the password of the registry")
def password_for_every_job(directory: Path) -> None:
    env = "env:\n  REGISTRY_PASSWORD: ${{ secrets.REGISTRY_PASSWORD }}\n"
    replace_in(directory / ".github/workflows/e2e.yml", "jobs:\n", f"{env}\njobs:\n")


@subject_sabotage("ci-workflows-pinned", "a job that proves writes the engine's credentials itself")
def credentials_written(directory: Path) -> None:
    write = """      - run: printf '%s' "$AUTH" > "$HOME/.docker/config.json"\n"""
    replace_in(
        directory / ".github/workflows/e2e.yml", "      - run: .ci/run\n", f"{write}      - run: .ci/run\n"
    )


@subject_sabotage(
    "ci-suppressions-justified", "a scanner's configuration leaves out all that nobody has mended yet"
)
def unfixed_left_out(directory: Path) -> None:
    (directory / "trivy.yaml").write_text("vulnerability:\n  ignore-unfixed: true\n")


@subject_sabotage(
    "ci-suppressions-justified", "the scan of a workflow leaves directories out, and says no reason"
)
def directories_left_out(directory: Path) -> None:
    uses = f"      - uses: aquasecurity/trivy-action@{'b' * 40}\n"
    told = "        with: {image-ref: box, exit-code: '1', skip-dirs: /usr/local/libexec}\n"
    replace_in(directory / RELEASES, RELEASE_STEP, uses + told + RELEASE_STEP)


@subject_sabotage(
    "ci-workflows-pinned", "a script that a workflow runs scans with whatever is the latest image"
)
def script_with_the_latest_image(directory: Path) -> None:
    path = directory / ".ci" / "run"
    path.write_text(f"{path.read_text()}docker run --rm -v /var/lib:/scan:ro aquasec/trivy fs /scan\n")


@subject_sabotage("ci-workflows-pinned", "a step clones by an address that has the token in it")
def token_in_an_address(directory: Path) -> None:
    clone = "      - run: git clone https://x-access-token:${{ secrets.GITHUB_TOKEN }}@github.com/a/b.git\n"
    replace_in(
        directory / ".github/workflows/e2e.yml", "      - run: .ci/run\n", f"{clone}      - run: .ci/run\n"
    )


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


@subject_sabotage("ci-build-scan-test-block", "each release of the workflow is tested by one claim")
def released_by_one_claim(directory: Path) -> None:
    told = "CLAIMS: ${{ inputs.claims || '*' }}"
    replace_in(directory / RELEASES, told, "CLAIMS: image-user-nonroot")


WORKFLOW = ".github/workflows/e2e.yml"
PROVE_STEP = "      - run: .ci/run\n"


@subject_sabotage("ci-build-scan-test-block", "a task of invoke that the workflow carries out pushes it")
def pushed_by_a_task(directory: Path) -> None:
    path = directory / "tasks.py"
    task = '\n\ndef hand_out():\n    run(["docker", "push", "box"], timeout=600)\n'
    path.write_text(path.read_text() + task)
    replace_in(directory / RELEASES, RELEASE_STEP, f"      - run: inv hand-out\n{RELEASE_STEP}")


@subject_sabotage("ci-build-scan-test-block", "the image is called latest in the registry before the release")
def tagged_in_the_registry(directory: Path) -> None:
    run = "      - run: crane tag example.org/box:1.2.3 latest\n"
    replace_in(directory / RELEASES, RELEASE_STEP, run + RELEASE_STEP)


@subject_sabotage("ci-build-scan-test-block", "that the release was refused is a condition, and only told")
def refusal_as_a_condition(directory: Path) -> None:
    run = 'run: nox -s release -- --registry "ghcr.io/${GITHUB_REPOSITORY,,}" --claims "$CLAIMS" --narrowed\n'
    command = run.removeprefix("run: ").rstrip()
    told = f"run: |\n          if ! {command}; then\n            echo '::warning::refused'\n          fi\n"
    replace_in(directory / RELEASES, run, told)


@subject_sabotage("ci-workflows-pinned", "a script of the job that proves logs in to the registry")
def login_in_a_script(directory: Path) -> None:
    path = directory / ".ci" / "run"
    path.write_text(f'{path.read_text()}docker login example.org --username us --password-stdin <"$FILE"\n')


@subject_sabotage("ci-workflows-pinned", "a step writes down a token where git finds it")
def token_for_git(directory: Path) -> None:
    write = """      - run: printf 'machine github.com login x password %s' "$TOKEN" > ~/.netrc\n"""
    replace_in(directory / WORKFLOW, PROVE_STEP, write + PROVE_STEP)


@subject_sabotage("ci-workflows-pinned", "an action runs whatever is the latest image of its own choice")
def image_of_an_action(directory: Path) -> None:
    uses = f"      - uses: docker/setup-qemu-action@{'b' * 40}\n"
    told = "        with: {image: 'tonistiigi/binfmt:latest'}\n"
    replace_in(directory / WORKFLOW, PROVE_STEP, uses + told + PROVE_STEP)


@subject_sabotage("ci-workflows-pinned", "a variable names the image of a scanner, and no tag of it")
def image_by_a_variable(directory: Path) -> None:
    run = '      - env: {SCANNER: aquasec/trivy}\n        run: docker run --rm "$SCANNER" fs /\n'
    replace_in(directory / WORKFLOW, PROVE_STEP, run + PROVE_STEP)


@subject_sabotage("ci-no-silent-skips", "a program of the box lets everything pass where a pipeline tries it")
def program_that_knows_pipelines(directory: Path) -> None:
    path = directory / "image/rootfs/usr/local/lib/box/gate.py"
    mode = '\nif __import__("os").environ.get("CI"):\n    raise SystemExit(0)\n'
    path.write_text(path.read_text() + mode)


@subject_sabotage(
    "ci-suppressions-justified", "the scan of a workflow has a list of its own, without a reason"
)
def list_of_another_name(directory: Path) -> None:
    (directory / ".github" / "known").write_text("CVE-2024-9999\n")
    uses = f"      - uses: aquasecurity/trivy-action@{'b' * 40}\n"
    options = ("image-ref: box", "exit-code: '1'", "trivyignores: .github/known")
    told = "".join(f"          {each}\n" for each in options)
    replace_in(directory / RELEASES, RELEASE_STEP, f"{uses}        with:\n{told}{RELEASE_STEP}")


@subject_sabotage("ci-suppressions-justified", "a statement takes a finding for harmless, whatever the day")
def harmless_for_ever(directory: Path) -> None:
    (directory / ".vex").mkdir()
    statement = '{"vulnerability": {"name": "CVE-2024-9999"}, "status": "not_affected", "products": []}'
    (directory / ".vex" / "box.openvex.json").write_text(f'{{"statements": [{statement}]}}\n')
