"""`catena loadtest` against the real server."""

import json
import subprocess
from pathlib import Path

import pytest

from conftest import PROGRAM


def loadtest(*arguments: str, status: int = 0) -> subprocess.CompletedProcess:
    done = subprocess.run([PROGRAM, "loadtest", *arguments], capture_output=True, text=True, timeout=300)
    assert done.returncode == status, done.stderr
    return done


def test_a_short_run_completes(server, tmp_path: Path) -> None:
    plot, file = tmp_path / "load.svg", tmp_path / "load.json"
    lengths = ("--prompt-tokens", "8-32", "--output-tokens", "4-8")
    paths = ("--plot", str(plot), "--json", str(file))
    text = loadtest("--url", server.url, "--rate", "5", "--requests", "10", "--chains", "2", *lengths, *paths).stdout
    assert "within all limits" in text
    report = json.loads(file.read_text())
    assert report["counts"]["completed"] == report["counts"]["met"] == len(report["requests"]) == 10
    assert report["chain_tokens"][1] == report["output_tokens"] and report["mean_chains"] == 2
    for request in report["requests"]:
        assert request["output_tokens"] == request["planned_tokens"]
        assert request["scheduled"] <= request["sent"] <= request["first_token"] <= request["end"]
    assert plot.read_text().startswith("<svg")


@pytest.mark.parametrize(
    ("arguments", "status", "message"),
    [
        (("--rate", "1", "--url", "https://127.0.0.1:1"), 1, "plain HTTP only"),
        (("--rate", "1", "--url", "http://127.0.0.1:1"), 1, "cannot reach http://127.0.0.1:1"),
        ((), 64, "--rate 5"),
        (("--load", "0.5"), 64, "--capacity"),
        (("--rate", "1", "--arrivals", "gamma"), 64, "--cv2"),
        (("--rate", "1", "--prompt-tokens", "0"), 64, "outside of 1 to"),
    ],
)
def test_mistakes_are_explained(arguments: tuple[str, ...], status: int, message: str) -> None:
    assert message in " ".join(loadtest(*arguments, status=status).stderr.split())
