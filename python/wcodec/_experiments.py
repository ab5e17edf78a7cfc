"""Experiments: the `wcodec run` command and its results."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import sysconfig
import tempfile
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path as FilePath
from typing import Any

from wcodec._checkpoints import Path
from wcodec._errors import WcodecError

_SCHEMES = ("pip:", "hf:", "synthetic:")


def command() -> str:
    """Path of the `wcodec` command: WCODEC_COMMAND, else the one that came with this package, else that of PATH."""
    package = FilePath(__file__).parent
    candidates = [
        os.environ.get("WCODEC_COMMAND"),
        package.parents[1] / "wcodec",  # a build folder
        package.parent / "bin" / "wcodec",  # pip install --target
        FilePath(sysconfig.get_path("scripts")) / "wcodec",
        shutil.which("wcodec"),
    ]
    for candidate in candidates:
        if candidate and os.access(candidate, os.X_OK) and FilePath(candidate).is_file():
            return str(candidate)
    raise WcodecError("the wcodec command was not found; set WCODEC_COMMAND to it", "not found")


def _frame(path: FilePath) -> Any:
    """A CSV file as a pandas frame, or a pyarrow table where there is no pandas."""
    if not path.exists():
        raise WcodecError(f"{path}: the experiment has written no such file", "not found", str(path))
    try:
        import pandas
    except ImportError:
        pass
    else:
        return pandas.read_csv(path)
    try:
        from pyarrow import csv
    except ImportError:
        raise WcodecError("data frames need the package pandas or pyarrow", "not found") from None
    return csv.read_csv(path)


@dataclass(frozen=True)
class Run:
    """What an experiment found. Frames are of pandas, or pyarrow tables where there is no pandas."""

    folder: FilePath  # with every file that results/README.md describes
    headline: list[str]  # the verdict in sentences
    cells: int
    failed: int
    notes: list[str] = field(default_factory=list)  # what went wrong in the functions of a trial

    @cached_property
    def summary(self) -> Any:
        """A row for each cell: sizes, entropies, the ledger."""
        return self.frame("summary")

    @cached_property
    def verdicts(self) -> Any:
        """A row for each comparison, with its interval."""
        return self.frame("verdicts")

    def frame(self, name: str) -> Any:
        """Any of the folder's CSV files: "timings", "failures"."""
        return _frame(self.folder / f"{name}.csv")


def _config_file(config: Path | Mapping[str, Any], folder: FilePath) -> str:
    """The path of an experiment file; a mapping is written to `folder` first."""
    if not isinstance(config, Mapping):
        return os.fspath(config)
    written = json.loads(json.dumps(config))
    for checkpoint in written.get("checkpoints", []):
        path = str(checkpoint.get("path", ""))
        if path and "${" not in path and not path.startswith(_SCHEMES):
            checkpoint["path"] = os.path.abspath(path)  # noqa: PTH100 (a path that need not exist)
    file = folder / "experiment.yaml"
    file.write_text(json.dumps(written))  # JSON is YAML
    return str(file)


def run_command(
    config_file: str, arguments: Iterable[str], environment: Mapping[str, str], notes: list[str] | None = None
) -> Run:
    words = [command(), "run", config_file, "--json", *arguments]
    variables = {"WCODEC_PYTHON": sys.executable} | dict(os.environ) | dict(environment)
    done = subprocess.run(words, capture_output=True, text=True, stdin=subprocess.DEVNULL, env=variables, check=False)
    if done.returncode not in (0, 1):
        said = [line for line in done.stderr.splitlines() if line.startswith("wcodec: error: ")]
        message = said[-1].removeprefix("wcodec: error: ") if said else done.stderr.strip() or "wcodec run failed"
        kind = "cancelled" if done.returncode == 130 else "config"
        raise WcodecError(message, kind, config_file if message.startswith(config_file) else "")
    outcome = json.loads(done.stdout)
    return Run(
        FilePath(outcome["folder"]), list(outcome["headline"]), outcome["cells"],
        outcome["failed"] + outcome["timings_failed"], list(notes or []),
    )  # fmt: skip


def run_arguments(
    out: Path | None, threads: int | None, overrides: Mapping[str, str], plugins: Iterable[Path], report: bool
) -> list[str]:
    words = [] if out is None else ["--out", os.fspath(out)]
    if threads is not None:
        words += ["--threads", str(threads)]
    for key, value in overrides.items():
        words += ["--set", f"{key}={value}"]
    for plugin in plugins:
        words += ["--plugin", os.fspath(plugin)]
    return words if report else [*words, "--no-report"]


def run(
    config: Path | Mapping[str, Any],
    out: Path | None = None,
    *,
    threads: int | None = None,
    overrides: Mapping[str, str] | None = None,
    plugins: Iterable[Path] = (),
    report: bool = False,
) -> Run:
    """Runs an experiment, or what is left of it: run("config.yaml").summary is a data frame.

    config     a YAML file, or the same as a mapping
    out        folder for results, "results/NAME" unless told otherwise
    overrides  YAML values to lay over keys of the config, {"limits.timeout_s": "60"}
    plugins    shared libraries with further stages
    report     also make plots and report.html

    Cells that fail are counted and listed in the frame "failures"; what is wrong with the config is a WcodecError.
    """
    with tempfile.TemporaryDirectory(prefix="wcodec-") as folder:
        file = _config_file(config, FilePath(folder))
        return run_command(file, run_arguments(out, threads, overrides or {}, plugins, report), {})
