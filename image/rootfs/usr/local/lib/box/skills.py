"""Writes the skill that tells the CLI which tools this image has, from the list the image was built from.

skills.py TOOLS.json DIRECTORY   makes DIRECTORY/toolkit/SKILL.md
"""

import json
import sys
from pathlib import Path

NAME = "toolkit"
HEAD = """---
name: {name}
description: "The command-line tools installed in this container, their versions and what each needs: {tools}"
---

# Tools in this container

They run as an ordinary user. A tool of another tier than `default` refuses, and says so, where it is missing.
`verify-tools NAME` shows whether one works here.
"""


def skill(tools: list[dict[str, str]]) -> str:
    """Return the text of the skill; raises ValueError if there is no tool."""
    if not tools:
        raise ValueError("the list holds no tool")
    parts = [HEAD.format(name=NAME, tools=", ".join(each["name"] for each in tools))]
    for each in tools:
        title = " ".join(filter(None, (each["name"], each.get("version", ""))))
        tier = each.get("tier") or "default"
        works = each["works"].strip().replace("\n", "\n    ")
        needs = f", needs {each['capability']}" if each.get("capability") else ""
        parts.append(f"\n## {title}\n\nTier: {tier}{needs}. It works when this succeeds:\n\n    {works}\n")
    return "".join(parts)


def main(source: str, directory: str) -> None:
    """Write the skill below ``directory``."""
    text = skill(json.loads(Path(source).read_text()))
    made = Path(directory, NAME)
    made.mkdir(parents=True, exist_ok=True)
    (made / "SKILL.md").write_text(text)


if __name__ == "__main__":
    main(*sys.argv[1:])
