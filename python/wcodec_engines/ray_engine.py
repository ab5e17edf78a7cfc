"""Ray Core as the scheduler: one task a work unit, each in a process of its own on the node that reads its file.

Crash isolation, time and memory limits of a cell are those of `wcodec cell`; a task whose node or worker dies is run
again, here or elsewhere. Nodes may come and go. Fragments travel as return values, so no file system need be shared,
only the checkpoints must be readable under the same address everywhere.
"""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

from wcodec_engines.protocol import Answers, Job, OptionError, Unit, output_to, read_options, whole_number
from wcodec_engines.shards import Shards

WHAT = __doc__ or ""
OPTIONS = {
    "address": ("", "of the cluster; 'auto' finds the one of this machine; empty starts one here"),
    "workers": ("0", "units at a time on a node; 0 is one a CPU that the node offers"),
    "retries": ("5", "times that a unit is tried again after its node or process died"),
    "timing_resource": ("wcodec_timing", "custom resource, 1 a node, held by a timing that has its node for itself"),
    "wait": ("60", "seconds to wait for a node while the cluster has none"),
}
_REFRESH = 2.0  # seconds between looks at which nodes there are


def run_on_node(line: str, command: list[str]) -> tuple[bytes, str]:
    """Runs a unit where this is called. The fragment, and what the command said where it could not run the unit."""
    with tempfile.TemporaryDirectory(prefix="wcodec-cell-") as folder:
        fragment = Path(folder) / "unit.fragment"
        # In a session of its own: the cell's processes die with the pipe, not with a signal to this worker.
        done = subprocess.run(
            [*command, "--out", str(fragment)], input=line, text=True, capture_output=True, check=False
        )
        refused = done.returncode not in (0, 1)
        return fragment.read_bytes() if fragment.exists() else b"", done.stderr.strip() if refused else ""


class _Node:
    def __init__(self, description: dict[str, Any], options: dict[str, str]) -> None:
        resources = description["Resources"]
        self.id: str = description["NodeID"]
        self.cpus = int(resources.get("CPU", 0))
        self.times = resources.get(options["timing_resource"], 0) >= 1
        workers = whole_number(options, "workers", 0, 4096)
        self.slots = workers or self.cpus
        self.running = 0


