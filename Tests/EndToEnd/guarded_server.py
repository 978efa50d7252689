"""A server with keys and an access log, and keys for it."""

import json
import signal
import subprocess
import time
from collections.abc import Callable
from pathlib import Path

import httpx
import openai
import pytest

from conftest import PROGRAM, RunningServer

BODY = {"prompt": "The house stood at the end of the lane", "max_tokens": 4, "temperature": 0}


def make_key(name: str, *options: str) -> tuple[str, str]:
    """The key, and its line."""
    made = subprocess.run([PROGRAM, "make-key", name, *options], check=True, capture_output=True, text=True)
    key, line = made.stdout.splitlines()
    return key, line


class GuardedServer(RunningServer):
    """A server with a key file and an access log, both in a folder."""

    def __init__(self, folder: Path, lines: list[str], *arguments: str) -> None:
        self.file = folder / "keys"
        self.file.write_text("# who may\n" + "\n".join(lines) + "\n")
        self.access = folder / "access.log"
        self.log = folder / "log"
        super().__init__(
            *("--set", f"keys.file={self.file}", "--set", f"log.access={self.access}", *arguments),
            log=self.log,
        )

    def entries(self) -> list[dict]:
        return [json.loads(line) for line in self.access.read_text().splitlines()] if self.access.exists() else []

    def entry(self, request: str) -> dict:
        """The access log's line of a request, which is written soon after its answer."""
        return wait_for(lambda: next((entry for entry in self.entries() if entry["request_id"] == request), None))

    def reload(self, expected: str) -> None:
        """SIGHUP, and the log line that tells what came of it."""
        before = self.log.read_text().count("\n")
        self.process.send_signal(signal.SIGHUP)
        wait_for(lambda: any(expected in line for line in self.log.read_text().splitlines()[before:]))

    def client(self, key: str, **options) -> openai.OpenAI:
        return openai.OpenAI(base_url=f"{self.url}/v1", api_key=key, **{"max_retries": 0, **options})

    def post(self, key: str, body: dict | None = None, **headers: str) -> httpx.Response:
        headers = {"Authorization": f"Bearer {key}", **headers}
        return httpx.post(f"{self.url}/v1/completions", json=body or BODY, headers=headers, timeout=60)


def wait_for(found: Callable[[], object]) -> object:
    deadline = time.monotonic() + 10
    while time.monotonic() < deadline:
        if value := found():
            return value
        time.sleep(0.02)
    pytest.fail("it did not come within 10 s")
