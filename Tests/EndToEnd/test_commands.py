"""The program's other commands, as a person would type them."""

import json
import os
import re
import subprocess
from pathlib import Path

import httpx
import pytest

from conftest import MODEL, PROGRAM, RunningServer

TEXT = "It was the best of times, it was the worst of times, it was the age of wisdom. " * 8


def catena(*arguments: str, stdin: str = "", status: int = 0, **environment: str) -> subprocess.CompletedProcess:
    done = subprocess.run(
        [PROGRAM, *arguments],
        input=stdin,
        capture_output=True,
        text=True,
        timeout=300,
        env=os.environ | environment,
    )
    assert done.returncode == status, done.stderr
    return done


def test_help_names_every_command() -> None:
    text = catena("--help").stdout
    for command in ("serve", "generate", "eval", "bench", "loadtest", "simulate", "quantize", "inspect", "check-config"):
        assert re.search(rf"^  {command}\s", text, re.MULTILINE), command
        assert len(catena(command, "--help").stdout) > 300


@pytest.mark.parametrize("chains", [1, 4])
def test_generate_is_repeatable_and_tells_its_speed(chains: int) -> None:
    arguments = ("generate", "Once upon a time", "--model", MODEL, "--chains", str(chains), "-n", "24", "--seed", "3")
    first = catena(*arguments)
    assert first.stdout.startswith("Once upon a time")
    assert len(first.stdout) > len("Once upon a time") + 24
    assert re.search(rf"\[\d+ tokens at {chains} chains?, [\d.]+ tokens/s, first after [\d.]+ ms\]", first.stderr)
    assert catena(*arguments).stdout == first.stdout


def test_generate_reads_standard_input() -> None:
    done = catena("generate", "-", "--model", MODEL, "-n", "4", "--temperature", "0", stdin="The old house")
    assert done.stdout.startswith("The old house")


def test_eval_falls_from_chain_to_chain_on_a_repeated_text() -> None:
    results = json.loads(catena("eval", "-", "--model", MODEL, "--json", stdin=TEXT).stdout)
    assert [result["chains"] for result in results] == [1, 2, 3, 4]
    assert all(0 < result["loss"] < 8.4 for result in results)
    tokens = {result["tokens"] for result in results}
    assert len(tokens) == 1
    table = catena("eval", "-", "--model", MODEL, "--chains", "2", stdin=TEXT).stdout.splitlines()
    assert table[0].split()[:3] == ["chains", "loss", "perplexity"]
    assert table[1].split()[1] == f"{results[1]['loss']:.4f}"


def test_eval_of_a_part_is_the_eval_of_that_part() -> None:
    part = catena("eval", "-", "--model", MODEL, "--chains", "1", "--limit", "40", stdin=TEXT).stdout.splitlines()
    chains, loss, _, bits, tokens = part[1].split()
    assert (chains, tokens) == ("1", "39")
    # Forty tokens of this text have three to five bytes each: bits per byte follow the part, not the whole text.
    assert float(loss) / 0.6931 / 5.5 < float(bits) < float(loss) / 0.6931 / 2


def test_inspect_counts_what_is_there() -> None:
    text = catena("inspect", MODEL).stdout
    config = json.loads((MODEL / "config.json").read_text())
    assert f"chains       {len(config['chains'])}" in text
    for index in range(1, len(config["chains"]) + 1):
        name = f"chain-{index}-of-{len(config['chains'])}.safetensors"
        assert f"{name}, {(MODEL / name).stat().st_size:,} bytes" in text


def test_bench_measures_every_size() -> None:
    report = json.loads(catena("bench", "--model", MODEL, "--quick", "--json", "-").stdout)
    assert {row["chains"] for row in report["decode"]} == {1, 2, 3, 4}
    assert all(row["tokens_per_second"] > 0 for row in report["decode"] + report["prefill"])
    assert "expected L, M, S or KEY=VALUE" in catena("bench", "--shape", "Q", status=1).stderr


def test_check_config_shows_values_and_origins(tmp_path: Path) -> None:
    file = tmp_path / "config.yaml"
    file.write_text("server:\n  port: 9000\n")
    text = catena("check-config", "--config", str(file), "--host", "::1", CATENA_LOG_LEVEL="debug").stdout
    assert f"  port: 9000  # {file}:2:9" in text
    assert '  host: "::1"  # flag --host' in text
    assert "level: debug  # environment variable CATENA_LOG_LEVEL" in text


