#!/usr/bin/env python3
"""What going on with a session costs on another replica: read from Redis, against its prompt computed anew.

    measure-restore.py --catena .build/release/catena --redis redis-server --model Models/catena-fable-16m

Starts Redis and two replicas on loopback. A session of so many tokens is begun on the first one and continued by one token on
the second one, which answers with one token; then the second one gets the same prompt without a session, with its prefix cache
off. With --tier disk both have one folder in the place of Redis. Prompts are token ids, so that no tokenising is in the times,
and no request is sent before everything that an earlier one left to be written is written.

Each figure is the median over --runs sessions, as a client on the same machine sees it. Where the machine does other things as
well, --quiet waits before each session until it does not, and --fastest gives the least of the runs.
"""

import argparse
import json
import os
import socket
import statistics
import subprocess
import tempfile
import time
from collections.abc import Callable
from pathlib import Path


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


class Replica:
    """A server, and one connection to it on which a request is one write: the client should cost little beside it."""

    def __init__(self, arguments: argparse.Namespace, tier: dict[str, str], log: Path) -> None:
        self.port = free_port()
        settings = tier | {
            "compute.threads": arguments.threads,
            "kv_cache.prefix_cache": "false",
            "kv_cache.size": arguments.kv,
        }
        words = [word for key, value in settings.items() for word in ("--set", f"{key}={value}")]
        self.process = subprocess.Popen(
            [arguments.catena, "serve", "--model", arguments.model, "--port", str(self.port), *words],
            stderr=log.open("w"),
        )
        deadline = time.monotonic() + 120
        while time.monotonic() < deadline and self.process.poll() is None:
            try:
                self.socket = socket.create_connection(("127.0.0.1", self.port), timeout=120)
                self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
                if self.exchange(b"GET /readyz HTTP/1.1\r\nHost: replica\r\n\r\n")[0] == 200:
                    return
            except OSError:
                pass
            time.sleep(0.1)
        raise SystemExit(f"no replica within two minutes: {log.read_text()}")

    def exchange(self, request: bytes) -> tuple[int, bytes]:
        """Status and body of the answer."""
        self.socket.sendall(request)
        answer = b""
        while b"\r\n\r\n" not in answer:
            answer += self._receive()
        head, _, body = answer.partition(b"\r\n\r\n")
        lines = head.decode().lower().split("\r\n")
        length = next(int(line.removeprefix("content-length:")) for line in lines if line.startswith("content-length:"))
        while len(body) < length:
            body += self._receive()
        return int(lines[0].split()[1]), body

    def _receive(self) -> bytes:
        part = self.socket.recv(1 << 20)
        if not part:
            raise ConnectionError("the replica closed the connection")
        return part

    def complete(self, tokens: list[int], session: str | None) -> tuple[float, int]:
        """Milliseconds to one token, and how many tokens of the prompt had their keys and values already."""
        body = {"prompt": tokens, "max_tokens": 1, "temperature": 0, "chains": 1, "ignore_eos": True}
        text = json.dumps(body).encode()
        head = f"POST /v1/completions HTTP/1.1\r\nHost: replica\r\nContent-Type: application/json\r\nContent-Length: {len(text)}\r\n"
        if session:
            head += f"X-Session-Id: {session}\r\n"
        request = head.encode() + b"\r\n" + text
        began = time.perf_counter()
        _, answer = self.exchange(request)
        milliseconds = (time.perf_counter() - began) * 1000
        answer = json.loads(answer)
        if "error" in answer:
            raise SystemExit(answer["error"]["message"])
        return milliseconds, answer["usage"]["prompt_tokens_details"]["cached_tokens"]

    def metric(self, name: str) -> float:
        page = self.exchange(b"GET /metrics HTTP/1.1\r\nHost: replica\r\n\r\n")[1].decode()
        return next(float(line.rsplit(" ", 1)[1]) for line in page.splitlines() if line.startswith(name))


class RedisTier:
    def __init__(self, arguments: argparse.Namespace, folder: Path) -> None:
        port = free_port()
        self.process = subprocess.Popen(
            [arguments.redis, "--bind", "127.0.0.1", "--port", str(port), "--save", "", "--dir", folder],
            stdout=subprocess.DEVNULL,
        )
        self.settings = {
            "sessions.redis.host": "127.0.0.1",
            "sessions.redis.port": str(port),
            "sessions.redis.lookup_timeout": "2s",
            "sessions.redis.command_timeout": "10s",
            "sessions.redis.compress": str(arguments.compress).lower(),
        }
        if arguments.chunk:
            self.settings["sessions.redis.chunk"] = arguments.chunk
        time.sleep(0.5)

    def state(self, replica: Replica) -> object:
        return replica.metric('catena_redis_operations_total{operation="store",outcome="ok"}')

    def written(self, replica: Replica) -> float:
        return replica.metric('catena_redis_bytes_total{direction="written"}')

    def lookup_seconds(self, replica: Replica) -> float:
        return replica.metric('catena_redis_operation_seconds_sum{operation="lookup"}')

    def stop(self) -> None:
        self.process.terminate()
        self.process.wait(timeout=60)


