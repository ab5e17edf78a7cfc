"""Counts tests in JUnit files (ctest's and pytest's).

tally.py FILE...                 prints "N passed, M failed, K skipped"
tally.py --close DIR STATUS      what .ci/run ends with: lists failures and skips of all files in DIR, then the counts
                                 alone on a line; exits 1 if a test failed, none ran, one was skipped without leave,
                                 or STATUS is not 0
"""

import re
import sys
import xml.etree.ElementTree as ElementTree
from pathlib import Path

# What a machine may lack, and what the source itself turns off. Any other skip hides a test, and fails continuous
# integration.
MAY_BE_MISSING = re.compile(r"\b(gpu|cuda|nvcc|nvcomp|torch|vllm|peers|checkpoints|disabled)\b", re.IGNORECASE)


class Tally:
    def __init__(self) -> None:
        self.passed = 0
        self.failed: list[str] = []
        self.skipped: list[tuple[str, str]] = []

    def read(self, path: Path) -> None:
        try:
            root = ElementTree.parse(path).getroot()
        except (OSError, ElementTree.ParseError) as error:
            self.failed.append(f"{path.name} is unreadable: {error}")
            return
        for case in root.iter("testcase"):
            words = dict.fromkeys(filter(None, (case.get("classname"), case.get("name"))))  # ctest says them twice
            name = f"{path.stem}: {'.'.join(words)}"
            status = case.get("status", "")
            skip = case.find("skipped")
            if case.find("failure") is not None or case.find("error") is not None or status == "fail":
                self.failed.append(name)
            elif skip is not None or status in ("notrun", "disabled"):
                self.skipped.append((name, reason(case, skip)))
            else:
                self.passed += 1

    def __str__(self) -> str:
        line = f"{self.passed} passed, {len(self.failed)} failed"
        return line + (f", {len(self.skipped)} skipped" if self.skipped else "")


def reason(case: ElementTree.Element, skip: ElementTree.Element | None) -> str:
    """The words a test gave for its skip; GoogleTest prints them in its output, on the line after file and number."""
    said = ((skip.get("message") or "") + " " + (skip.text or "")) if skip is not None else case.get("status", "")
    output = case.findtext("system-out") or ""
    found = re.search(r": Skipped\n(.*)", output)
    return (found.group(1) if found else said).strip()


def close(folder: Path, status: int) -> int:
    tally = Tally()
    for path in sorted(folder.glob("*.xml")):
        tally.read(path)
    for name in tally.failed:
        print(f"failed: {name}")
    hidden = 0
    for name, why in tally.skipped:
        allowed = bool(MAY_BE_MISSING.search(why))
        hidden += not allowed
        print(f"skipped{'' if allowed else ' WITHOUT LEAVE'}: {name}: {why}")
    if hidden:
        tally.failed.append("skips without leave")
    if not tally.passed and not tally.failed:
        tally.failed.append("no test ran")
    if status and not tally.failed:
        tally.failed.append("a step that is not a test")
    print(tally)
    return 1 if tally.failed else 0


def main(arguments: list[str]) -> int:
    if len(arguments) == 3 and arguments[0] == "--close":
        return close(Path(arguments[1]), int(arguments[2]))
    if not arguments or arguments[0].startswith("-"):
        print(__doc__, file=sys.stderr)
        return 2
    tally = Tally()
    for name in arguments:
        if Path(name).exists():
            tally.read(Path(name))
    print(tally)
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
