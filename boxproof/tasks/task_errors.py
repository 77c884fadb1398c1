"""The tasks of inv: listed in working order, ended with one line and an exit code where they fail."""

from __future__ import annotations

import re
import sys
from collections.abc import Callable, Iterator
from functools import wraps
from itertools import pairwise
from pathlib import Path
from typing import Any

from invoke.collection import Collection
from invoke.config import Config
from invoke.exceptions import Exit, ParseError, UnexpectedExit
from invoke.program import Program
from invoke.util import helpline

from boxproof.cli.main import interrupt_once, unforeseen
from boxproof.core.settings import every_variable, variable
from boxproof.core.typed_values import at_home
from pytest_claims import progress
from pytest_claims.faults import BoxproofError, ExitCode, nearest, one_line
from pytest_claims.recording import redaction
from pytest_claims.selection import is_file, short, there

FORMATS = ("flat", "json", "nested")
FORMS_OF_SETTINGS, BASE = ("yaml", "yml", "json", "py"), ("~/.invoke", "/etc/invoke")
SETTINGS = "give a table of invoke's settings, or none"
TAKES_WORDS = {"exec"}
NOT_HEARD = ("dry", "echo", "hide", "pty", "warn-only", "prompt-for-sudo-password", "command-timeout")
GROUPS: dict[str, tuple[str, ...]] = {
    "look at the machine": ("doctor", "preflight"),
    "make the box": ("build", "lock", "chart", "sbom", "binaries", "harness"),
    "bring it up": ("up", "load", "deploy"),
    "prove it": ("test", "watch", "report", "conformance", "new-claim"),
    "look into it": ("logs", "shell", "exec", "nsenter", "trace", "oom", "remove-container"),
    "keep it going": ("stale", "rotate-token", "diff-config", "backup", "restore"),
    "take it down": ("remove", "down", "clean"),
}


def parse_in_one_line() -> None:
    """Have invoke tell a wrong word as we do: one line, what was meant, and the code of wrong usage.

    It knows no other way: its program prints an error of its parser, and ends with 1.
    """
    plain, cleanup, configure = Program.parse_tasks, Program.parse_cleanup, Program.update_config
    if plain.__module__ == __name__:  # in the same process once more
        return

    def listing(self: Program) -> None:
        shown = self.args["list-format"].value
        if shown not in FORMATS:
            raise _wrong(f"--list-format={short(shown)!r} ({nearest(str(shown), FORMATS)})")
        try:
            _all_read(lambda: cleanup(self))
        except ParseError as error:  # inv --help of a task that is not there
            raise _wrong(_told(error, self)) from None
        except Exit as error:
            if error.message:
                raise _wrong(f"{error.message} (inv -l lists the tasks)") from None
            raise
        except OSError as error:
            raise _ended(unforeseen(error), ExitCode.BLOCKED) from None

    mended = {
        "parse_tasks": _parsed(plain), "parse_cleanup": listing, "update_config": _configured(configure)
    }  # fmt: skip
    for name, mine in mended.items():
        setattr(Program, name, mine)
    _configure_in_one_line()
    _begin_in_one_line()


def _parsed(plain: Callable[[Program], None]) -> Callable[[Program], None]:
    """Return what parses the words of tasks as ``plain`` does, and tells what it would leave unsaid."""

    def parse(self: Program) -> None:
        redaction.keep(*self.collection.task_names)  # the name of one ends as that of a secret
        try:
            plain(self)
        except ParseError as error:
            raise _wrong(_told(error, self)) from None
        except ValueError as error:  # of int, which invoke calls on its own option
            raise _wrong(f"--command-timeout: {error} (allowed: a whole number of seconds)") from None
        nothing = next(_empty(self), "") or next(_twice(self), "") or _left_over(self) or _unheard(self)
        if nothing:
            raise _wrong(nothing)

    return parse


def _begin_in_one_line() -> None:
    """Have invoke tell in one line what is wrong before it has read any task: of use to ``program``."""
    create, core, collect = Program.create_config, Program.parse_core, Program.load_collection

    def create_config(self: Program) -> None:
        try:
            create(self)
        except Exception as error:  # of whatever reads the files of the user and the system
            places = [f"{place}.{form}" for place in BASE for form in FORMS_OF_SETTINGS]
            read = ", ".join(each for each in places if there(at_home(each))) or "~/.invoke.*"
            raise _wrong(f"{read} cannot be read: {_why(error)} ({SETTINGS})") from None

    def parse_core(self: Program, argv: list[str] | None) -> None:
        try:
            core(self, argv)
        except ParseError as error:
            raise _wrong(_told(error, self)) from None
        except ValueError as error:
            raise _wrong(f"--command-timeout: {error} (allowed: a whole number of seconds)") from None

    def load_collection(self: Program) -> None:
        try:
            collect(self)
        except Exit as error:
            if error.message:
                raise _wrong(f"{error.message} (go to the clone)") from None
            raise
        except OSError as error:
            where = error.filename or "the working directory"
            raise _wrong(f"{where}: {error.strerror} (go to the clone)") from None

    setattr(Program, "create_config", create_config)  # noqa: B010
    setattr(Program, "parse_core", parse_core)  # noqa: B010
    setattr(Program, "load_collection", load_collection)  # noqa: B010


