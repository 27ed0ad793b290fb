"""Every benchmark, or those named: `python benchmarks [burst body …] [--rounds R] [--json FILE]`."""

from __future__ import annotations

import argparse
import json
from importlib import import_module
from pathlib import Path

import peers

NAMES = tuple(sorted(path.stem.removeprefix("bench_") for path in Path(__file__).parent.glob("bench_*.py")))


def main() -> None:
    parser = argparse.ArgumentParser(prog="python benchmarks", description=__doc__)
    parser.add_argument("names", nargs="*", metavar="NAME", help=f"of {', '.join(NAMES)} (default: all)")
    parser.add_argument("--rounds", type=int, help="interleaved rounds (default: each benchmark's own)")
    parser.add_argument("--json", type=Path, metavar="FILE", help="also write every round to FILE")
    parser.add_argument("--quiet", action="store_true", help="no line for each round")
    parser.add_argument("--install", action="store_true", help="only install the peers")
    options = parser.parse_args()
    unknown = [name for name in options.names if name not in NAMES]
    if unknown:
        parser.error(f"there is no benchmark {', '.join(unknown)}; there are {', '.join(NAMES)}")
    peers.install()
    if options.install:
        return
    passed_on = ["--quiet"] if options.quiet else []
    if options.rounds:
        passed_on += ["--rounds", str(options.rounds)]
    documents = []
    for name in options.names or NAMES:
        documents += import_module(f"bench_{name}").main(passed_on)
    if options.json:
        options.json.write_text(json.dumps(documents, indent=2) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
