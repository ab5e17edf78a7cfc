"""python -m wcodec.lossy: quantize, evaluate, restore and run, with exit status 0, or 2 for wrong input."""

from __future__ import annotations

import argparse
import importlib
import json
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

from wcodec._errors import WcodecError

EPILOG = """examples:
  python -m wcodec.lossy quantize llama/ llama.wcodec --bits 3 --updates 300
  python -m wcodec.lossy evaluate llama/ llama.wcodec --tokens llama/val.bin
  python -m wcodec.lossy restore llama.wcodec restored.safetensors
  python -m wcodec.lossy run configs/lossy/pylm-llama-44m.yaml"""


def _parser() -> argparse.ArgumentParser:
    raw = argparse.RawDescriptionHelpFormatter
    parser = argparse.ArgumentParser(
        prog="python -m wcodec.lossy", formatter_class=raw, epilog=EPILOG,
        description="Lossy compression of causal language models (docs/lossy.md).",
    )  # fmt: skip
    commands = parser.add_subparsers(dest="command", required=True)

    def add(name: str, text: str) -> argparse.ArgumentParser:
        command = commands.add_parser(name, help=text, description=text, formatter_class=raw)
        command.add_argument("--json", action="store_true", help="print one JSON object on standard output")
        command.add_argument("-q", "--quiet", action="store_true", help="no progress on standard error")
        return command

    def add_model(command: argparse.ArgumentParser) -> None:
        command.add_argument("model", metavar="MODEL", help="a Hugging Face folder of a causal language model")
        command.add_argument("--device", default="auto", help="cpu, cuda, or auto (default): a GPU where there is one")

    command = add("quantize", "Write a model as a lossy container")
    add_model(command)
    command.add_argument("output", metavar="OUT", help="the .wcodec file to write")
    rate = command.add_mutually_exclusive_group(required=True)
    rate.add_argument("--bits", type=float, help="bits a weight to aim at, everything counted (before tuning)")
    rate.add_argument("--scale", type=float, help="steps themselves: 5e-5 … 2e-4 is about 4.5 … 2.5 bits")
    command.add_argument(
        "--text", nargs="+", default=[], metavar="FILE", help="calibration text, or .bin of uint16 tokens"
    )
    command.add_argument(
        "--skip", type=int, default=0, metavar="N", help="tokens of the text to leave out at its beginning (0)"
    )
    command.add_argument(
        "--sampled", type=int, metavar="N", help="windows the model writes itself (default: 256 without --text)"
    )
    command.add_argument(
        "--windows", type=int, default=256, metavar="N", help="windows that curvatures are taken from (256)"
    )
    command.add_argument(
        "--updates", type=int, default=0, metavar="N", help="updates of tuning; 300 is plenty (default: 0)"
    )
    command.add_argument("--seed", type=int, default=0, help="of sampled text and labels (0)")
    command.add_argument("-f", "--force", action="store_true", help="replace OUT if it exists")

    command = add("evaluate", "Perplexity and agreement of lossy containers on held-out text")
    add_model(command)
    command.add_argument("files", nargs="*", metavar="FILE", help="lossy containers; without any, the model alone")
    command.add_argument("--tokens", required=True, metavar="FILE", help="held-out text, or .bin of uint16 tokens")
    command.add_argument("--windows", type=int, metavar="N", help="only the first N windows")
    command.add_argument("--hook", action="append", default=[], metavar="MODULE:FUNCTION",
                         help="any function of (model, windows of tokens) that returns figures by name")  # fmt: skip

    command = add("restore", "Write the weights of a lossy container as safetensors, bf16 under the original names")
    command.add_argument("input", metavar="IN", help="a lossy .wcodec file")
    command.add_argument("output", metavar="OUT", help="the .safetensors file to write")
    command.add_argument("-f", "--force", action="store_true", help="replace OUT if it exists")

    command = add("run", "Run a configuration; finished points are kept, so that a killed run goes on")
    command.add_argument("config", metavar="CONFIG", help="YAML, see configs/lossy")
    command.add_argument("--out", metavar="DIR", help="default: results/lossy/NAME")
    command.add_argument("--device", default="auto", help="cpu, cuda, or auto (default)")
    command.add_argument("--hook", action="append", default=[], metavar="MODULE:FUNCTION", help="as for evaluate")
    return parser


def _hooks(names: list[str]) -> dict[str, Callable]:
    hooks = {}
    for name in names:
        module, _, function = name.partition(":")
        try:
            hooks[function] = getattr(importlib.import_module(module), function)
        except (ImportError, AttributeError, ValueError) as error:
            raise WcodecError(f"--hook {name}: {error}; MODULE:FUNCTION is wanted", "usage") from None
    return hooks


