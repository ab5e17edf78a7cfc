"""A configuration's points, one after the other: quantize, encode, decode, evaluate, one row of summary.csv each."""

from __future__ import annotations

import csv
import json
import platform
import time
from collections.abc import Callable, Mapping
from pathlib import Path

import numpy as np
import torch

from wcodec._errors import WcodecError
from wcodec._save import save_file
from wcodec.lossy._baselines import BASELINES
from wcodec.lossy._calibrate import Calibration, calibrate
from wcodec.lossy._config import Plan, PointPlan
from wcodec.lossy._evaluate import Hook, Outcome, evaluate, increase, interval, predictions
from wcodec.lossy._files import restored_values, save
from wcodec.lossy._model import Model
from wcodec.lossy._quantize import quantize
from wcodec.lossy._rate import scale_for_bits
from wcodec.lossy._refine import refine
from wcodec.lossy._tokens import read_tokens, sample_tokens
from wcodec.lossy._tune import tune

COLUMNS = (
    "name", "family", "bytes", "bits_per_weight", "stored_bits", "increase_headline", "increase", "increase_low",
    "increase_high", "perplexity", "agreement", "divergence", "weight_error", "output_error", "scale", "updates",
)  # fmt: skip
Say = Callable[[str], None]


class Sweep:
    """Finished points are in OUT/summary.csv and are not run again; a killed run goes on where it was."""

    def __init__(
        self, plan: Plan, out: Path, device: str = "auto", say: Say = print, hooks: Mapping[str, Hook] | None = None
    ):
        self.plan, self.out, self.say, self.hooks = plan, out, say, hooks or {}
        self.device = device
        self.rows: dict[str, dict[str, str]] = {}
        summary = out / "summary.csv"
        if summary.exists():
            with summary.open(newline="", encoding="utf-8") as file:
                self.rows = {row["name"]: row for row in csv.DictReader(file)}
        self._calibration: Calibration | None = None
        self._tokens: np.ndarray | None = None

    def run(self) -> dict[str, dict[str, str]]:
        self.out.mkdir(parents=True, exist_ok=True)
        wanted = [*self.plan.baselines, *(point.name for point in self.plan.points)]
        if all(name in self.rows for name in wanted):
            self.say("every point is there already")
            return self.rows
        self.model = Model(self.plan.model, self.device)
        evaluation = self.plan.evaluation
        path = Path(evaluation.tokens)
        tokens = read_tokens(self.model, [path if path.is_absolute() else Path(self.plan.model) / path])
        self.held_out = tokens
        self.kept: list[torch.Tensor] = []
        self.original = self._evaluate(None)
        self.say(f"original: perplexity {self.original.perplexity:.5f} over {len(self.original.losses)} windows")
        for name in self.plan.baselines:
            if name not in self.rows:
                self._baseline(name)
        for point in self.plan.points:
            if point.name not in self.rows:
                self._point(point)
        self._provenance()
        return self.rows

    def _evaluate(self, values: Mapping[str, np.ndarray] | None) -> Outcome:
        plan = self.plan.evaluation
        batch = 16 if self.model.device.type == "cuda" else 4
        if values is not None and not self.kept:
            self.kept = predictions(self.model, self.held_out, windows=plan.windows or None, batch=batch)
        return evaluate(
            self.model, values, self.held_out, windows=plan.windows or None, separator=plan.separator, batch=batch,
            compare=self.kept if values is not None else False, hooks=self.hooks,
        )  # fmt: skip

    def tokens(self) -> np.ndarray:
        """Windows of the model's own text and of the user's, by turns, so that any beginning has both."""
        if self._tokens is None:
            plan, length = self.plan.calibration, self.model.context
            parts = []
            if plan.sampled:
                self.say(f"sampling {plan.sampled} windows")
                parts.append(sample_tokens(self.model, plan.sampled, plan.seed).reshape(-1, length))
            if plan.text:
                text = read_tokens(self.model, plan.text)[plan.skip :]
                if len(text) < length:
                    raise WcodecError(
                        f"calibration text: {len(text)} tokens are left after skip, fewer than a window of {length}",
                        "usage",
                    )
                text = text[: len(text) // length * length].reshape(-1, length)
                parts.append(text[np.random.default_rng(plan.seed).permutation(len(text))])
            order = np.argsort(np.concatenate([np.arange(len(part)) for part in parts]), kind="stable")
            self._tokens = np.concatenate(parts)[order].reshape(-1)
        return self._tokens

    def calibration(self) -> Calibration:
        if self._calibration is None:
            plan, length = self.plan.calibration, self.model.context
            tokens = self.tokens()
            self.say(f"calibrating on {min(plan.windows, len(tokens) // length)} windows")
            batch = 16 if self.model.device.type == "cuda" else 2
            found = calibrate(
                self.model, tokens[: plan.windows * length], batch=batch, seed=plan.seed, mixed=plan.mixed
            )
            if plan.refine_at:
                # On the last windows, which curvatures have not seen where there are more than they take.
                refine(
                    self.model, found, tokens[-plan.refine_windows * length :], plan.refine_at,
                    windows=plan.refine_windows, damping=plan.damping,
                    progress=lambda kind, factor: self.say(f"  {kind}: costs {factor:.2f} of what was predicted"),
                )  # fmt: skip
            self._calibration = found
        return self._calibration

    def _point(self, point: PointPlan) -> None:
        begun = time.monotonic()
        options = {"feedback": point.feedback, "rate": point.rate, "damping": self.plan.calibration.damping}
        if point.bits:
            scale, quantized = scale_for_bits(self.model, self.calibration(), point.bits, **options)
        else:
            scale, quantized = point.scale, quantize(self.model, self.calibration(), point.scale, **options)
        if point.updates:
            quantized = tune(
                self.model, quantized, self.tokens(), updates=point.updates, rate=point.tune_rate, pull=point.pull,
                seed=self.plan.calibration.seed,
            )  # fmt: skip
        target = self.out / f"{point.name}.wcodec"
        stats = save(self.model, quantized, target, overwrite=True)
        family = (
            "tuned"
            if point.updates
            else {"both": "feedback", "columns": "feedback-columns"}.get(point.feedback, "rounded")
        )
        # What is evaluated is what the file gives back.
        values = restored_values(target)
        self._finish(point.name, family, stats.encoded_bytes, None, values, scale=scale, updates=point.updates)
        self.say(f"  {time.monotonic() - begun:.0f} s")

    def _baseline(self, name: str) -> None:
        points = {matrix: BASELINES[name](weights) for matrix, weights in self.model.matrices().items()}
        arrays = {matrix: point.words for matrix, point in points.items()}
        arrays |= {f"{matrix}.scales": point.scales for matrix, point in points.items()}
        rest = {key: value.cpu().numpy() for key, value in self.model.original.items() if key not in points}
        from wcodec.lossy._restore import to_bf16

        arrays |= {key: to_bf16(value) for key, value in rest.items()}
        target = self.out / f".{name}.wcodec"
        dtypes = dict.fromkeys(rest, "BF16")
        encoded = save_file(arrays, target, dtypes=dtypes, preset="ratio", overwrite=True).encoded_bytes
        target.unlink()
        stored = sum(p.words.size * p.stored_bits + 8 * p.scales.nbytes for p in points.values())
        stored += 16 * sum(value.size for value in rest.values())
        self._finish(name, name.partition("-")[0], encoded, stored, {m: p.values for m, p in points.items()})

    def _finish(
        self,
        name: str,
        family: str,
        encoded: int,
        stored: float | None,
        values: Mapping[str, np.ndarray],
        **more: float,
    ) -> None:
        outcome = self._evaluate(values)
        low, high = interval(outcome, self.original)
        total = self.model.weight_count()
        row = {
            "name": name,
            "family": family,
            "bytes": encoded,
            "bits_per_weight": f"{8 * encoded / total:.4f}",
            "stored_bits": "" if stored is None else f"{stored / total:.4f}",
            "increase_headline": f"{increase(outcome, self.original, self.plan.evaluation.headline):.4f}",
            "increase": f"{increase(outcome, self.original):.4f}",
            "increase_low": f"{low:.4f}",
            "increase_high": f"{high:.4f}",
            "perplexity": f"{outcome.perplexity:.6f}",
            "agreement": f"{outcome.agreement:.5f}",
            "divergence": f"{outcome.divergence:.6f}",
            "weight_error": f"{self._weight_error(values):.6g}",
            "output_error": f"{self._output_error(values):.6g}" if self._calibration else "",
            "scale": f"{more.get('scale', 0):.6g}" if more.get("scale") else "",
            "updates": more.get("updates", "") or "",
        }
        self.rows[name] = {key: str(row[key]) for key in COLUMNS}
        self._write()
        if outcome.extra:
            self.say("  " + ", ".join(f"{key} {value:.5f}" for key, value in outcome.extra.items()))
        self.say(
            f"{name}: {row['bits_per_weight']} bits a weight, perplexity +{row['increase_headline']} % on the first "
            f"{self.plan.evaluation.headline} windows, +{row['increase']} % "
            f"[{row['increase_low']}, {row['increase_high']}] on all"
        )

    def _weight_error(self, values: Mapping[str, np.ndarray]) -> float:
        """Squared error over squared weights, of all matrices together."""
        error = size = 0.0
        for name, weights in self.model.matrices().items():
            error += float(np.square(values[name].astype(np.float64) - weights).sum())
            size += float(np.square(weights.astype(np.float64)).sum())
        return error / size

    def _output_error(self, values: Mapping[str, np.ndarray]) -> float:
        """Mean over linear layers of the squared error of their outputs over the squared outputs, by second moments of
        their inputs."""
        found = []
        layers = self.model.layers()
        for name, weights in self.model.matrices().items():
            if not isinstance(layers[name], torch.nn.Linear):
                continue
            moments = self._calibration.worth[name].columns
            both = torch.as_tensor(np.stack([values[name] - weights, weights]), device=moments.device).double()
            error, size = ((both[i] @ moments) * both[i] for i in range(2))
            found.append(float(error.sum() / size.sum()))
        return float(np.mean(found))

    def _write(self) -> None:
        scratch = self.out / ".summary.csv.tmp"
        with scratch.open("w", newline="", encoding="utf-8") as file:
            writer = csv.DictWriter(file, COLUMNS, lineterminator="\n")
            writer.writeheader()
            writer.writerows(self.rows.values())
        scratch.replace(self.out / "summary.csv")

    def _provenance(self) -> None:
        import hashlib

        import transformers

        source = Path(self.plan.model) / "model.safetensors"
        digest = hashlib.sha256(source.read_bytes()).hexdigest() if source.is_file() else ""
        device = torch.cuda.get_device_name() if self.model.device.type == "cuda" else platform.processor() or "CPU"
        provenance = {
            "checkpoint_sha256": digest,
            "device": device,
            "original_perplexity": self.original.perplexity,
            "windows": len(self.original.losses),
            "documents": len(self.original.documents),
            "calibration_factors": {} if self._calibration is None else self._calibration.factors,
            "versions": {"torch": torch.__version__, "transformers": transformers.__version__, "numpy": np.__version__},
        }
        text = json.dumps(provenance, indent=1, sort_keys=True) + "\n"
        (self.out / "provenance.json").write_text(text, encoding="utf-8")
