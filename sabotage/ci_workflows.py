"""Sabotages of workflows: what they publish, log in with, leave out, and carry out by a script or a task."""

from __future__ import annotations

import re
from pathlib import Path

from pytest_claims.sabotages import SabotageError, replace_in, subject_sabotage


@subject_sabotage("ci-build-scan-test-block", "the workflow pushes the image before the release")
def workflow_pushes_first(directory: Path) -> None:
    step = "      - name: Release\n"
    push = "      - run: docker build -t box image && docker push box\n"
    replace_in(directory / ".github/workflows/release.yml", step, push + step)


@subject_sabotage("ci-build-scan-test-block", "the workflow goes on after a release that was refused")
def workflow_ignores_the_release(directory: Path) -> None:
    step = "      - name: Release\n"
    replace_in(directory / ".github/workflows/release.yml", step, f"{step}        continue-on-error: true\n")


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


@subject_sabotage("ci-workflows-pinned", "the repository's own action uses another by a tag")
def action_of_an_action_by_tag(directory: Path) -> None:
    path = directory / "action.yml"
    text, count = re.subn(r"(actions/cache)@[0-9a-f]{40}[^\n]*", r"\1@v4", path.read_text())
    if not count:
        raise SabotageError("action.yml keeps nothing by a commit")
    path.write_text(text)


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


@subject_sabotage(
    "ci-suppressions-justified", "the scan of a workflow has a list of its own, without a reason"
)
def list_of_another_name(directory: Path) -> None:
    (directory / ".github" / "known").write_text("CVE-2024-9999\n")
    uses = f"      - uses: aquasecurity/trivy-action@{'b' * 40}\n"
    options = ("image-ref: box", "exit-code: '1'", "trivyignores: .github/known")
    told = "".join(f"          {each}\n" for each in options)
    replace_in(directory / RELEASES, RELEASE_STEP, f"{uses}        with:\n{told}{RELEASE_STEP}")


@subject_sabotage("ci-build-scan-test-block", "a builder that is named pushes what it builds")
def pushed_by_a_named_builder(directory: Path) -> None:
    run = "      - run: docker buildx --builder ci build --push -t box image\n"
    replace_in(directory / RELEASES, RELEASE_STEP, run + RELEASE_STEP)


@subject_sabotage("ci-build-scan-test-block", "Compose pushes what it builds, by a file that is named")
def pushed_by_compose(directory: Path) -> None:
    run = "      - run: docker compose -f compose.yaml build --push\n"
    replace_in(directory / RELEASES, RELEASE_STEP, run + RELEASE_STEP)


@subject_sabotage("ci-build-scan-test-block", "the shell of the release is told to go on after a failure")
def failure_told_off(directory: Path) -> None:
    run = "        run: nox -s release -- --registry"
    text = f"        run: |\n          set +o errexit\n          {run.strip().removeprefix('run: ')}"
    replace_in(directory / RELEASES, run, text)


@subject_sabotage("ci-workflows-pinned", "a builder is made of whatever is the latest image")
def builder_of_the_latest_image(directory: Path) -> None:
    run = "      - run: docker buildx create --use --driver-opt image=moby/buildkit:latest\n"
    replace_in(directory / WORKFLOW, PROVE_STEP, run + PROVE_STEP)


@subject_sabotage("ci-workflows-pinned", "a workflow of another forge uses an action by a tag")
def workflow_of_another_forge(directory: Path) -> None:
    path = directory / ".forgejo" / "workflows" / "e2e.yml"
    path.parent.mkdir(parents=True)
    steps = "      - uses: https://example.invalid/actions/setup@v4\n      - run: .ci/run\n"
    path.write_text(f"on: [push]\njobs:\n  e2e:\n    runs-on: docker\n    steps:\n{steps}")


@subject_sabotage("ci-suppressions-justified", "a variable has the scan of a workflow leave findings out")
def left_out_by_a_variable(directory: Path) -> None:
    env = '        env: {TRIVY_IGNORE_UNFIXED: "true"}\n'
    step = f"      - run: trivy image --exit-code 1 box\n{env}"
    replace_in(directory / RELEASES, RELEASE_STEP, step + RELEASE_STEP)


@subject_sabotage("ci-suppressions-justified", "a list of what a linter of images leaves out says no reason")
def list_of_a_linter(directory: Path) -> None:
    (directory / ".dockleignore").write_text("CIS-DI-0001\nDKL-DI-0006\n")


@subject_sabotage(
    "ci-build-scan-test-block", "an action that tries again pushes the image before the release"
)
def pushed_by_trying_again(directory: Path) -> None:
    action = "nick-fields/retry@ce71cc2ab81d554ebbe88c79ab5975992d79ba08"
    options = "{max_attempts: 3, timeout_minutes: 10, command: docker push ghcr.io/any/box}"
    step = f"      - uses: {action}\n        with: {options}\n"
    replace_in(directory / RELEASES, RELEASE_STEP, step + RELEASE_STEP)


@subject_sabotage(
    "ci-build-scan-test-block", "a pipeline of a mirror elsewhere builds the image and pushes it"
)
def pushed_by_a_mirror(directory: Path) -> None:
    lines = ["publish:", "  image: docker:27.3", "  script:", "    - docker build -t box image"]
    (directory / ".gitlab-ci.yml").write_text("\n".join([*lines, "    - docker push box", ""]))


@subject_sabotage("ci-workflows-pinned", "the jobs that prove have a personal token, which may write")
def personal_token_for_all(directory: Path) -> None:
    jobs = "\njobs:\n"
    token = "\nenv:\n  GH_TOKEN: ${{ secrets.CR_PAT }}\n"
    replace_in(directory / ".github/workflows/e2e.yml", jobs, token + jobs)


@subject_sabotage("ci-build-scan-test-block", "a step pushes the image by another program, with an option")
def pushed_with_an_option(directory: Path) -> None:
    run = "      - run: skopeo --debug copy docker-daemon:box:1 docker://ghcr.io/a/box:1\n"
    replace_in(directory / RELEASES, RELEASE_STEP, run + RELEASE_STEP)
