"""Checks that this environment holds the pinned packages read from standard input and that the large ones load."""

import importlib
import sys
from importlib import metadata

LOADED = {"numpy": "numpy", "pyarrow": "pyarrow.parquet", "matplotlib": "matplotlib.figure"}


def main() -> int:
    pins = dict(line.strip().split("==") for line in sys.stdin if line.strip())
    wrong = []
    for name, wanted in pins.items():
        try:
            found = metadata.version(name)
        except metadata.PackageNotFoundError:
            found = "nothing"
        if found != wanted:
            wrong.append(f"{name}: {wanted} is wanted, {found} is installed")
    if not wrong:
        for name, module in LOADED.items():
            if name in pins:
                try:
                    importlib.import_module(module)
                except Exception as error:  # whatever a broken wheel raises
                    wrong.append(f"{name} does not load: {error}")
    print("\n".join(wrong) or "all pinned packages are there")
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
