"""Parse Markdown pages for tests: prose, code, links, and the anchors that GitHub gives to headings."""

from __future__ import annotations

import re
import subprocess
from collections.abc import Iterator
from urllib.parse import unquote

from tests.service import ROOT

FENCE = re.compile(r"\s*(```|~~~)")
LINK = re.compile(r"\[([^\]]*)\]\(([^)\s]+)(?:\s+\"[^\"]*\")?\)")
SPAN = re.compile(r"`([^`]+)`")
HEADING = re.compile(r"#{1,6}\s+(.*?)\s*#*$")
NOT_IN_ANCHORS = re.compile(r"[^\w\- ]")


def pages() -> list[str]:
    """List the pages of the repository, including those not committed yet."""
    command = ["git", "ls-files", "--cached", "--others", "--exclude-standard", "*.md"]
    listed = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True).stdout.splitlines()
    return sorted(path for path in set(listed) if (ROOT / path).exists())


def prose(page: str) -> Iterator[tuple[int, str]]:
    """(number, line) outside code blocks."""
    return ((number, line) for number, line, code in _lines(page) if not code)


def blocks(page: str) -> list[tuple[str, str]]:
    """(language, text) of each code block."""
    found = re.findall(r"^```(\w*)\n(.*?)^```$", (ROOT / page).read_text(), re.MULTILINE | re.DOTALL)
    return [(language, text) for language, text in found]


def spans(page: str) -> list[str]:
    """The text in backticks."""
    return [span for _, line in prose(page) for span in SPAN.findall(line)]


def code(page: str) -> str:
    """All code of a page: its blocks and the text in backticks."""
    return "\n".join([*(text for _, text in blocks(page)), *spans(page)])


def links(page: str) -> list[tuple[int, str]]:
    """(line number, target) of each link to a page of the repository."""
    found = [(number, m[2]) for number, line in prose(page) for m in LINK.finditer(SPAN.sub("``", line))]
    return [(number, target) for number, target in found if not re.match(r"[a-z]+:", target)]


def missing_target(page: str, target: str) -> str | None:
    """Why a link is broken; None if its file exists, and its heading if it names one."""
    path, _, anchor = unquote(target).partition("#")
    file = (ROOT / page).parent / path if path else ROOT / page
    if not file.exists():
        return f"there is no {path}"
    if anchor and anchor not in anchors(file.read_text()):
        return f"{path or page} has no heading #{anchor}"
    return None


def anchors(text: str) -> set[str]:
    """The anchors of a page's headings on GitHub; a repeated heading gets a number."""
    found: set[str] = set()
    inside = False
    for line in text.splitlines():
        inside ^= bool(FENCE.match(line))
        heading = None if inside else HEADING.match(line)
        if heading:
            plain = LINK.sub(r"\1", heading[1]).lower()
            slug = NOT_IN_ANCHORS.sub("", plain).replace(" ", "-")
            number = 0
            while (name := f"{slug}-{number}" if number else slug) in found:
                number += 1
            found.add(name)
    return found


def _lines(page: str) -> Iterator[tuple[int, str, bool]]:
    inside = False
    for number, line in enumerate((ROOT / page).read_text().splitlines(), 1):
        if FENCE.match(line):
            inside = not inside
            yield number, line, True
        else:
            yield number, line, inside
