"""A real Redis on a port of its own, spoken to in its own protocol (RESP2), so that no client package is needed."""

import os
import shutil
import signal
import socket
import subprocess
import time
from pathlib import Path

import pytest
from conftest import free_port

REDIS = os.environ.get("REDIS") or shutil.which("redis-server")


class RedisAnswer(Exception):
    """Redis answered with an error."""


class RunningRedis:
    """A `redis-server` that keeps nothing on disk."""

    def __init__(self, folder: Path, *arguments: str, password: str | None = None) -> None:
        self.folder = folder
        self.arguments = arguments
        self.password = password
        self.port = free_port()
        self.start()

    def start(self) -> None:
        settings = ["--bind", "127.0.0.1", "--port", str(self.port), "--save", "", "--dir", str(self.folder)]
        if self.password:
            settings += ["--requirepass", self.password]
        self.process = subprocess.Popen(
            [REDIS, *settings, *self.arguments],
            stdout=(self.folder / "redis.log").open("a"),
            stderr=subprocess.STDOUT,
        )
        deadline = time.monotonic() + 20
        while time.monotonic() < deadline:
            try:
                if self("PING") == "PONG":
                    return
            except (OSError, RedisAnswer):
                time.sleep(0.02)
        pytest.fail("redis-server did not answer within 20 s")

    def stop(self, how: int = signal.SIGTERM) -> None:
        if self.process.poll() is None:
            self.process.send_signal(how)
            self.process.wait(timeout=10)

    def __call__(self, *words: str | bytes) -> object:
        """Sends one command on a connection of its own."""
        with socket.create_connection(("127.0.0.1", self.port), timeout=10) as connection:
            stream = connection.makefile("rwb")
            if self.password:
                self._exchange(stream, "AUTH", self.password)
            return self._exchange(stream, *words)

    def _exchange(self, stream, *words: str | bytes) -> object:
        parts = [word.encode() if isinstance(word, str) else word for word in words]
        stream.write(b"*%d\r\n" % len(parts) + b"".join(b"$%d\r\n%s\r\n" % (len(part), part) for part in parts))
        stream.flush()
        return self._read(stream)

    def _read(self, stream) -> object:
        line = stream.readline()
        if not line:
            raise ConnectionError("Redis closed the connection")
        kind, rest = line[:1], line[1:-2]
        if kind == b"+":
            return rest.decode()
        if kind == b"-":
            raise RedisAnswer(rest.decode())
        if kind == b":":
            return int(rest)
        count = int(rest)
        if count < 0:
            return None
        if kind == b"$":
            return stream.read(count + 2)[:-2]
        return [self._read(stream) for _ in range(count)]

    def keys(self, pattern: str = "*") -> list[str]:
        return sorted(key.decode() for key in self("KEYS", pattern))
