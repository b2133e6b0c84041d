"""Install a lock file into the virtual environment whose Python runs this: with uv, or with pip where there is no uv.

    .venv/bin/python deploy/install.py requirements.lock

uv takes a fraction of pip's time but reads none of pip's settings. An index, certificate or proxy that this machine's pip is
configured with is therefore handed to uv, except where uv has a setting of its own.
"""

from __future__ import annotations

import argparse
import ast
import os
import re
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Mapping
from pathlib import Path

UV = "uv>=0.9,<1"
PIP = [sys.executable, "-m", "pip", "--disable-pip-version-check"]

# pip's option, and the variables that say the same to uv; the first one is set unless any of them is.
SAME_IN_UV = {
    "index-url": ("UV_DEFAULT_INDEX", "UV_INDEX_URL"),
    "extra-index-url": ("UV_INDEX", "UV_EXTRA_INDEX_URL"),
    "find-links": ("UV_FIND_LINKS",),
    "no-index": ("UV_NO_INDEX",),
    "trusted-host": ("UV_INSECURE_HOST",),
    "cert": ("SSL_CERT_FILE",),
    "client-cert": ("SSL_CLIENT_CERT",),
    "proxy": ("ALL_PROXY", "all_proxy", "HTTPS_PROXY", "https_proxy"),
    "timeout": ("UV_HTTP_TIMEOUT",),
}
COMMA_SEPARATED = {"UV_FIND_LINKS"}  # pip separates values by white space, and uv does so in its other variables

# PyTorch's own index has builds of these for processors alone. They need none of NVIDIA's packages.
TORCH = ("torch", "torchaudio", "torchvision")
NVIDIA = "nvidia-"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("lock", type=Path)
    parser.add_argument("--torch-index", metavar="URL", help="take torch from this index, and nothing of NVIDIA's")
    asked = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        uv = find_uv(Path(folder))
        if asked.torch_index:
            torch, rest = without_cuda(asked.lock.read_text())
            (Path(folder) / "rest.lock").write_text(rest)
            # The builds there have other checksums than PyPI's, so only their versions are compared with the lock.
            install(uv, "--no-deps", "--index-url", asked.torch_index, *torch)
            install(uv, "--no-deps", "--require-hashes", "-r", f"{folder}/rest.lock")
        else:
            install(uv, "--require-hashes", "-r", str(asked.lock))


def find_uv(folder: Path) -> str | None:
    """The machine's uv, or one put into ``folder``, so that the environment holds only what the lock lists."""
    if installed := shutil.which("uv"):
        return installed
    if subprocess.run([*PIP, "install", "-qq", "--target", str(folder / "uv"), UV]).returncode:
        print("No uv could be installed (see above); using pip, which takes several times as long.", flush=True)
        return None
    return str(folder / "uv" / "bin" / "uv")


def install(uv: str | None, *arguments: str) -> None:
    """Run ``pip install`` with these arguments: by uv, and by pip if that fails. Exits if pip fails, too."""
    if uv:
        quiet = [] if sys.stderr.isatty() else ["--quiet"]
        command = [uv, "pip", "install", *quiet, "--python", sys.executable, *arguments]
        if not subprocess.run(command, env=uv_environment(os.environ, pip_settings())).returncode:
            return
        print("uv could not install the packages (see above); trying pip.", flush=True)
    if failed := subprocess.run([*PIP, "install", "-qq", *arguments]).returncode:
        sys.exit(failed)


def pip_settings() -> dict[str, str]:
    """The options that pip's configuration files and PIP_* variables give to ``pip install``, without their ``--``."""
    listed = subprocess.run([*PIP, "config", "list"], capture_output=True, text=True).stdout
    found: dict[str, str] = {}
    for section in ("global", "install", ":env:"):  # each of these overrides the one before
        for name, value in re.findall(rf"^{section}\.([\w-]+)=(.+)$", listed, re.MULTILINE):
            found[name.removeprefix("default-")] = str(ast.literal_eval(value))
    return found


def uv_environment(environment: Mapping[str, str], settings: Mapping[str, str]) -> dict[str, str]:
    """``environment`` with pip's ``settings`` added in uv's terms."""
    added = {}
    for option, variables in SAME_IN_UV.items():
        values = settings.get(option, "").split()
        if values and not any(environment.get(variable) for variable in variables):
            added[variables[0]] = ("," if variables[0] in COMMA_SEPARATED else " ").join(values)
    # By default uv looks for a package only in the first index that has it in any version; pip looks in all of them.
    # The danger in that, another package of the same name, is what the lock's checksums are for.
    return {"UV_INDEX_STRATEGY": "unsafe-best-match", **environment, **added}


def without_cuda(lock: str) -> tuple[list[str], str]:
    """torch's packages as ``name==version``, and the lock without them and NVIDIA's."""
    torch, rest = [], []
    for entry in re.split(r"\n(?=\S)", lock):
        name, _, version = entry.partition(" ")[0].partition("==")
        if name in TORCH:
            torch.append(f"{name}=={version}")
        elif not name.startswith(NVIDIA):
            rest.append(entry)
    return torch, "\n".join(rest)


if __name__ == "__main__":
    main()