class _Driver:
    """Keeps every node busy with units of one pass until none is left."""

    def __init__(self, ray: Any, job: Job, answers: Answers, options: dict[str, str]) -> None:
        self._ray = ray
        self._job = job
        self._answers = answers
        self._options = options
        self._retries = whole_number(options, "retries", 0, 1000)
        self._wait = whole_number(options, "wait", 0, 86400)
        self._nodes: dict[str, _Node] = {}
        self._tries: dict[str, int] = {}
        self._looked = self._seen = 0.0
        # Retries are ours: Ray's own would go to a node that does not own the file.
        self._task = ray.remote(max_retries=0)(run_on_node)

    def run(self, units: list[Unit], timed: bool) -> None:
        shards = Shards(units)
        running: dict[Any, tuple[Unit, _Node]] = {}
        self._seen = time.monotonic()
        while shards or running:
            self._refresh(shards, timed)
            for node in self._nodes.values():
                while node.running < (1 if timed else node.slots) and (unit := shards.take(node.id)) is not None:
                    running[self._submit(unit, node, timed)] = (unit, node)
                    node.running += 1
            if not running:
                self._check_nodes(timed)
                time.sleep(0.2)
                continue
            done, _ = self._ray.wait(list(running), num_returns=1, timeout=_REFRESH)
            for reference in done:
                unit, node = running.pop(reference)
                node.running -= 1
                self._collect(reference, unit, shards)

    def _refresh(self, shards: Shards, timed: bool) -> None:
        now = time.monotonic()
        if now - self._looked < _REFRESH:
            return
        self._looked = now
        alive = {}
        for description in self._ray.nodes():
            node = _Node(description, self._options)
            if description["Alive"] and node.cpus and (node.times or not timed):
                alive[node.id] = self._nodes.get(node.id, node)
        for gone in self._nodes.keys() - alive.keys():
            self._answers.said(f"a node with {self._nodes[gone].cpus} CPUs is gone; its units go to others")
            shards.forget(gone)
        for new in alive.keys() - self._nodes.keys():
            self._answers.said(f"a node with {alive[new].cpus} CPUs takes part")
        self._nodes = alive
        if alive:
            self._seen = now

    def _check_nodes(self, timed: bool) -> None:
        if time.monotonic() - self._seen <= self._wait:
            return
        name = self._options["timing_resource"]
        needs = f" with the resource {name}: ray start --resources='{{\"{name}\": 1}}'" if timed else ""
        raise OptionError(f"the cluster has had no node{needs} for {self._wait} s")

    def _submit(self, unit: Unit, node: _Node, timed: bool) -> Any:
        from ray.util.scheduling_strategies import NodeAffinitySchedulingStrategy

        options: dict[str, Any] = {
            "num_cpus": node.cpus if timed else min(1.0, node.cpus / node.slots),
            # Soft: where the node is gone meanwhile, another one takes the unit.
            "scheduling_strategy": NodeAffinitySchedulingStrategy(node.id, soft=not timed),
            "name": f"wcodec {'timing' if timed else 'cells'}",
        }
        if timed:
            options["resources"] = {self._options["timing_resource"]: 1}
        return self._task.options(**options).remote(unit.line, self._job.cell_command)

    def _collect(self, reference: Any, unit: Unit, shards: Shards) -> None:
        try:
            fragment, refused = self._ray.get(reference)
        except self._ray.exceptions.RayError as error:
            tries = self._tries[unit.name] = self._tries.get(unit.name, 0) + 1
            reason = f"{type(error).__name__}: {str(error).strip().splitlines()[0] if str(error).strip() else ''}"
            if tries > self._retries:
                self._answers.lost(unit, f"its node or process died {tries} times ({reason})")
            else:
                self._answers.said(f"a unit is tried again, its node or process died ({reason})")
                self._looked = 0.0
                shards.give_back(unit)
            return
        if refused:
            self._answers.lost(unit, refused.removeprefix("wcodec: error: "))
            return
        self._answers.over(unit, store_fragment(self._job.fragments, unit, fragment))


def store_fragment(folder: str, unit: Unit, content: bytes) -> str:
    """Writes a fragment so that it appears whole or not at all."""
    path = Path(folder) / f"{unit.name}.fragment"
    temporary = path.with_suffix(".tmp")
    with temporary.open("wb") as file:
        file.write(content)
        file.flush()
        os.fsync(file.fileno())
    temporary.replace(path)
    return str(path)


def run(job: Job, answers: Answers) -> None:
    options = read_options(job.options, OPTIONS)
    if job.units:
        with output_to(Path(job.fragments) / "ray.log"):
            _run(job, answers, options)


def _run(job: Job, answers: Answers, options: dict[str, str]) -> None:
    os.environ.setdefault("RAY_ACCEL_ENV_VAR_OVERRIDE_ON_ZERO", "0")
    import ray

    # By value: nodes need Ray and the command, not this package.
    ray.cloudpickle.register_pickle_by_value(sys.modules[__name__])
    ray.init(
        address=options["address"] or "local",
        namespace="wcodec",
        include_dashboard=False,
        log_to_driver=False,
        configure_logging=True,
        logging_level="ERROR",
        # A cluster of this machine alone offers what its timings need.
        **({} if options["address"] else {"resources": {options["timing_resource"]: 1}}),
    )
    try:
        driver = _Driver(ray, job, answers, options)
        driver.run([unit for unit in job.units if not unit.timed], timed=False)
        driver.run([unit for unit in job.units if unit.timed], timed=True)
    finally:
        ray.shutdown()
