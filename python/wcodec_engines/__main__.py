"""`python -m wcodec_engines ray|slurm`: started by `wcodec run --engine`; with --help, what options an engine has."""

from __future__ import annotations

import sys

from wcodec_engines import ray_engine, slurm_engine
from wcodec_engines.protocol import Answers, OptionError, describe, fail, leave_with, read_job

ENGINES = {"ray": ray_engine, "slurm": slurm_engine}


def main(arguments: list[str]) -> int:
    if not arguments or arguments[0] not in ENGINES:
        print("\n".join(describe(name, engine.WHAT, engine.OPTIONS) for name, engine in ENGINES.items()))
        return 0 if arguments[:1] in (["--help"], ["-h"]) else 2
    engine = ENGINES[arguments[0]]
    if len(arguments) > 1:
        print(describe(arguments[0], engine.WHAT, engine.OPTIONS))
        return 0 if arguments[1] in ("--help", "-h") else 2
    job = read_job(sys.stdin)
    leave_with(sys.stdin)
    answers = Answers()
    try:
        engine.run(job, answers)
    except OptionError as error:
        return fail(f"--engine-option: {error}")
    except ModuleNotFoundError as error:
        return fail(f"the engine needs the Python package {error.name}: pip install 'wcodec[{arguments[0]}]'")
    answers.finished()
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
