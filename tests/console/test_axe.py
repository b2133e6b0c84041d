"""axe-core 4.14.1 (MPL-2.0), as npm has it: the tests read it, the service does not."""

from __future__ import annotations

import hashlib

from tests.console.looking import HERE


def test_axe_is_the_unchanged_release() -> None:
    folder = HERE / "axe"
    sums = dict(line.split("  ")[::-1] for line in (folder / "FILES.sha256").read_text().splitlines())
    assert {path.name for path in folder.iterdir()} == {*sums, "FILES.sha256"}
    assert {name: hashlib.sha256((folder / name).read_bytes()).hexdigest() for name in sums} == sums
