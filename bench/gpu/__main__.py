"""Run the measurements: python -m bench.gpu [--device cpu] [--quick] [PART]."""

from __future__ import annotations

import argparse
import importlib
import logging
import sys
import time

from bench.figures import Figure
from bench.gpu.absent import replace_absent

PARTS = ("decoder", "alignment", "faults", "sharing")
LAST_START_SECONDS = 360.0  # a part that begins later might not end within eight minutes

log = logging.getLogger(__name__)


def main() -> int:
    """Print every figure.

    Return 1 when one misses its target, or a part fails; the other parts go on.
    """
    arguments = _arguments()
    import torch

    importlib.import_module("transformers.models.wav2vec2.modeling_wav2vec2")  # first, as it asks what is installed
    absent = replace_absent()

    where = torch.cuda.get_device_name(0) if arguments.device == "cuda" else f"CPU, {torch.get_num_threads()} threads"
    print(f"Python {sys.version.split()[0]}, torch {torch.__version__}, {where}")
    print(f"not installed: {', '.join(absent) or 'nothing'}")
    began, failed = time.monotonic(), 0
    for part in [arguments.part] if arguments.part else PARTS:
        print(f"{part}:", flush=True)
        if time.monotonic() - began > LAST_START_SECONDS:
            print("  skipped: no time is left")
            failed += 1
            continue
        try:
            for line in importlib.import_module(f"bench.gpu.{part}").measure(arguments.device, arguments.quick):
                print(f"  {line}", flush=True)
                failed += isinstance(line, Figure) and not line.kept
        except Exception:
            log.exception("%s failed", part)
            failed += 1
        print(f"  {time.monotonic() - began:.0f} s so far", flush=True)
    return 1 if failed else 0


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser("python -m bench.gpu", description="Measurements on a GPU; see bench/README.md.")
    parser.add_argument("part", nargs="?", choices=PARTS, help="run only this one (default: all)")
    parser.add_argument("--device", choices=("cuda", "cpu"), default="cuda")
    parser.add_argument("--quick", action="store_true", help="small sizes, to see that it works")
    return parser.parse_args()


if __name__ == "__main__":
    logging.basicConfig(stream=sys.stdout)
    sys.exit(main())
