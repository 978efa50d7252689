"""The metrics page of a running server, judged by Prometheus' own tool and by what was asked of the server."""

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import httpx
import pytest

from conftest import RunningServer

BODY = {"prompt": "The old gentleman looked at the door", "temperature": 0}


def promtool() -> str:
    beside = Path(sys.executable).parent / "promtool"
    found = os.environ.get("PROMTOOL") or (str(beside) if beside.exists() else shutil.which("promtool"))
    assert found, "promtool is missing: Tests/EndToEnd/get-promtool.sh .venv/bin/promtool"
    return found


def values(http: httpx.Client) -> dict[str, float]:
    lines = http.get("/metrics").text.splitlines()
    return {name: float(value) for name, value in (line.rsplit(" ", 1) for line in lines if line[0] != "#")}


def check(page: str) -> list[str]:
    done = subprocess.run([promtool(), "check", "metrics"], input=page, capture_output=True, text=True)
    return (done.stdout + done.stderr).splitlines()


def test_promtool_has_no_complaint(http: httpx.Client) -> None:
    http.post("/v1/completions", json={**BODY, "max_tokens": 8, "latency_budget_ms": 60_000})
    answer = http.get("/metrics", params={"aliases": "false"})
    assert answer.headers["content-type"] == "text/plain; version=0.0.4; charset=utf-8"
    assert check(answer.text) == []
    # vLLM's names have colons, which Prometheus keeps for recording rules; there is nothing else to complain about.
    complaints = check(http.get("/metrics").text)
    assert complaints and all(line.startswith("vllm:") for line in complaints)
    assert all(line.endswith("metric names should not contain ':'") for line in complaints)


def test_the_documentation_lists_every_series(http: httpx.Client) -> None:
    page = http.get("/metrics").text.splitlines()
    families = [line.split()[2] for line in page if line.startswith("# TYPE ")]
    text = (Path(__file__).resolve().parents[2] / "docs" / "metrics.md").read_text()
    assert sorted(families) == sorted(re.findall(r"^\| `((?:catena_|vllm:)\w+)", text, re.MULTILINE))


def test_figures_follow_the_requests(http: httpx.Client, server) -> None:
    before = values(http)
    usages = [
        http.post("/v1/completions", json={**BODY, "max_tokens": 12, "chains": chains}).json()["usage"]
        for chains in (1, 3)
    ]
    refused = http.post("/v1/completions", json={**BODY, "chains": 9})
    assert refused.status_code == 400
    after = values(http)

    def grown(name: str) -> float:
        return after[name] - before[name]

    assert grown('catena_requests_total{outcome="completed"}') == 2
    assert grown('catena_requests_total{outcome="invalid"}') == 1
    for index in range(4):
        tokens = sum(usage["completion_tokens_details"]["chain_tokens"][index] for usage in usages)
        assert grown(f'catena_tokens_generated_total{{chains="{index + 1}"}}') == tokens
    assert grown("catena_prompt_tokens_total") == sum(usage["prompt_tokens"] for usage in usages)
    assert grown("catena_time_to_first_token_seconds_count") == 2
    assert grown("catena_inter_token_latency_seconds_count") == sum(usage["completion_tokens"] - 1 for usage in usages)
    assert grown("catena_request_duration_seconds_count") == 2
    assert 0 < grown("catena_time_to_first_token_seconds_sum") <= grown("catena_request_duration_seconds_sum")
    label = f'{{model_name="{server.model}"}}'
    assert grown(f"vllm:generation_tokens_total{label}") == sum(usage["completion_tokens"] for usage in usages)


@pytest.mark.parametrize("stream", [False, True])
def test_a_client_that_leaves_is_counted(stream: bool) -> None:
    server = RunningServer()
    try:
        with httpx.Client(base_url=server.url, timeout=60) as http:
            body = {**BODY, "max_tokens": 900, "n": 8, "ignore_eos": True, "stream": stream}
            if stream:
                with http.stream("POST", "/v1/completions", json=body) as answer:
                    next(answer.iter_lines())
            else:
                with pytest.raises(httpx.ReadTimeout):
                    http.post("/v1/completions", json=body, timeout=0.5)
            for _ in range(100):
                if (counted := values(http)['catena_requests_total{outcome="disconnected"}']) == 1:
                    break
            assert counted == 1
    finally:
        assert server.stop() == 0
