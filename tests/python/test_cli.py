"""The wcodec command as a person or a script meets it."""

import contextlib
import json
import os
import pty
import subprocess
from pathlib import Path

import pytest

CONFIG = """\
experiment: tiny
question: Does anything help on made-up weights?
checkpoints:
  - {name: made, path: "synthetic:gaussian:rows=96,cols=128,seed=3"}
controls: [original, shuffled]
axes:
  quantizer: [int8]
  tile: [16x16]
  modes: [[none], [none, left]]
  coder: ["rans:tables=tensor"]
baselines: ["zstd:level=3"]
compare: {factor: modes, against: [none]}
"""
CELLS = 5  # two controls with two mode sets, and a baseline


@pytest.fixture
def config(tmp_path: Path) -> Path:
    path = tmp_path / "configs" / "tiny.yaml"
    path.parent.mkdir()
    path.write_text(CONFIG)
    return path


def said_in_one_sentence(answer: subprocess.CompletedProcess[str]) -> str:
    assert answer.returncode == 2
    assert answer.stdout == ""
    assert answer.stderr.startswith("wcodec: error: ")
    assert "terminate" not in answer.stderr
    return answer.stderr


# --- help ----------------------------------------------------------------------------------------------------


def test_help_shows_where_to_start(call):
    answer = call("--help")
    assert answer.returncode == 0
    for word in ("plan", "run", "report", "list", "stats", "Start here", "Exit status"):
        assert word in answer.stdout
    assert "worker" not in answer.stdout, "for the program itself, not for people"


@pytest.mark.parametrize(
    "command",
    [
        "plan",
        "run",
        "claim",
        "memory",
        "independence",
        "report",
        "list",
        "stats",
        "encode",
        "decode",
        "verify",
        "info",
        "extract",
        "progressive",
    ],
)
def test_every_subcommand_has_an_example(call, command):
    answer = call(command, "--help")
    assert answer.returncode == 0
    assert f"  wcodec {command}" in answer.stdout
    assert max(map(len, answer.stdout.splitlines())) <= 140


def test_version(call):
    assert call("--version").stdout.startswith("wcodec 0.")


# --- errors --------------------------------------------------------------------------------------------------


def test_no_subcommand_is_an_error(call):
    assert "--help" in said_in_one_sentence(call())


def test_an_unknown_subcommand_names_the_nearest(call):
    assert "did you mean 'report'?" in said_in_one_sentence(call("reprot"))


@pytest.mark.parametrize(
    ("arguments", "hint"),
    [
        (["run"], "config"),
        (["run", "absent.yaml"], "absent.yaml"),
        (["plan", "x.yaml", "--json", "--jsonl"], "--json"),
        (["plan", "x.yaml", "--colour"], "--colour"),
        (["report", "absent"], "summary.csv"),
        (["stats", "absent.safetensors"], "absent.safetensors"),
        (["stats", "synthetic:gaussian:rows=4,cols=4", "--tensor", "*.bias"], "*.bias"),
        (["list", "predictor"], "did you mean 'predictors'?"),
        (["worker", "please"], "not for people"),
    ],
)
def test_wrong_usage_is_one_sentence(call, arguments, hint):
    assert hint in said_in_one_sentence(call(*arguments))


def test_a_config_error_names_the_line(call, config):
    config.write_text(CONFIG.replace("question:", "qustion:"))
    said = said_in_one_sentence(call("plan", config))
    assert "tiny.yaml:2:" in said
    assert "question" in said


def test_terminal_codes_in_names_are_escaped(call, tmp_path):
    said = said_in_one_sentence(call("plan", "\x1b[31mred.yaml"))
    assert "\x1b" not in said


def test_a_wrong_checkpoint_name_is_refused(call, config):
    assert "did you mean 'made'" in said_in_one_sentence(call("plan", config, "--checkpoint", "mode=x.safetensors"))
    assert "NAME=PATH" in said_in_one_sentence(call("plan", config, "--checkpoint", "made"))


# --- list ----------------------------------------------------------------------------------------------------