def test_the_committed_configuration_is_right() -> None:
    catena("check-config", "--config", str(Path(__file__).resolve().parents[2] / "config.yaml"))


@pytest.mark.parametrize(
    ("arguments", "status", "message"),
    [
        (("generate", "x", "--model", "/nowhere"), 1, "/nowhere"),
        (("generate", "x", "--model", str(MODEL), "--chains", "5"), 64, "1 to 4 chains"),
        (("generate", "x", "--model", str(MODEL), "-n", "5000"), 64, "context of"),
        (("generate", "", "--model", str(MODEL)), 64, "prompt is empty"),
        (("eval", "/nowhere.txt", "--model", str(MODEL)), 1, "nowhere.txt"),
        (("eval", "-", "--model", str(MODEL), "--chains", "0"), 64, "1 to 4 chains"),
        (("serve", "--port", "70000"), 1, "server.port must be an integer from 0 to 65535; got 70000"),
        (("serve", "--set", "sever.port=1"), 1, "did you mean 'server.port'"),
        (("serve", "--model", "/nowhere", "--port", "0"), 1, "/nowhere"),
        (("serve", "--host", "no such host", "--port", "0"), 1, "no such host"),
        (("serve", "--model", str(MODEL), "--port", "0", "--set", "kv_cache.size=1000000GiB"), 1, "kv_cache.size"),
        (("serve", "--model", str(MODEL), "--port", "0", "--set", "kv_cache.size=1KiB"), 1, "kv_cache.size"),
        (("bench", "--repeat", "0"), 64, "--repeat"),
    ],
)
def test_mistakes_are_explained(arguments: tuple[str, ...], status: int, message: str) -> None:
    assert message in catena(*arguments, status=status).stderr


@pytest.fixture(scope="module", params=["int8", "int4"])
def quantized(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("quantized") / request.param
    said = catena("quantize", str(MODEL), "--to", request.param, "--output", str(folder)).stdout
    assert re.search(rf"^from  {MODEL}: [\d,]+ bytes, 16.00 bits a weight$", said, re.MULTILINE)
    assert re.search(rf"^to  {folder}: [\d,]+ bytes, [58].\d\d bits a weight$", said, re.MULTILINE)
    return folder


def test_a_quantized_model_is_a_model(quantized: Path) -> None:
    assert f"weights      {quantized.name}" in catena("inspect", str(quantized)).stdout
    before = json.loads(catena("eval", "-", "--model", MODEL, "--json", stdin=TEXT).stdout)
    after = json.loads(catena("eval", "-", "--model", str(quantized), "--json", stdin=TEXT).stdout)
    for a, b in zip(before, after, strict=True):
        assert a["chains"] == b["chains"]
        assert abs(b["loss"] - a["loss"]) < 0.15


def test_a_quantized_model_is_served(quantized: Path) -> None:
    running = RunningServer(model=quantized)
    try:
        body = {"prompt": "Once upon a time", "max_tokens": 24, "temperature": 0}
        for chains in ("1", "4"):
            answers = [
                httpx.post(f"{running.url}/v1/completions", json=body, headers={"X-Chains": chains}, timeout=120)
                for _ in range(2)
            ]
            assert [answer.status_code for answer in answers] == [200, 200]
            texts = [answer.json()["choices"][0]["text"] for answer in answers]
            assert texts[0] == texts[1] != ""
    finally:
        assert running.stop() == 0


def test_a_quantized_model_is_not_quantized_again(quantized: Path, tmp_path: Path) -> None:
    arguments = ("quantize", str(quantized), "--to", "int8", "--output", str(tmp_path / "twice"))
    assert "is packed already" in catena(*arguments, status=1).stderr
    assert "not empty" in catena("quantize", str(MODEL), "--to", "int8", "--output", str(quantized), status=1).stderr
    assert "'int8' or 'int4'" in catena("quantize", str(MODEL), "--to", "int3", status=64).stderr
    assert not list(tmp_path.iterdir())
