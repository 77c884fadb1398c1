"""The site's hooks: pages out of the code and those at the repository's root, beside the ones in docs/."""

from __future__ import annotations

import re
import sys
from pathlib import Path
from typing import Any

from mkdocs.structure.files import File, Files

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

from boxproof.tasks import reference_pages  # noqa: E402

AT_ROOT = {each: f"{each.lower()}.md" for each in ("README", "CHANGELOG", "CONTRIBUTING", "SECURITY")}


def on_files(files: Files, config: Any) -> Files:
    """Add the pages that stand in no file of docs/."""
    for name, page in AT_ROOT.items():
        text = (ROOT / f"{name}.md").read_text()
        files.append(File.generated(config, page, content=_from_root(text)))
    for name, text in reference_pages.pages().items():
        files.append(File.generated(config, f"reference/{name}.md", content=text))
    return files


def on_page_markdown(markdown: str, page: Any, **_: Any) -> str:
    """Lead links out of docs/ to the pages made of those files; of others the text is left."""
    if page.file.src_uri.startswith("reference/"):
        return markdown
    for name, made in AT_ROOT.items():
        markdown = markdown.replace(f"](../{name}.md", f"]({made}")
    return re.sub(r"\[([^]]+)\]\(\.\./(?!reference)[^)]+\)", r"\1", markdown)


def _from_root(text: str) -> str:
    """Return a page of the root as it links from within docs/."""
    text = re.sub(r"\]\(docs/", "](", text)
    for name, page in AT_ROOT.items():
        text = text.replace(f"]({name}.md", f"]({page}")
    return re.sub(r"\[([^]]+)\]\((?!https?:|#)(?![\w/-]+\.(?:md|png))[^)]+\)", r"\1", text)
