"""Starts the real server with the bundled model, once for all tests, and stops it with SIGTERM."""

import os
import random
import signal
import socket
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

ROOT = Path(__file__).resolve().parents[2]
PROGRAM = Path(os.environ.get("CATENA", ROOT / ".build" / "debug" / "catena"))
MODEL = Path(os.environ.get("CATENA_TEST_MODEL", ROOT / "Models" / "catena-fable-16m"))


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


class RunningServer:
    """A `catena serve` process on a port of its own."""

    def __init__(
        self, *arguments: str, model: Path = MODEL, log: Path | None = None, port: int | None = None
    ) -> None:
        """`log`: where what it says goes, behind what is there; else it can be read from the process."""
        self.port = port or free_port()
        self.url = f"http://127.0.0.1:{self.port}"
        self.model = model.name
        self.process = subprocess.Popen(
            [PROGRAM, "serve", "--model", model, "--port", str(self.port), *arguments],
            stderr=log.open("a") if log else subprocess.PIPE,
            text=True,
        )
        self.wait_until_ready()

    def wait_until_ready(self) -> None:
        deadline = time.monotonic() + 60
        while time.monotonic() < deadline:
            if self.process.poll() is not None:
                said = self.process.stderr.read() if self.process.stderr else ""
                pytest.fail(f"the server ended with {self.process.returncode}:\n{said}")
            try:
                if httpx.get(f"{self.url}/readyz").status_code == 200:
                    return
            except httpx.TransportError:
                time.sleep(0.05)
        pytest.fail("the server was not ready within 60 s")

    def stop(self) -> int:
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGTERM)
        try:
            return self.process.wait(timeout=60)
        except subprocess.TimeoutExpired:
            self.process.kill()
            raise


@pytest.fixture(scope="session")
def server() -> Iterator[RunningServer]:
    running = RunningServer()
    yield running
    assert running.stop() == 0


@pytest.fixture
def http(server: RunningServer) -> Iterator[httpx.Client]:
    with httpx.Client(base_url=server.url, timeout=120) as client:
        yield client


@pytest.fixture(scope="session")
def random_runs() -> int:
    """How many random cases a test tries."""
    return int(os.environ.get("RANDOM_RUNS", 20))


@pytest.fixture(scope="session")
def random_seed() -> int:
    """What they come from. Failures tell it."""
    return int(os.environ.get("RANDOM_SEED") or random.randrange(1 << 32))
