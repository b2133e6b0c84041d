"""The console's static files: their types, their compressed content, and one digest of them all.

The digest is part of their addresses, so browsers may keep them for good: another file has another address.
"""

from __future__ import annotations

import gzip
import hashlib
from dataclasses import dataclass
from pathlib import Path

STATIC = Path(__file__).parent / "static"
# Only these are served: the folder also holds licences and the lock file of the libraries.
TYPES = {
    ".css": "text/css",
    ".js": "text/javascript",
    ".mjs": "text/javascript",
    ".svg": "image/svg+xml",
}


@dataclass(frozen=True)
class Assets:
    """The files below ``folder``: the type and the gzipped content of each path, and the digest of all."""

    folder: Path
    types: dict[str, str]
    packed: dict[str, bytes]
    digest: str

    def list_styles(self) -> list[str]:
        """List the console's own style sheets."""
        return [name for name in self.types if name.startswith("console/") and name.endswith(".css")]


def read_assets(folder: Path = STATIC) -> Assets:
    """Read all files once, to compute their digest and to compress them."""
    types, packed, whole = {}, {}, hashlib.sha256()
    for path in sorted(path for path in folder.rglob("*") if path.suffix in TYPES):
        name = path.relative_to(folder).as_posix()
        content = path.read_bytes()
        types[name], packed[name] = TYPES[path.suffix], gzip.compress(content, mtime=0)
        whole.update(f"{name} {hashlib.sha256(content).hexdigest()}\n".encode())
    return Assets(folder, types, packed, whole.hexdigest()[:16])