def test_list_shows_every_kind_of_stage(call):
    text = call("list").stdout
    for word in (
        "quantizers:",
        "int8",
        "predictors:",
        "left",
        "coders:",
        "rans",
        "baselines:",
        "zstd",
        "level",
        "hf://",
    ):
        assert word in text


def test_list_as_json(call):
    listed = json.loads(call("list", "--json").stdout)
    stages = {"quantizers", "orders", "approximations", "predictors", "transforms", "coders", "references"}
    stages |= {"baselines", "sources"}
    assert stages == set(listed)
    int8 = next(row for row in listed["quantizers"] if row["name"] == "int8")
    assert {"key", "default", "allowed", "help"} == set(int8["options"][0])
    assert all(row["help"] for rows in listed.values() for row in rows)
    assert set(json.loads(call("list", "baselines", "--json").stdout)) == {"baselines"}


# --- plan ----------------------------------------------------------------------------------------------------


def test_plan_runs_nothing(call, config, tmp_path):
    answer = call("plan", config)
    assert answer.returncode == 0
    assert f"{CELLS}" in answer.stdout
    assert not (tmp_path / "results").exists()


def test_plan_for_programs(call, config):
    json.loads(call("plan", config, "--json").stdout)
    cells = [json.loads(line) for line in call("plan", config, "--jsonl").stdout.splitlines()]
    assert len(cells) == CELLS


def test_set_and_checkpoint_change_the_experiment(call, config):
    wider = call("plan", config, "--jsonl", "--set", "axes.tile=[8x8,16x16]").stdout.splitlines()
    assert len(wider) == 2 * (CELLS - 1) + 1
    plain = call("plan", config, "--jsonl").stdout
    other = call("plan", config, "--jsonl", "--checkpoint", "made=synthetic:gaussian:rows=96,cols=128,seed=4").stdout
    assert plain != other


# --- run -----------------------------------------------------------------------------------------------------

FILES = (
    "summary.csv",
    "modes.csv",
    "timings.csv",
    "histograms.csv",
    "correlations.csv",
    "failures.csv",
    "verdicts.csv",
    "provenance.json",
    "experiment.yaml",
)


def test_run_writes_every_file_and_prints_the_answer(call, config, tmp_path):
    answer = call("run", config, "--no-report")
    assert answer.returncode == 0, answer.stderr
    folder = tmp_path / "results" / "tiny"
    for name in FILES:
        assert (folder / name).exists(), name
    assert list((folder / "tables").glob("*.md"))
    assert (folder / "experiment.yaml").read_text() == CONFIG
    assert len((folder / "summary.csv").read_text().splitlines()) == 1 + CELLS
    assert "results/tiny" in answer.stdout
    assert f"{CELLS} of {CELLS} cells" in answer.stderr
    assert "cells in" not in answer.stdout, "progress belongs to standard error"
    assert "\x1b" not in answer.stdout + answer.stderr, "no terminal, no bar"


def test_run_prints_json_and_nothing_else(call, config, tmp_path):
    answer = call("run", config, "--no-report", "--json", "--quiet", "--out", "here")
    assert answer.stderr == ""
    outcome = json.loads(answer.stdout)
    assert (outcome["cells"], outcome["finished"], outcome["failed"]) == (CELLS, CELLS, 0)
    assert outcome["folder"] == "here"
    again = json.loads(call("run", config, "--no-report", "--json", "--out", "here").stdout)
    assert (again["reused"], again["finished"]) == (CELLS, 0)
    fresh = json.loads(call("run", config, "--no-report", "--json", "--out", "here", "--fresh").stdout)
    assert (fresh["reused"], fresh["finished"]) == (0, CELLS)


def test_a_terminal_gets_a_live_bar(wcodec, config, tmp_path):
    ours, theirs = pty.openpty()
    answer = subprocess.run(
        [wcodec, "run", config, "--no-report"],
        stdout=subprocess.PIPE,
        stderr=theirs,
        env=os.environ | {"TERM": "xterm"},
        cwd=tmp_path,
        timeout=120,
        check=True,
    )
    os.close(theirs)
    screen = b""
    with contextlib.suppress(OSError):  # how a terminal ends
        while piece := os.read(ours, 4096):
            screen += piece
    os.close(ours)
    assert b"\r\x1b[K[" in screen
    assert b"of 5 cells" in screen
    assert b"\x1b" not in answer.stdout


