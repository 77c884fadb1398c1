"""Starts that copy the image's files to the volume once, and those that do so each time."""

from __future__ import annotations

import pytest

from suites.persistence.seeded_files import Places, copied_once

TOP = "/home/a/.claude"
PLACES = Places((TOP,), ("/run/secrets",), {"HOME": "/home/a", "CLAUDE_CONFIG_DIR": TOP})


@pytest.mark.parametrize(
    "text",
    [
        '[ -e "$CLAUDE_CONFIG_DIR/CLAUDE.md" ] || cp /etc/box/CLAUDE.md "$CLAUDE_CONFIG_DIR"\n',
        "cp -rn /opt/defaults/. ~/.claude/\n",
        "rsync -a --ignore-existing /opt/defaults/ $HOME/.claude/\n",
        "if [ ! -f ~/.claude/x ]; then\n  mkdir -p ~/.claude\n  cp /opt/x ~/.claude/x\nfi\n",
        'if [ -z "$(ls -A /home/a/.claude 2>/dev/null)" ]; then\n  cp -r /app/* /home/a/.claude/\nfi\n',
        "if [ -f ~/.claude/x ]; then\n  echo there\nelse\n  cp /opt/x ~/.claude/x\nfi\n",
        'T="$HOME/.claude"\n[ -d "$T/c" ] || { mkdir -p "$T"; cp -r /opt/c "$T/"; }\n',
        "if ! test -e ~/.claude/x; then cp /opt/x ~/.claude/x; fi\n",
        "if [ -d /a ]; then\n  [ ! -e ~/.claude/x ] && cp /opt/x ~/.claude/x\nfi\n",
        "tar -C /opt/d -cf - . | tar -C ~/.claude -xkf -\n",
        "tar -xzf /opt/d.tgz -C ~/.claude --skip-old-files\n",
        "cd ~/.claude && tar xkf /opt/d.tar\n",
        "[ -e ~/.claude/.seeded ] || tar -cC /opt/d . | tar -xC ~/.claude\n",
        "if [ ! -e ~/.claude/.seeded ]; then\n  unzip -q /opt/d.zip -d ~/.claude\nfi\n",
        "unzip -nq /opt/d.zip -d ~/.claude\n",
        "find /opt/d -type f -exec cp -n {} ~/.claude/ \\;\n",
        "find /opt/d -type f | xargs -I {} cp -n {} ~/.claude/\n",
        "mv -n /opt/d/x ~/.claude/x\n",
    ],
)
def test_a_copy_that_is_made_once_is_seen(text: str) -> None:
    assert len(copied_once(text, PLACES)) == 1


@pytest.mark.parametrize(
    "text",
    [
        "cp -r /opt/defaults/. ~/.claude/\n",
        "[ -f ~/.claude/x ] || echo '{}' >~/.claude/x\n",
        "[ -f /opt/x ] && cp /opt/x ~/.claude/x\n",
        "if [ -f /opt/x ]; then\n  cp /opt/x ~/.claude/x\nfi\n",
        "[ ! -f /opt/x ] || cp /opt/x ~/.claude/x\n",
        "cp -n /etc/skel/.bashrc ~/\n",
        "[ -f ~/.claude/.claude.json ] || cp /opt/claude.json ~/.claude/.claude.json\n",
        "[ -e ~/.claude/login ] || cp /run/secrets/login ~/.claude/login\n",
        "if [ ! -d ~/.claude ]; then mkdir ~/.claude; fi\ncp /opt/x ~/.claude/x\n",
        "[ -e ~/.claude/b ] || { mkdir -p ~/.claude/b; }\ncp /opt/x ~/.claude/x\n",
        "seed() {\n  echo a\n}\ncp /opt/x ~/.claude/x\n",
        "tar -C /opt/d -cf - . | tar -C ~/.claude -xf -\n",
        "tar -xzf /opt/d.tgz -C ~/.claude\n",
        "unzip -oq /opt/d.zip -d ~/.claude\n",
        "[ -e ~/.claude/backup ] || tar -czf ~/.claude/backup.tgz -C ~/.claude projects\n",
        "tar -xkf ~/.claude/backup.tar -C ~/.claude\n",
        "tar -xkf /run/secrets/login.tar -C ~/.claude\n",
        "tar -xkf /opt/d.tar -C /workspace\n",
        "find /opt/d -type f -exec cp {} ~/.claude/ \\;\n",
        "# cp -n /opt/a ~/.claude/a\ncp -n ~/.claude/a ~/.claude/b\n",
    ],
)
def test_one_that_is_made_each_time_or_of_something_else_is_not(text: str) -> None:
    assert copied_once(text, PLACES) == []


@pytest.mark.parametrize(
    ("text", "found"),
    [
        (f"[ -e {TOP}/a ] || install -m 600 /opt/a {TOP}/a", True),
        (f"[ -e {TOP}/a ] || cat /opt/a > {TOP}/a", True),
        (f"[ -e {TOP}/a ] || sed s/X/y/ /opt/a 2>/dev/null >{TOP}/a", True),
        (f"if [ ! -f {TOP}/a ]; then envsubst < /opt/a > {TOP}/a; fi", True),
        (f"install -m 600 /opt/a {TOP}/a", False),
        (f"cat /opt/a > {TOP}/a", False),
        (f"[ -e {TOP}/a ] || cat {TOP}/b > {TOP}/a", False),
        (f"[ -e {TOP}/a ] || cat > {TOP}/a <<END", False),
        (f"[ -e {TOP}/a ] || cat /opt/a > /tmp/a", False),
        (f"[ -e {TOP}/a ] || cat /opt/a >&2", False),
        (f"[ -e {TOP}/a ] || install -d {TOP}/a", False),
    ],
)
def test_what_else_copies(text: str, found: bool) -> None:
    assert bool(copied_once(text, Places((TOP,)))) is found
