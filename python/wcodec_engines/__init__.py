"""Engines: adapters that let an existing scheduler (Ray, Slurm) run the work units of an experiment.

`wcodec run CONFIG --engine ray` starts `python -m wcodec_engines ray` and speaks with it as
experiments/engine.hpp says.
An adapter only schedules: what a cell is, how it is run and what becomes of a failure is `wcodec cell`'s business.
"""
