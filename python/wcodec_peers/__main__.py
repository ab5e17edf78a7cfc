"""`python -m wcodec_peers`: one line a peer, its name, package and installed version, if any, between tabs.
`python -m wcodec_peers NAME`: the worker of that peer, started by wcodec (baselines/peer_worker.hpp)."""

from __future__ import annotations

import sys
from importlib import metadata

from wcodec_peers import PACKAGES, worker


def version_of(package: str) -> str:
    try:
        return metadata.version(package)
    except metadata.PackageNotFoundError:
        return ""


def main(arguments: list[str]) -> int:
    if not arguments:
        for name, package in PACKAGES.items():
            print(name, package, version_of(package), sep="\t")
        return 0
    if len(arguments) != 1 or arguments[0] not in PACKAGES:
        print(__doc__, file=sys.stderr)
        return 2
    return worker.serve(arguments[0])


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
