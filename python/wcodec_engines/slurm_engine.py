"""Slurm as the scheduler, through submitit: array jobs of work units over a file system that all nodes share.

A job runs its units one after the other and writes a fragment each. A job that fails, is preempted or reaches its time
is submitted again with the units that have no finished fragment; what a fragment has is not run twice.
"""

from __future__ import annotations

import subprocess
import time
from pathlib import Path
from typing import Any

from wcodec_engines.protocol import Answers, Job, OptionError, Unit, read_options, whole_number

WHAT = __doc__ or ""
OPTIONS = {
    "cluster": ("slurm", "slurm, or local: processes of this machine, to try things out"),
    "partition": ("", "Slurm partition"),
    "account": ("", "Slurm account"),
    "jobs": ("1000", "jobs at a time"),
    "job_seconds": ("1800", "estimated work a job gets"),
    "time_min": ("240", "time limit of a job, in minutes"),
    "mem_gb": ("0", "memory of a job in GB; 0 asks for what its largest unit is estimated to take, and 2 GB"),
    "retries": ("3", "times that units of a failed job are submitted again"),
    "poll": ("5", "seconds between looks at the jobs"),
}


def run_units(lines: list[str], names: list[str], command: list[str], folder: str) -> list[str]:
    """Runs units here, one after the other; '' for each that was run, else why it could not be."""
    reasons = []
    for line, name in zip(lines, names, strict=True):
        partial = Path(folder) / f"{name}.partial"
        done = subprocess.run(
            [*command, "--out", str(partial)], input=line, text=True, capture_output=True, check=False
        )
        if done.returncode in (0, 1):
            partial.replace(partial.with_suffix(".fragment"))
            reasons.append("")
        else:
            reasons.append(done.stderr.strip().removeprefix("wcodec: error: ") or f"exit status {done.returncode}")
    return reasons


def batches(units: list[Unit], seconds: float) -> list[list[Unit]]:
    """Units for one job each: neighbours by file, about `seconds` of work; a timing is a job of its own."""
    out: list[list[Unit]] = []
    filled = 0.0
    for unit in sorted(units, key=lambda unit: (unit.timed, unit.shard)):
        joins = out and not unit.timed and filled + unit.seconds <= seconds and out[-1][0].shard == unit.shard
        if joins:
            out[-1].append(unit)
            filled += unit.seconds
        else:
            out.append([unit])
            filled = unit.seconds
    return out


class _Jobs:
    def __init__(self, executor: Any, job: Job, answers: Answers, retries: int, poll: float) -> None:
        self._executor = executor
        self._job = job
        self._answers = answers
        self._retries = retries
        self._poll = poll

    def run(self, work: list[list[Unit]]) -> None:
        tries: dict[str, int] = {}
        while work:
            running = self._submit(work)
            work = []
            while running:
                time.sleep(self._poll)
                for submitted, units in list(running):
                    if not submitted.done():
                        continue
                    running.remove((submitted, units))
                    if left := self._collect(submitted, units, tries):
                        work.append(left)

    def _submit(self, work: list[list[Unit]]) -> list[tuple[Any, list[Unit]]]:
        with self._executor.batch():
            jobs = [
                self._executor.submit(
                    run_units,
                    [unit.line for unit in units],
                    [unit.name for unit in units],
                    self._job.cell_command,
                    self._job.fragments,
                )
                for units in work
            ]
        return list(zip(jobs, work, strict=True))

    def _collect(self, submitted: Any, units: list[Unit], tries: dict[str, int]) -> list[Unit]:
        """Tells the driver of a job that has ended; the units to submit again."""
        error = submitted.exception()
        reasons = submitted.result() if error is None else [None] * len(units)
        left = []
        for unit, reason in zip(units, reasons, strict=True):
            path = Path(self._job.fragments) / f"{unit.name}.fragment"
            if path.exists():
                self._answers.over(unit, str(path))
            elif reason:
                self._answers.lost(unit, reason)
            else:
                tries[unit.name] = tries.get(unit.name, 0) + 1
                if tries[unit.name] > self._retries:
                    self._answers.lost(unit, f"its job failed {tries[unit.name]} times: {_first_line(error)}")
                else:
                    left.append(unit)
        if left:
            self._answers.said(f"a job failed ({_first_line(error)}); {len(left)} of its units are submitted again")
        return left


def _first_line(error: BaseException | None) -> str:
    lines = str(error).strip().splitlines()
    return lines[0] if lines else "no reason given"


def run(job: Job, answers: Answers) -> None:
    options = read_options(job.options, OPTIONS)
    if options["cluster"] not in ("slurm", "local"):
        raise OptionError(f"cluster={options['cluster']}: slurm or local is wanted")
    seconds = whole_number(options, "job_seconds", 1, 10**6)
    retries = whole_number(options, "retries", 0, 1000)
    poll = whole_number(options, "poll", 0, 3600)
    limits = {key: whole_number(options, key, low, 10**6) for key, low in (("jobs", 1), ("time_min", 1), ("mem_gb", 0))}
    if not job.units:
        return
    import submitit

    for timed in (False, True):
        units = [unit for unit in job.units if unit.timed is timed]
        if not units:
            continue
        executor = submitit.AutoExecutor(folder=str(Path(job.fragments) / "slurm"), cluster=options["cluster"])
        memory = limits["mem_gb"] or max(unit.memory_bytes for unit in units) / 1e9 + 2
        parameters: dict[str, Any] = {"timeout_min": limits["time_min"], "mem_gb": memory, "cpus_per_task": 1}
        if options["cluster"] == "slurm":
            # Timings want a node for themselves.
            parameters |= {"slurm_array_parallelism": limits["jobs"], "slurm_exclusive": True if timed else None}
            parameters |= {f"slurm_{key}": options[key] for key in ("partition", "account") if options[key]}
            parameters = {key: value for key, value in parameters.items() if value is not None}
        executor.update_parameters(**parameters)
        # One after the other where nothing keeps them apart.
        work = batches(units, seconds)
        jobs = _Jobs(executor, job, answers, retries, max(poll, 0.1))
        if timed and options["cluster"] == "local":
            for units_of_a_job in work:
                jobs.run([units_of_a_job])
        else:
            jobs.run(work)
