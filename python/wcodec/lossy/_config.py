"""Configurations of `python -m wcodec.lossy run`: YAML, with errors that name the key."""

from __future__ import annotations

import difflib
import os
from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import Any

from wcodec._errors import WcodecError
from wcodec.lossy._baselines import BASELINES


@dataclass
class CalibrationPlan:
    windows: int = 512  # windows of text that curvatures are taken from
    sampled: int = 512  # windows that the model writes itself
    text: list[str] = field(default_factory=list)  # files, or .bin of tokens, beside the sampled windows
    skip: int = 0  # tokens left out at the beginning of the text: documents that are evaluated
    seed: int = 0
    mixed: bool = True  # curvatures in bf16 arithmetic
    refine_at: float = 1.2e-4  # scale at which kinds are put to the test; 0 leaves curvatures as they are
    refine_windows: int = 32
    damping: float = 0.01


@dataclass
class EvaluationPlan:
    tokens: str = "val.bin"  # beside the model unless absolute
    windows: int = 0  # 0: all
    headline: int = 24  # the increase over the first windows is given too
    separator: int = 0


@dataclass
class PointPlan:
    name: str = ""
    bits: float = 0.0  # wanted bits a weight, or
    scale: float = 0.0  # the scale itself
    feedback: str = "both"
    rate: float = 0.0
    updates: int = 0
    tune_rate: float = 0.02
    pull: float = 0.0


@dataclass
class Plan:
    lossy: str = ""
    model: str = ""
    calibration: CalibrationPlan = field(default_factory=CalibrationPlan)
    evaluation: EvaluationPlan = field(default_factory=EvaluationPlan)
    points: list[PointPlan] = field(default_factory=list)
    baselines: list[str] = field(default_factory=list)


def _fill(kind: type, given: Any, where: str) -> Any:
    if not isinstance(given, Mapping):
        raise WcodecError(f"{where}: a mapping is wanted, not {type(given).__name__}", "config")
    known = {f.name: f for f in fields(kind)}
    out = kind()
    for key, value in given.items():
        if key not in known:
            near = difflib.get_close_matches(str(key), known, 1)
            hint = f"; did you mean '{near[0]}'?" if near else ""
            raise WcodecError(f"{where}: unknown key '{key}'{hint} (known: {', '.join(known)})", "config")
        default = getattr(out, key)
        inner = f"{where}.{key}"
        if isinstance(default, (CalibrationPlan, EvaluationPlan)):
            value = _fill(type(default), value, inner)
        elif isinstance(default, float) and isinstance(value, (int, float, str)) and not isinstance(value, bool):
            try:
                value = float(value)  # YAML 1.1 reads 1e-4 as text
            except ValueError:
                raise WcodecError(f"{inner}: {value!r} is no number", "config") from None
        elif type(value) is not type(default):
            raise WcodecError(f"{inner}: {type(default).__name__} is wanted, not {value!r}", "config")
        setattr(out, key, value)
    return out


def read_plan(path: str | os.PathLike[str]) -> Plan:
    """Throws WcodecError of kind "config" that names file and key."""
    import yaml

    path = Path(path)
    try:
        given = yaml.safe_load(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise WcodecError(f"{path}: no such file", "not found", str(path)) from None
    except yaml.YAMLError as error:
        raise WcodecError(f"{path}: {error}", "config", str(path)) from None
    where = str(path)
    plan = _fill(Plan, given, where)
    plan.points = [_fill(PointPlan, point, f"{where}.points[{i}]") for i, point in enumerate(plan.points)]
    if not plan.lossy or not plan.model:
        raise WcodecError(f"{where}: 'lossy' (a name) and 'model' (a folder) are needed", "config")
    folder = os.environ.get("WCODEC_CHECKPOINTS", "../shared/checkpoints")
    plan.model = plan.model.replace("${WCODEC_CHECKPOINTS}", folder)
    plan.calibration.text = [str(text).replace("${WCODEC_CHECKPOINTS}", folder) for text in plan.calibration.text]
    if plan.calibration.skip < 0:
        raise WcodecError(
            f"{where}.calibration.skip: a number of tokens is wanted, not {plan.calibration.skip}", "config"
        )
    names = [point.name for point in plan.points] + plan.baselines
    for i, point in enumerate(plan.points):
        if not point.name or (point.bits > 0) == (point.scale > 0):
            raise WcodecError(f"{where}.points[{i}]: a name, and either bits or scale, are needed", "config")
    if len(set(names)) != len(names):
        raise WcodecError(f"{where}: two points have one name", "config")
    for name in plan.baselines:
        if name not in BASELINES:
            near = difflib.get_close_matches(name, BASELINES, 1)
            hint = f"; did you mean '{near[0]}'?" if near else ""
            raise WcodecError(f"{where}.baselines: unknown '{name}'{hint} (known: {', '.join(BASELINES)})", "config")
    return plan