def _all_read(shows: Callable[[], None]) -> None:
    """Have ``shows()`` print; raises Exit as it does, also where a reader has seen enough, and OSError."""
    try:
        try:
            shows()
        finally:
            if sys.stdout:
                sys.stdout.flush()
    except BrokenPipeError:
        progress.let_go()
        raise Exit(code=int(ExitCode.ACCEPTED)) from None


def _wrong(told: str) -> Exit:
    """Return the end of what was wrong usage: invoke prints it."""
    return _ended(told, ExitCode.USAGE)


def _ended(told: str, code: ExitCode) -> Exit:
    """Say how a task ends and return the end that is said already.

    Invoke would print it as it is, and end with a code of its own where nobody can read it.
    """
    first, *more = told.splitlines() or [""]
    progress.unread_is_fine()
    progress.fail(first, "", *more)
    progress.let_go()
    ended = Exit(told, code=int(code))
    ended.message = ""
    return ended


def _configure_in_one_line() -> None:
    """Have invoke tell in one line what it cannot read of its own settings: files, and variables."""
    project, shell, execute = Config.load_project, Config.load_shell_env, Program.execute

    def load_project(self: Config, merge: bool = True) -> None:
        try:
            project(self, merge)
        except Exception as error:  # of whatever reads the file, for one of another form
            file = _settings_file(Path(self._project_prefix))
            raise _wrong(f"{file} cannot be read: {_why(error)} ({SETTINGS})") from None

    def load_shell_env(self: Config) -> None:
        try:
            shell(self)
        except Exception as error:  # invoke names no variable
            named = sorted(name for name in every_variable() if name.startswith("INVOKE_"))
            raise _wrong(f"{', '.join(named)}: {_why(error)} (unset it)") from None

    def run(self: Program) -> None:
        try:
            execute(self)
        except (Exit, UnexpectedExit):
            raise
        except Exception as error:  # a task tells its own: these are of invoke's settings
            raise _wrong(f"inv cannot work so: {_why(error)} ({SETTINGS}, also in ~/.invoke.*)") from None

    setattr(Config, "load_project", load_project)  # noqa: B010  (a method that is assigned is an error to mypy)
    setattr(Config, "load_shell_env", load_shell_env)  # noqa: B010
    setattr(Program, "execute", run)  # noqa: B010


def _settings_file(directory: Path) -> Path:
    """Return the file of invoke's settings that is in force in a directory: the first there is."""
    files = [directory / f"invoke.{each}" for each in FORMS_OF_SETTINGS]
    return next(filter(there, files), files[0])


def _why(error: Exception) -> str:
    return one_line(f"{type(error).__name__}: {error}")


def _configured(plain: Callable[[Program, bool], None]) -> Callable[[Program, bool], None]:
    """Return what configures a program as ``plain`` does, and tells a file that it cannot read."""

    def configure(self: Program, merge: bool = True) -> None:
        file = self.args.config.value
        if file and not is_file(Path(file)):
            hint = "give a file of YAML, JSON or Python, or leave it out"
            raise _wrong(f"--config={short(file)!r} is no file ({hint})")
        try:
            plain(self, merge)
        except Exit:
            raise
        except Exception as error:  # of invoke, for a file of another form
            told = f"--config={short(str(file))!r} cannot be read: {_why(error)}"
            raise _wrong(f"{told} ({SETTINGS})") from None

    return configure


def _left_over(program: Program) -> str:
    """Return a line about words after -- that no task of those called takes, "" if there are none."""
    words, names = program.core.remainder, [str(each.name) for each in program.tasks]
    if not words or not names or TAKES_WORDS & set(names):  # no names where a shell asks what may come next
        return ""
    hint = f"inv {' '.join(names)} {words}" if words.startswith("-") else f"inv --help {names[-1]}"
    return f"inv {names[-1]} takes no words after --: {short(words)!r} ({hint})"


def _unheard(program: Program) -> str:
    """Return a line about an option of inv's own that no task hears, "" without one: --dry would do all."""
    given = (each for each in NOT_HEARD if program.args[each].got_value)
    name = next(given, "") if program.tasks else ""
    return name and f"no task hears --{name} of inv (leave it out; inv --help TASK tells what a task takes)"


def _empty(program: Program) -> Iterator[str]:
    """Yield a line for each option that was given nothing: it is not the same as no option."""
    for context in program.tasks:
        for argument in context.args.values():
            option = f"--{argument.name.replace('_', '-')}"
            if argument.kind is list and not argument.value and option in program.argv:
                yield f"{option} of inv {context.name} needs a value (inv --help {context.name})"
            given = argument.value if argument.kind is list else [argument.raw_value]
            for each in given:
                if argument.takes_value and isinstance(each, str) and not each.strip():
                    yield f"{option}={short(each)!r} (give a value, or leave the option out)"