def test_results_do_not_depend_on_the_number_of_workers(call, config, tmp_path):
    for threads in (1, 3):
        assert call("run", config, "--no-report", "-j", threads, "--out", f"with-{threads}").returncode == 0
    for name in ("summary.csv", "modes.csv", "histograms.csv", "correlations.csv", "verdicts.csv"):
        assert (tmp_path / "with-1" / name).read_bytes() == (tmp_path / "with-3" / name).read_bytes(), name


def test_a_changed_config_is_said(call, config):
    call("run", config, "--no-report")
    config.write_text(CONFIG.replace("[16x16]", "[16x16, 8x8]"))
    answer = call("run", config, "--no-report", "--json")
    assert "an earlier version of tiny.yaml" in answer.stderr
    assert json.loads(answer.stdout)["reused"] == CELLS


def test_another_experiment_in_the_folder_is_refused(call, config):
    call("run", config, "--no-report", "--out", "here")
    config.write_text(CONFIG.replace("experiment: tiny", "experiment: other"))
    assert "experiment 'tiny'" in said_in_one_sentence(call("run", config, "--no-report", "--out", "here", "--quiet"))


def test_a_cell_over_its_time_gives_exit_status_1(call, config):
    slow = CONFIG.replace("zstd:level=3", "external:compress=sleep 60,decompress=cat") + "limits: {timeout_s: 1}\n"
    config.write_text(slow)
    answer = call("run", config, "--no-report", "--json")
    assert answer.returncode == 1, answer.stderr
    outcome = json.loads(answer.stdout)
    assert (outcome["finished"], outcome["failed"]) == (CELLS - 1, 1)
    assert "sleep" in answer.stderr


def test_timings(call, config, tmp_path):
    config.write_text(CONFIG + "measure: {timing: {repeats: 3, warmup: 1}}\n")
    outcome = json.loads(call("run", config, "--no-report", "--json").stdout)
    assert outcome["timed"] == 3
    assert len((tmp_path / "results/tiny/timings.csv").read_text().splitlines()) == 4


def test_an_unwritable_folder_is_said(call, config, tmp_path):
    (tmp_path / "file").write_text("")
    assert "file/out" in said_in_one_sentence(call("run", config, "--quiet", "--out", "file/out"))


def test_missing_python_packages_leave_the_numbers(call, config, tmp_path):
    python = tmp_path / "python"
    python.write_text("#!/bin/sh\necho \"ModuleNotFoundError: No module named 'pyarrow'\" >&2\nexit 1\n")
    python.chmod(0o755)
    answer = call("run", config, WCODEC_PYTHON=str(python))
    assert answer.returncode == 0
    assert "No module named 'pyarrow'" in answer.stderr
    assert (tmp_path / "results/tiny/summary.csv").exists()
    assert "pyarrow" in said_in_one_sentence(call("report", "results/tiny", WCODEC_PYTHON=str(python)))
    gone = call("run", config, WCODEC_PYTHON="/nonexistent/python")
    assert gone.returncode == 0
    assert "WCODEC_PYTHON" in gone.stderr


# --- stats ---------------------------------------------------------------------------------------------------


def test_stats_of_a_synthetic_checkpoint(call):
    address = "synthetic:gaussian:rows=96,cols=128,tensors=2,seed=3"
    text = call("stats", address)
    assert text.returncode == 0, text.stderr
    assert "gaussian.0.weight" in text.stdout
    assert "kurtosis" in text.stdout
    tensors = json.loads(call("stats", address, "--json").stdout)["tensors"]
    assert [tensor["name"] for tensor in tensors] == ["gaussian.0.weight", "gaussian.1.weight"]
    assert abs(tensors[0]["kurtosis"] - 3) < 0.2
    one = json.loads(call("stats", address, "--json", "--tensor", "*.1.*").stdout)["tensors"]
    assert one == tensors[1:]