class DiskTier:
    def __init__(self, folder: Path) -> None:
        self.folder = folder / "sessions"
        self.folder.mkdir()
        self.settings = {"sessions.disk.path": str(self.folder), "sessions.disk.size": "64GiB"}

    def state(self, _: Replica) -> object:
        return sorted((file.name, file.inode()) for file in os.scandir(self.folder) if not file.name.endswith(".tmp"))

    def written(self, _: Replica) -> float:
        return sum(file.stat().st_size for file in os.scandir(self.folder))

    def lookup_seconds(self, _: Replica) -> float:
        return float("nan")

    def stop(self) -> None:
        pass


def wait_for_quiet() -> None:
    """Waits for a fifth of a second in which other work takes less than a tenth of the processors."""

    def times() -> tuple[int, int]:
        fields = [int(word) for word in Path("/proc/stat").read_text().split("\n", 1)[0].split()[1:9]]
        return sum(fields), fields[3] + fields[4]

    busy = 1.0
    while busy > 0.1:
        total, idle = times()
        time.sleep(0.2)
        new_total, new_idle = times()
        busy = 1 - (new_idle - idle) / (new_total - total)


def after_writing(tier: RedisTier | DiskTier, replica: Replica, request: Callable[[], tuple[float, int]]) -> tuple[float, int]:
    """Does a request of a session, and returns when the session is written."""
    before = tier.state(replica)
    result = request()
    while tier.state(replica) == before:
        time.sleep(0.002)
    return result


def measure(arguments: argparse.Namespace, tier: RedisTier | DiskTier, first: Replica, second: Replica) -> None:
    center = min if arguments.fastest else statistics.median
    print("| tokens | snapshot, bytes a token | prompt computed | session read | of it Redis | in memory | share |")
    print("|---|---|---|---|---|---|---|")
    for count in map(int, arguments.tokens.split(",")):
        computed, restored, lookups, warm, size = [], [], [], [], 0.0
        for run in range(arguments.runs):
            tokens = [(run * 977 + n * 31) % 2000 + 300 for n in range(count - 1)]
            session = f"{count}-{run}"
            if arguments.quiet:
                wait_for_quiet()
            written = tier.written(first)
            after_writing(tier, first, lambda: first.complete(tokens, session))
            size = tier.written(first) - written
            # What the first one drew is not computed yet, so any token may stand in its place.
            tokens.append(301)
            before = tier.lookup_seconds(second)
            milliseconds, cached = after_writing(tier, second, lambda: second.complete(tokens, session))
            if cached != count - 1:
                raise SystemExit(f"{cached} of {count - 1} tokens were found")
            restored.append(milliseconds)
            lookups.append((tier.lookup_seconds(second) - before) * 1000)
            computed.append(second.complete(tokens, None)[0])
            warm.append(after_writing(tier, second, lambda: second.complete([*tokens, 302], session))[0])
        full, back, near = (center(x) for x in (computed, restored, warm))
        redis = f"{center(lookups):.2f} ms" if arguments.tier == "redis" else "-"
        print(
            f"| {count} | {size / count:.0f} | {full:.2f} ms | {back:.2f} ms | {redis} | {near:.2f} ms "
            f"| {back / full:.1%} |",
            flush=True,
        )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--catena", required=True)
    parser.add_argument("--redis", default="redis-server")
    parser.add_argument("--model", required=True)
    parser.add_argument("--tier", choices=["redis", "disk"], default="redis")
    parser.add_argument("--tokens", default="100,300,900,1800")
    parser.add_argument("--runs", type=int, default=31)
    parser.add_argument("--fastest", action="store_true", help="the least of the runs in the place of their median")
    parser.add_argument("--quiet", action="store_true", help="begin no session while other work uses the processors")
    parser.add_argument("--kv", default="256MiB", help="kv_cache.size")
    parser.add_argument("--threads", default="auto", help="compute.threads")
    parser.add_argument("--chunk", help="sessions.redis.chunk")
    parser.add_argument("--compress", action="store_true")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        tier = RedisTier(arguments, folder) if arguments.tier == "redis" else DiskTier(folder)
        replicas: list[Replica] = []
        try:
            for log in ("a.log", "b.log"):
                replicas.append(Replica(arguments, tier.settings, folder / log))
            measure(arguments, tier, *replicas)
        finally:
            for replica in replicas:
                replica.process.terminate()
                replica.process.wait(timeout=60)
            tier.stop()


main()