def _twice(program: Program) -> Iterator[str]:
    """Yield a line for each option that was given twice where one counts: invoke drops the second value."""
    for context in program.tasks:
        for argument in context.args.values():
            flags = {name for name, one in context.flags.items() if one is argument}
            given = sum(each.partition("=")[0] in flags for each in _own_words(program))
            counted = [one for one in program.tasks if argument.name in one.args]
            heard = sum(one.args[argument.name].got_value for one in counted)
            if argument.takes_value and argument.kind is not list and given > max(heard, 1):
                yield _is_given_twice(argument.name, str(context.name))


def _own_words(program: Program) -> list[str]:
    """Return the words of the tasks, without those after --."""
    words = list(program.argv)
    return words[: words.index("--")] if "--" in words else words


def _is_given_twice(name: str, task: str) -> str:
    return f"--{name.replace('_', '-')} of inv {task} is given twice (give it once)"


def _in_the_way(word: str, error: ParseError, program: Program) -> str:
    """Return the line about a word that stands where an option took none, or had one; "" elsewhere."""
    words = [part for each in _own_words(program) for part in _split(each)]
    before = next((one for one, other in reversed(list(pairwise(words))) if other == word), "")
    argument = error.context.flags.get(before) if error.context else None
    if argument is None or error.context is None:
        return ""
    name, task = str(argument.name), str(error.context.name)
    if argument.takes_value:
        return _is_given_twice(name, task)
    return f"{before} of inv {task} takes no value: {short(word)!r} (inv --help {task})"


def _split(word: str) -> list[str]:
    option, equals, value = word.partition("=")
    return [option, value] if equals and word.startswith("-") else [word]


def _told(error: ParseError, program: Program) -> str:
    """Return the line about a word that invoke did not understand."""
    said, context = str(error), error.context
    word = next(iter(re.findall(r"'([^']*)'", said)), "")
    found = getattr(program, "collection", None)  # none before it is read
    tasks = found.task_names if found else {}
    name = getattr(context, "name", "") or ""
    if said.startswith("No idea what") and word.startswith("-"):
        setting = variable(word.split("=")[0].removeprefix("--"))
        if setting:
            return f"unknown argument {short(word)!r} of inv {name} ({setting}=… inv {name})"
        flags = sorted(each for each in getattr(context, "flags", {}) if each.startswith("--"))
        hint = (
            nearest(word.split("=")[0], flags) if flags else f"inv {name} takes no options".replace("  ", " ")
        )
        return f"unknown argument {short(word)!r} of inv {name} ({hint})".replace("inv  ", "inv ")
    if said.startswith("No idea what") and (other := _in_the_way(word, error, program)):
        return other
    if said.startswith("No idea what"):
        return f"unknown task {short(word)!r} ({nearest(word, tasks)}; inv -l lists them)"
    if "needed value" in said:
        given = "/".join(re.findall(r"Argument: ([\w-]+)", said))
        of_task = f" of inv {name} needs a value (inv --help {name})"
        return f"--{given}{of_task if name else ' of inv needs a value (inv --help)'}"
    if "required positional" in said:
        missing = ", ".join(f"--{each}" for each in re.findall(r"'([^']*)'", said)[1:])
        return f"inv {word} needs {missing} (inv --help {word})"
    return f"{one_line(said)} (inv --help{f' {name}' if name else ''})"


def explained(work: Callable[..., None]) -> Callable[..., None]:
    """Show a failure of boxproof's own kind as one line and its exit code; clean up when told to end."""

    @wraps(work)
    def wrapped(*words: Any, **options: Any) -> None:
        interrupt_once()
        try:
            work(*words, **options)
        except BoxproofError as error:
            raise _ended(str(error), error.exit_code) from None
        except KeyboardInterrupt:
            raise _ended("interrupted", ExitCode.INTERRUPTED) from None
        except Exit:
            raise
        except Exception as error:
            raise _ended(unforeseen(error), ExitCode.BLOCKED) from None

    return wrapped


def in_working_order() -> None:
    """Have ``inv -l`` list the tasks by group; what no group names comes last, under a heading of its own."""
    plain = Program._make_pairs

    def pairs(
        self: Program, coll: Collection, ancestors: list[str] | None = None
    ) -> list[tuple[str, str | None]]:
        return plain(self, coll, ancestors) if ancestors or self.list_root else listed(coll)

    setattr(Program, plain.__name__, pairs)


def listed(collection: Collection) -> list[tuple[str, str | None]]:
    """Return the lines of the list: a heading, then its tasks with their first sentence."""
    tasks = {str(name): task for name, task in collection.tasks.items()}
    rest = tuple(sorted(set(tasks) - {each for many in GROUPS.values() for each in many}))
    found: list[tuple[str, str | None]] = []
    for heading, names in {**GROUPS, "more": rest}.items():
        here = [each for each in names if each in tasks]
        if here:
            found.append((f"{heading}:", None))
            found += [(f"  {each}", helpline(tasks[each])) for each in here]
    return [*found, ("inv --help TASK", "Show what a task takes.")]
