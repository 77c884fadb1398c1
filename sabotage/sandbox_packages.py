"""Sabotages of the packages in the sandbox."""

from __future__ import annotations

from pathlib import Path

from sabotage.launcher_edits import edit, subject_sabotage


@subject_sabotage("sbx-packages-resolved-before-launch", "errors of nix are passed over")
def errors_passed_over(directory: Path) -> None:
    edit(
        directory,
        "packages",
        ("    if status:\n", "    if status and not said:\n        return ()\n    if status:\n"),
        ("        _remember(key, paths)\n", ""),
    )


@subject_sabotage("sbx-packages-resolved-before-launch", "an empty result ends up as /bin in PATH")
def empty_result(directory: Path) -> None:
    edit(directory, "plan", ('"/usr/local/bin", "/usr/bin"]', '"/usr/local/bin", "/usr/bin", "/bin"]'))


@subject_sabotage("sbx-package-cache", "the cache is never read")
def cache_not_read(directory: Path) -> None:
    edit(directory, "packages", ("    paths = _remembered(key)\n", "    paths = None\n"))


@subject_sabotage("sbx-package-cache", "a changed lock does not empty the cache")
def lock_not_in_key(directory: Path) -> None:
    edit(directory, "packages", ('for each in ("flake.lock", "flake.nix")', 'for each in ("flake.nix",)'))


@subject_sabotage("sbx-package-cache", "a changed channel does not empty the cache")
def channel_not_in_key(directory: Path) -> None:
    edit(directory, "packages", ("    files += [os.path.expanduser(each) for each in CHANNELS]\n", ""))


@subject_sabotage("sbx-package-cache", "of channels their generation does not count")
def generation_not_in_key(directory: Path) -> None:
    edit(directory, "packages", ('    "~/.nix-defexpr/channels",\n', ""))


@subject_sabotage("sbx-offline-blocks-but-nix-works", "the offline tier keeps the host's network")
def offline_not_unshared(directory: Path) -> None:
    edit(directory, "plan", ('if tier != "full":\n        yield', 'if tier == "internet":\n        yield'))


@subject_sabotage("sbx-offline-blocks-but-nix-works", "the daemon's socket is not bound")
def socket_not_bound(directory: Path) -> None:
    edit(
        directory,
        "plan",
        (
            "        for each in (bound, nix.conf) if nix.conf else (bound,):",
            "        for each in (nix.conf,) if nix.conf else ():",
        ),
    )
