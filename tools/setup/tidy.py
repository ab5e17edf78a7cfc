"""Runs clang-tidy over the stages' sources (tests and benchmarks excepted) and over the headers they include.

tidy.py --build DIR --jobs N [FILE...]     FILE: only these, as paths in the source tree

A file that passed is checked again only once it, a header of ours that it includes, its flags, .clang-tidy or
clang-tidy itself changes: passes are remembered by hash in ${XDG_CACHE_HOME:-~/.cache}/wcodec/tidy, for every checkout
of this user.
"""

import argparse
import hashlib
import json
import os
import shlex
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
LEFT_OUT = ("tests", "bench", ".venv")
MEMORY = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "wcodec" / "tidy"
# The compile commands are g++'s, and its warnings are not clang's.
COMMAND = ["clang-tidy", "--quiet", "--extra-arg=-w", "--extra-arg=-Wno-unknown-warning-option"]


def headers_of(build: Path) -> dict[str, list[Path]]:
    """Our headers behind each object file, as ninja learned them from the compiler."""
    listing = subprocess.run(["ninja", "-C", build, "-t", "deps"], capture_output=True, text=True, check=True).stdout
    found: dict[str, list[Path]] = {}
    current = ""
    for line in listing.splitlines():
        if line.startswith("    "):
            path = (build / line.strip()).resolve()
            if path.is_relative_to(ROOT) and path.is_file():
                found[current].append(path)
        elif line:
            current = line.split(":")[0]
            found[current] = []
    return found


def object_of(command: str) -> str:
    words = shlex.split(command)
    return words[words.index("-o") + 1] if "-o" in words else ""


def checked(file: Path, wanted: set[Path]) -> bool:
    if wanted:
        return file in wanted
    return file.is_relative_to(ROOT) and file.relative_to(ROOT).parts[0] not in LEFT_OUT and file.suffix == ".cpp"


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--build", type=Path, default=ROOT / "build")
    parser.add_argument("--jobs", type=int, default=os.cpu_count())
    parser.add_argument("files", nargs="*", type=Path)
    arguments = parser.parse_args()
    build = arguments.build.resolve()
    wanted = {file.resolve() for file in arguments.files}
    version = subprocess.run(["clang-tidy", "--version"], capture_output=True, check=True).stdout
    common = version + repr(COMMAND).encode() + (ROOT / ".clang-tidy").read_bytes()
    headers = headers_of(build)
    every_header = sorted(ROOT.glob("[a-z]*/**/*.hpp"))  # for what is not built yet

    work: dict[str, Path] = {}
    for entry in json.loads((build / "compile_commands.json").read_text()):
        file = Path(entry["file"]).resolve()
        if not checked(file, wanted) or file in work.values():
            continue
        reached = headers.get(object_of(entry["command"]), every_header)
        parts = [f"{path.relative_to(ROOT)}\0".encode() + path.read_bytes() for path in (file, *reached)]
        flags = entry["command"].replace(str(ROOT), ".").encode()
        work[hashlib.sha256(b"\0".join([common, flags, *parts])).hexdigest()] = file

    def check(key: str) -> bool:
        name = work[key].relative_to(ROOT)
        begun = time.monotonic()
        run = subprocess.run([*COMMAND, "-p", build, work[key]], capture_output=True, text=True)
        print(f"{name}: {'ok' if run.returncode == 0 else 'FAILED'}, {time.monotonic() - begun:.1f} s", flush=True)
        if run.returncode == 0:
            MEMORY.mkdir(parents=True, exist_ok=True)
            (MEMORY / key).touch()
        else:
            print(run.stdout or run.stderr, flush=True)
        return run.returncode == 0

    fresh = [key for key in work if not (MEMORY / key).exists()]
    with ThreadPoolExecutor(arguments.jobs) as pool:
        passed = list(pool.map(check, fresh))
    print(f"{len(work)} files, {len(fresh)} checked now, {passed.count(False)} failed")
    return 0 if all(passed) else 1


if __name__ == "__main__":
    sys.exit(main())
