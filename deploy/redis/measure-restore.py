#!/usr/bin/env python3
"""What going on with a session costs on another replica: read from Redis, against its prompt computed anew.

    measure-restore.py --catena .build/release/catena --redis redis-server --model Models/catena-fable-16m

Starts Redis and two replicas on loopback. A session of so many tokens is begun on the first one and continued by one token on
the second one, which answers with one token; then the second one gets the same prompt without a session, with its prefix cache
off. With --tier redis-unix they reach Redis by a Unix socket, with --tier disk both have one folder in its place. With --gaps 8
it tells what so many streams feel of it on the second replica. Prompts are token ids, so that no tokenising is in the times, and
no request is sent before everything that an earlier one left to be written is written.

Each figure is the median over --runs sessions, as a client on the same machine sees it. The share is that of whole requests,
"restore : prefill" that of what each takes beyond a request whose session is in memory. Where the machine does other things as
well, --quiet waits before each session until it does not, and --fastest gives the least of the runs.
"""

import argparse
import json
import os
import selectors
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


def completion(tokens: list[int], session: str | None = None, **fields: object) -> bytes:
    """A request for one token."""
    body = {"prompt": tokens, "max_tokens": 1, "temperature": 0, "chains": 1, "ignore_eos": True} | fields
    text = json.dumps(body).encode()
    head = f"POST /v1/completions HTTP/1.1\r\nHost: replica\r\nContent-Type: application/json\r\nContent-Length: {len(text)}\r\n"
    if session:
        head += f"X-Session-Id: {session}\r\n"
    return head.encode() + b"\r\n" + text


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
        request = completion(tokens, session)
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
        if arguments.tier == "redis-unix":
            listening = ["--port", "0", "--unixsocket", str(folder / "redis.sock")]
            self.settings = {"sessions.redis.unix_socket": str(folder / "redis.sock")}
        else:
            port = str(free_port())
            listening = ["--bind", "127.0.0.1", "--port", port]
            self.settings = {"sessions.redis.host": "127.0.0.1", "sessions.redis.port": port}
        self.process = subprocess.Popen(
            [arguments.redis, *listening, "--save", "", "--dir", folder], stdout=subprocess.DEVNULL
        )
        self.settings |= {
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
    titles = ["tokens", "snapshot, bytes a token", "prompt computed", "session read", "of it Redis", "in memory", "share"]
    print(f"| {' | '.join([*titles, 'restore : prefill'])} |")
    print("|" + "---|" * 8)
    for count in map(int, arguments.tokens.split(",")):
        computed, restored, lookups, warm, size = [], [], [], [], 0.0
        # Those before the first one that counts use the memory of the pool for the first time, which takes milliseconds.
        for run in range(-arguments.warmup, arguments.runs):
            tokens = [(run * 977 + n * 31) % 2000 + 300 for n in range(count - 1)]
            session = f"{count}-{run}"
            if arguments.quiet and run >= 0:
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
            if run < 0:
                restored, lookups, computed, warm = [], [], [], []
        full, back, near = (center(x) for x in (computed, restored, warm))
        redis = "-" if arguments.tier == "disk" else f"{center(lookups):.2f} ms"
        print(
            f"| {count} | {size / count:.0f} | {full:.2f} ms | {back:.2f} ms | {redis} | {near:.2f} ms "
            f"| {back / full:.1%} | {(back - near) / (full - near):.1%} |",
            flush=True,
        )


class Streams:
    """Answers that a replica writes all the time, and the gaps between their tokens."""

    def __init__(self, replica: Replica, count: int) -> None:
        self.selector = selectors.DefaultSelector()
        self.last: dict[socket.socket, float | None] = {}
        # When each gap ended, and its length, in seconds.
        self.gaps: list[tuple[float, float]] = []
        for number in range(count):
            stream = socket.create_connection(("127.0.0.1", replica.port), timeout=120)
            self._begin(stream, number)
            self.selector.register(stream, selectors.EVENT_READ, number)

    def _begin(self, stream: socket.socket, number: int) -> None:
        self.last[stream] = None
        stream.sendall(completion([400 + number, 401], max_tokens=1000, stream=True))

    def run(self, until: float, other: socket.socket | None = None) -> None:
        """Reads until then; and from another connection too, whose answers are nobody's."""
        if other:
            self.selector.register(other, selectors.EVENT_READ)
        while (left := until - time.perf_counter()) > 0:
            for key, _ in self.selector.select(left):
                text = key.fileobj.recv(1 << 16)
                now = time.perf_counter()
                if not text:
                    raise ConnectionError("the replica closed a connection")
                if key.data is None:
                    if text.startswith(b"HTTP/1.1 ") and not text.startswith(b"HTTP/1.1 200"):
                        raise SystemExit(text.decode())
                    continue
                if b"data: [DONE]" in text:
                    self._begin(key.fileobj, key.data)
                elif b"data: {" in text:
                    before, self.last[key.fileobj] = self.last[key.fileobj], now
                    if before is not None:
                        self.gaps.append((now, now - before))
        if other:
            self.selector.unregister(other)


def measure_gaps(arguments: argparse.Namespace, tier: RedisTier | DiskTier, first: Replica, second: Replica) -> None:
    """What streams on the second replica feel of sessions that come to it, and of the same prompts without a session."""
    window, spacing = 0.1, 0.15

    def show(name: str, requests: list[bytes | None]) -> None:
        streams = Streams(second, arguments.gaps)
        streams.run(time.perf_counter() + 1)
        longest = []
        for request in requests:
            began = time.perf_counter()
            if request:
                second.socket.sendall(request)
            streams.run(began + window, second.socket)
            longest.append(max(gap for end, gap in streams.gaps if end >= began) * 1000)
            streams.run(began + spacing)
        usual = statistics.median(gap for _, gap in streams.gaps) * 1000
        for stream in list(streams.last):
            stream.close()
        print(f"| {name} | {usual:.2f} ms | {statistics.median(longest):.2f} ms | {max(longest):.2f} ms |", flush=True)

    # The pool's memory, once.
    for run in range(arguments.warmup):
        second.complete([(run + n) % 2000 + 300 for n in range(1800)], f"warmup-{run}")
    print(f"| {arguments.gaps} streams | gap between tokens | longest within {window * 1000:.0f} ms | longest of all |")
    print("|---|---|---|---|")
    show("alone", [None] * arguments.runs)
    for count in map(int, arguments.tokens.split(",")):
        sessions = []
        for run in range(arguments.runs):
            tokens = [(run * 977 + n * 31) % 2000 + 300 for n in range(count - 1)]
            after_writing(tier, first, lambda tokens=tokens, run=run: first.complete(tokens, f"{count}-{run}"))
            sessions.append(([*tokens, 301], f"{count}-{run}"))
        show(f"{count} tokens read", [completion(tokens, session) for tokens, session in sessions])
        show(f"{count} tokens in memory", [completion([*tokens, 302], session) for tokens, session in sessions])
        show(f"{count} tokens computed", [completion(tokens) for tokens, _ in sessions])


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--catena", required=True)
    parser.add_argument("--redis", default="redis-server")
    parser.add_argument("--model", required=True)
    parser.add_argument("--tier", choices=["redis", "redis-unix", "disk"], default="redis")
    parser.add_argument("--tokens", default="100,300,900,1800")
    parser.add_argument("--runs", type=int, default=31)
    parser.add_argument("--warmup", type=int, default=20, help="sessions that do not count, to use the pool's memory once")
    parser.add_argument("--fastest", action="store_true", help="the least of the runs in the place of their median")
    parser.add_argument("--quiet", action="store_true", help="begin no session while other work uses the processors")
    parser.add_argument("--kv", default="256MiB", help="kv_cache.size")
    parser.add_argument("--threads", default="auto", help="compute.threads")
    parser.add_argument("--chunk", help="sessions.redis.chunk")
    parser.add_argument("--compress", action="store_true")
    parser.add_argument("--gaps", type=int, help="measure what so many streams on the second replica feel of it")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        tier = DiskTier(folder) if arguments.tier == "disk" else RedisTier(arguments, folder)
        replicas: list[Replica] = []
        try:
            for log in ("a.log", "b.log"):
                replicas.append(Replica(arguments, tier.settings, folder / log))
            (measure_gaps if arguments.gaps else measure)(arguments, tier, *replicas)
        finally:
            for replica in replicas:
                replica.process.terminate()
                replica.process.wait(timeout=60)
            tier.stop()


main()
