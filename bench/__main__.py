"""Run the benchmarks and compare them with their targets: python -m bench [NAME]."""

from __future__ import annotations

import argparse
import importlib
import os
import signal
import sys

NAMES = (
    "throughput",
    "latency",
    "waiting",
    "memory",
    "startup",
    "start",
    "database",
    "nodes",
    "separation",
    "hour",
    "align",
    "words",
    "stock",
    "clips",
    "fair",
)
IDLE_LOAD = 0.5


def main() -> int:
    """Print every figure.

    Return 1 when one misses its target, else 0.
    """
    arguments = _arguments()
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(128 + signal.SIGTERM))  # as an exception, so that cleanup runs
    load = os.getloadavg()[0]
    if load > IDLE_LOAD:
        print(f"bench: the load is {load:.1f}; figures are valid on an idle machine only", file=sys.stderr)
    missed = 0
    for name in [arguments.name] if arguments.name else NAMES:
        print(f"{name}:", flush=True)
        for figure in importlib.import_module(f"bench.{name}").measure(arguments.quick):
            print(f"  {figure}", flush=True)
            missed += not figure.kept
    return 1 if missed else 0


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser("python -m bench", description="Figures of bench/README.md, on an idle machine.")
    parser.add_argument("name", nargs="?", choices=NAMES, help="run only this one (default: all)")
    parser.add_argument(
        "--quick", action="store_true", help="run a few rounds, to see that it works; the figures are not valid"
    )
    return parser.parse_args()


if __name__ == "__main__":
    try:
        sys.exit(main())
    except KeyboardInterrupt:
        sys.exit(128 + signal.SIGINT)
