#!/usr/bin/env python3
"""What going on with a session costs on another replica: read from Redis, against its prompt computed anew.

    measure-restore.py --catena .build/release/catena --redis redis-server --model Models/catena-fable-16m

Starts Redis and two replicas on loopback. A session of so many tokens is begun on the first one and continued by one token on
the second one, which answers with one token; then the second one gets the same prompt without a session, with its prefix cache
off. Prompts are token ids, so that no tokenising is in the times. Each figure is the fastest of --runs: on a machine
that does other things as well, the others measure those.
"""

import argparse
import http.client
import json
import socket
import subprocess
import tempfile
import time
from pathlib import Path


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


class Replica:
    def __init__(self, arguments: argparse.Namespace, redis_port: int, log: Path) -> None:
        self.port = free_port()
        settings = {
            "sessions.redis.host": "127.0.0.1",
            "sessions.redis.port": redis_port,
            "sessions.redis.lookup_timeout": "2s",
            "sessions.redis.compress": str(arguments.compress).lower(),
            "sessions.redis.command_timeout": "10s",
            "sessions.redis.chunk": arguments.chunk,
            "compute.threads": arguments.threads,
            "kv_cache.prefix_cache": "false",
            "kv_cache.size": arguments.kv,
        }
        words = [word for key, value in settings.items() for word in ("--set", f"{key}={value}")]
        self.process = subprocess.Popen(
            [arguments.catena, "serve", "--model", arguments.model, "--port", str(self.port), *words],
            stderr=log.open("w"),
        )
        self.connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=60)
        deadline = time.monotonic() + 60
        while time.monotonic() < deadline:
            try:
                if self.get("/readyz")[0] == 200:
                    return
            except OSError:
                self.connection.close()
            time.sleep(0.1)
        raise SystemExit(f"no replica within a minute: {log.read_text()}")

    def get(self, path: str) -> tuple[int, str]:
        self.connection.request("GET", path)
        answer = self.connection.getresponse()
        return answer.status, answer.read().decode()

    def complete(self, tokens: list[int], session: str | None) -> tuple[float, dict]:
        """Milliseconds to one token, and the answer."""
        body = {"prompt": tokens, "max_tokens": 1, "temperature": 0, "chains": 1, "ignore_eos": True}
        headers = {"Content-Type": "application/json"} | ({"X-Session-Id": session} if session else {})
        text = json.dumps(body)
        began = time.perf_counter()
        self.connection.request("POST", "/v1/completions", text, headers)
        answer = json.loads(self.connection.getresponse().read())
        milliseconds = (time.perf_counter() - began) * 1000
        if "error" in answer:
            raise SystemExit(answer["error"]["message"])
        return milliseconds, answer

    def metric(self, name: str) -> float:
        return next(float(line.rsplit(" ", 1)[1]) for line in self.get("/metrics")[1].splitlines() if line.startswith(name))

    def stores(self) -> float:
        return self.metric('catena_redis_operations_total{operation="store",outcome="ok"}')

    def lookup_seconds(self) -> float:
        return self.metric('catena_redis_operation_seconds_sum{operation="lookup"}')


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--catena", required=True)
    parser.add_argument("--redis", default="redis-server")
    parser.add_argument("--model", required=True)
    parser.add_argument("--tokens", default="100,300,900,1800")
    parser.add_argument("--runs", type=int, default=15)
    parser.add_argument("--kv", default="256MiB", help="kv_cache.size")
    parser.add_argument("--threads", default="auto", help="compute.threads")
    parser.add_argument("--chunk", default="1MiB", help="sessions.redis.chunk")
    parser.add_argument("--compress", action="store_true")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        redis_port = free_port()
        redis = subprocess.Popen(
            [arguments.redis, "--bind", "127.0.0.1", "--port", str(redis_port), "--save", "", "--dir", folder],
            stdout=subprocess.DEVNULL,
        )
        time.sleep(0.5)
        replicas = [Replica(arguments, redis_port, Path(folder) / f"{name}.log") for name in "ab"]
        try:
            measure(arguments, *replicas)
        finally:
            for process in [replica.process for replica in replicas] + [redis]:
                process.terminate()
                process.wait(timeout=60)


def measure(arguments: argparse.Namespace, first: Replica, second: Replica) -> None:
    print("| tokens | snapshot, bytes a token | prompt computed | session read | of it Redis | in memory | share |")
    print("|---|---|---|---|---|---|---|")
    for count in map(int, arguments.tokens.split(",")):
        computed, restored, lookups, warm, size = [], [], [], [], 0
        for run in range(arguments.runs):
            tokens = [(run * 977 + n * 31) % 2000 + 300 for n in range(count - 1)]
            session = f"{count}-{run}"
            stores, written = first.stores(), first.metric('catena_redis_bytes_total{direction="written"}')
            first.complete(tokens, session)
            while first.stores() == stores:
                time.sleep(0.002)
            size = first.metric('catena_redis_bytes_total{direction="written"}') - written
            # What the first one drew is not computed yet, so any token may stand in its place.
            tokens += [301]
            before = second.lookup_seconds()
            milliseconds, answer = second.complete(tokens, session)
            cached = answer["usage"]["prompt_tokens_details"]["cached_tokens"]
            if cached != count - 1:
                raise SystemExit(f"{cached} of {count - 1} tokens were found")
            restored.append(milliseconds)
            lookups.append((second.lookup_seconds() - before) * 1000)
            computed.append(second.complete(tokens, None)[0])
            warm.append(second.complete(tokens + [302], session)[0])
        full, back, lookup, near = (min(x) for x in (computed, restored, lookups, warm))
        print(
            f"| {count} | {size / count:.0f} | {full:.2f} ms | {back:.2f} ms | {lookup:.2f} ms | {near:.2f} ms "
            f"| {back / full:.0%} |"
        )


main()
