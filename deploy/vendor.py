"""Copy the console's libraries from npm to app/static/vendor; for maintainers, by ``make assets``.

package.json there names the versions and the files, package-lock.json the SHA-512 of each package. The files are copied
unchanged, and FILES.sha256 gets their digests.
"""

from __future__ import annotations

import hashlib
import json
import shutil
import subprocess
import tempfile
from pathlib import Path

FOLDER = Path(__file__).resolve().parents[1] / "app/static/vendor"
NPM = ["npm", "--no-audit", "--no-fund", "--ignore-scripts", "--omit-lockfile-registry-resolved"]


def copy_libraries(folder: Path = FOLDER) -> None:
    """Install the locked packages in a temporary folder and copy their files.

    The lock is brought up to date first, should package.json name other versions. A package with another SHA-512 than
    the lock's is refused by npm (EINTEGRITY).
    """
    with tempfile.TemporaryDirectory() as temporary:
        work = Path(temporary)
        for name in ("package.json", "package-lock.json"):
            if (folder / name).exists():
                shutil.copy(folder / name, work)
        subprocess.run([*NPM, "install", "--package-lock-only"], cwd=work, check=True)
        subprocess.run([*NPM, "ci"], cwd=work, check=True)
        shutil.copy(work / "package-lock.json", folder)
        wanted: dict[str, str] = json.loads((folder / "package.json").read_text())["vendored"]
        for name, source in wanted.items():
            shutil.copy(work / "node_modules" / source, folder / name)
    write_digests(folder, sorted(wanted))


def write_digests(folder: Path, names: list[str]) -> None:
    """Write FILES.sha256, which ``sha256sum -c`` reads."""
    lines = [f"{hashlib.sha256((folder / name).read_bytes()).hexdigest()}  {name}\n" for name in names]
    (folder / "FILES.sha256").write_text("".join(lines))


if __name__ == "__main__":
    copy_libraries()
