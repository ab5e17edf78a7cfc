#!/usr/bin/env python3
"""The hash of the GPU kernels' sources: every .cu and .cuh of the stages, and the headers of ours that they include.

    tools/kernels_hash.py                  prints it
    tools/kernels_hash.py --header FILE    writes it as a C++ constant, where FILE does not have it yet
    tools/kernels_hash.py --list           the files that it covers
    tools/kernels_hash.py --folder NAME    of the kernels in one folder only, and what they include

Results measured on a GPU carry it under the key "kernels", and a test holds it against the tree: results of other
kernels are no longer results. Comments and white space do not count. Kernels of products have a hash of their own
(--folder products), because results of theirs (results/products) depend on no others.
"""

import argparse
import hashlib
import re
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
OUTSIDE = {"tests", "bench", "examples", "results", "checkpoints"}  # what measures or uses kernels is none itself
INCLUDE = re.compile(r'^[ \t]*#[ \t]*include[ \t]*"([^"\n]+)"', re.MULTILINE)
# A literal is kept as it stands, so that what looks like a comment in one is none.
TOKEN = re.compile(r'"(?:\\.|[^"\\\n])*"' + r"|'(?:\\.|[^'\\\n])*'" + r"|//[^\n]*|/\*.*?\*/|\s+", re.DOTALL)
HEADER = """// Written by tools/kernels_hash.py: of the GPU kernels that this build has.
#pragma once

namespace wcodec {{

inline constexpr const char* kKernelsHash = "{hash}";
inline constexpr const char* kProductKernelsHash = "{products}";

}}  // namespace wcodec
"""


def kernels(root: Path, only: str = "") -> list[Path]:
    """Sources of kernels, relative to the root; with `only`, those of one folder."""
    found = []
    for folder in sorted(path for path in root.iterdir() if path.is_dir()):
        if folder.name in OUTSIDE or folder.name.startswith((".", "build")) or only not in ("", folder.name):
            continue
        found += [path.relative_to(root) for path in folder.rglob("*") if path.suffix in (".cu", ".cuh")]
    return sorted(found)


def covered(root: Path, only: str = "") -> list[Path]:
    """The kernels, and what they include of this tree, directly or not."""
    reached: set[Path] = set()
    todo = kernels(root, only)
    while todo:
        path = todo.pop()
        if path in reached or not (root / path).is_file():
            continue
        reached.add(path)
        todo += [Path(name) for name in INCLUDE.findall((root / path).read_text(encoding="utf-8"))]
    return sorted(reached)


def meaning(source: str) -> str:
    """The source without comments, runs of white space as one space."""
    return re.sub(r" +", " ", TOKEN.sub(lambda m: m[0] if m[0][0] in "\"'" else " ", source)).strip()


def kernels_hash(root: Path = ROOT, only: str = "") -> str:
    digest = hashlib.sha256()
    for path in covered(root, only):
        text = meaning((root / path).read_text(encoding="utf-8"))
        digest.update(f"{path.as_posix()}\0{text}\0".encode())
    return digest.hexdigest()[:32]


def main() -> int:
    parser = argparse.ArgumentParser(
        description=__doc__.partition("\n")[0], epilog="Comments and white space in the sources do not count."
    )
    parser.add_argument("--header", type=Path, metavar="FILE", help="write the hash as a C++ constant")
    parser.add_argument("--list", action="store_true", help="print the files that the hash covers")
    parser.add_argument("--folder", default="", metavar="NAME", help="only the kernels of this folder: products")
    arguments = parser.parse_args()
    if arguments.list:
        print("\n".join(path.as_posix() for path in covered(ROOT, arguments.folder)))
    elif arguments.header is not None:
        text = HEADER.format(hash=kernels_hash(), products=kernels_hash(only="products"))
        if not arguments.header.exists() or arguments.header.read_text(encoding="utf-8") != text:
            arguments.header.parent.mkdir(parents=True, exist_ok=True)
            arguments.header.write_text(text, encoding="utf-8")
    else:
        print(kernels_hash(only=arguments.folder))
    return 0


if __name__ == "__main__":
    sys.exit(main())