def _quantize(arguments: argparse.Namespace, say: Callable[[str], None]) -> dict[str, Any]:
    from wcodec.lossy._config import CalibrationPlan, EvaluationPlan, Plan
    from wcodec.lossy._files import save
    from wcodec.lossy._model import Model
    from wcodec.lossy._quantize import quantize
    from wcodec.lossy._rate import scale_for_bits
    from wcodec.lossy._sweep import Sweep
    from wcodec.lossy._tune import tune

    target = Path(arguments.output)
    if target.exists() and not arguments.force:
        raise WcodecError(f"{target}: exists; -f replaces it", "usage", str(target))
    sampled = arguments.sampled if arguments.sampled is not None else (0 if arguments.text else 256)
    calibration = CalibrationPlan(arguments.windows, sampled, arguments.text, arguments.skip, arguments.seed)
    if not sampled and not arguments.text:
        raise WcodecError("nothing to calibrate on: give --text or --sampled", "usage")
    sweep = Sweep(Plan("", arguments.model, calibration, EvaluationPlan()), target.parent, arguments.device, say)
    model = sweep.model = Model(arguments.model, arguments.device)
    found = sweep.calibration()
    if arguments.bits:
        scale, quantized = scale_for_bits(
            model, found, arguments.bits, progress=lambda s, b: say(f"scale {s:.3g}: about {b:.3f} bits a weight")
        )
    else:
        scale, quantized = arguments.scale, quantize(model, found, arguments.scale)
    if arguments.updates:
        quantized = tune(
            model, quantized, sweep.tokens(), updates=arguments.updates, seed=arguments.seed,
            progress=lambda n, loss: say(f"update {n}: divergence {loss:.5f}") if loss == loss else None,
        )  # fmt: skip
    stats = save(model, quantized, target, overwrite=arguments.force)
    bits = 8 * stats.encoded_bytes / model.weight_count()
    say(f"{target}: {stats.encoded_bytes} bytes, {bits:.4f} bits a weight")
    return {"output": str(target), "bytes": stats.encoded_bytes, "bits_per_weight": bits, "scale": scale}


def _evaluate(arguments: argparse.Namespace, say: Callable[[str], None]) -> dict[str, Any]:
    from wcodec.lossy._evaluate import evaluate, increase, interval, predictions
    from wcodec.lossy._files import restored_values
    from wcodec.lossy._model import Model
    from wcodec.lossy._tokens import read_tokens

    model = Model(arguments.model, arguments.device)
    tokens = read_tokens(model, [arguments.tokens])
    hooks = _hooks(arguments.hook)
    separator = model.net.config.bos_token_id
    original = evaluate(model, None, tokens, windows=arguments.windows, separator=separator, hooks=hooks)
    out: dict[str, Any] = {"original": {"perplexity": original.perplexity, **original.extra}}
    say(f"original: perplexity {original.perplexity:.5f}")
    kept = predictions(model, tokens, windows=arguments.windows) if arguments.files else []
    for file in arguments.files:
        outcome = evaluate(
            model,
            restored_values(file),
            tokens,
            windows=arguments.windows,
            separator=separator,
            compare=kept,
            hooks=hooks,
        )
        low, high = interval(outcome, original)
        bits = 8 * Path(file).stat().st_size / model.weight_count()
        rise = increase(outcome, original)
        out[file] = {
            "bits_per_weight": bits, "perplexity": outcome.perplexity, "increase_percent": rise,
            "interval_percent": [low, high], "agreement": outcome.agreement, "divergence": outcome.divergence,
            **outcome.extra,
        }  # fmt: skip
        say(
            f"{file}: {bits:.4f} bits a weight, perplexity {outcome.perplexity:.5f} "
            f"({rise:+.3f} % [{low:.3f}, {high:.3f}]), {100 * outcome.agreement:.2f} % of likeliest tokens unchanged"
        )
    return out


def _restore(arguments: argparse.Namespace, say: Callable[[str], None]) -> dict[str, Any]:
    from wcodec.lossy._files import restore

    size = restore(arguments.input, arguments.output, overwrite=arguments.force)
    say(f"{arguments.output}: {size} bytes")
    return {"output": arguments.output, "bytes": size}


def _run(arguments: argparse.Namespace, say: Callable[[str], None]) -> dict[str, Any]:
    from wcodec.lossy._config import read_plan
    from wcodec.lossy._sweep import Sweep

    plan = read_plan(arguments.config)
    out = Path(arguments.out or f"results/lossy/{plan.lossy}")
    return {"output": str(out), "points": Sweep(plan, out, arguments.device, say, _hooks(arguments.hook)).run()}


def main(given: list[str] | None = None) -> int:
    arguments = _parser().parse_args(given)

    def say(line: str) -> None:
        if not arguments.quiet:
            print(line, file=sys.stderr, flush=True)

    work = {"quantize": _quantize, "evaluate": _evaluate, "restore": _restore, "run": _run}[arguments.command]
    try:
        result = work(arguments, say)
    except (WcodecError, ImportError) as error:
        print(f"error: {error}", file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        return 130
    if arguments.json:
        print(json.dumps(result, indent=1))
    return 0


if __name__ == "__main__":
    sys.exit(main())
