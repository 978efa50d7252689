"""`/openapi.json`: valid, and what schemathesis finds when it sends what it describes and what it forbids."""

import os
import subprocess
import sys
from pathlib import Path

import httpx
from conftest import ROOT, RunningServer
from openapi_spec_validator import validate


def test_is_valid(http: httpx.Client) -> None:
    answer = http.get("/openapi.json", headers={"Accept-Encoding": "gzip"})
    assert answer.headers["content-type"] == "application/json"
    assert answer.headers["content-encoding"] == "gzip"
    validate(answer.json())
    again = http.get("/openapi.json", headers={"If-None-Match": answer.headers["etag"]})
    assert (again.status_code, again.content) == (304, b"")


def test_schemathesis(tmp_path: Path) -> None:
    # Made-up model names get through to what they ask for, and long answers take less time.
    server = RunningServer("--set", "model.accept_any_model=true", "--set", "model.max_chains=1", log=tmp_path / "log")
    command = [
        Path(sys.executable).parent / "schemathesis",
        "--config-file",
        ROOT / "Tests/EndToEnd/schemathesis.toml",
        "run",
        f"{server.url}/openapi.json",
        "--url",
        server.url,
        "--max-examples",
        os.environ.get("EXAMPLES", "30"),
    ]
    run = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, timeout=1200)
    assert server.stop() == 0
    assert run.returncode == 0, run.stdout[-20000:] + run.stderr[-2000:]
