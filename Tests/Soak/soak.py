"""A soak: mixed load with random disconnects, changes, tiny KV memory and session churn, for as long as you like.

    make soak SECONDS=1800

Two servers run: one under load with a KV pool that is far too small, and one that answers single requests with nothing
cached. What the first one says is compared with what the second one says to the same request: the texts, and of streams
every token and its log probability, at the size at which it was computed, also where a stream was changed on its way or
the server chose its sizes. At the end nothing may be left over: blocks, descriptors, memory.
"""

import argparse
import asyncio
import atexit
import json
import os
import random
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections import Counter

import httpx
from replay import Replay, Token, tokens

WORDS = "the old man and his dog went down to sea where ships of every size lay under a grey sky while gulls cried".split()


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


class Server:
    """A `catena serve` of its own."""

    def __init__(self, program: str, **settings: str) -> None:
        self.port = free_port()
        command = [program, "serve", "--port", str(self.port), "--set", "log.level=warning"]
        for key, value in settings.items():
            command += ["--set", f"{key.replace('__', '.')}={value}"]
        self.process = subprocess.Popen(command)
        # For whatever way the soak ends; what has ended is not killed.
        atexit.register(self.process.kill)
        deadline = time.monotonic() + 60
        while True:
            try:
                if httpx.get(f"{self.url}/readyz").status_code == 200:
                    return
            except httpx.TransportError:
                pass
            if time.monotonic() > deadline or self.process.poll() is not None:
                raise SystemExit("the server did not start")
            time.sleep(0.1)

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def metrics(self) -> dict[str, float]:
        lines = httpx.get(f"{self.url}/metrics").text.splitlines()
        return {line.rsplit(" ", 1)[0]: float(line.rsplit(" ", 1)[1]) for line in lines if not line.startswith("#")}

    def descriptors(self) -> int:
        return len(os.listdir(f"/proc/{self.process.pid}/fd"))

    def resident(self) -> int:
        with open(f"/proc/{self.process.pid}/statm") as file:
            return int(file.read().split()[1]) * os.sysconf("SC_PAGE_SIZE")

    def stop(self) -> int:
        self.process.send_signal(signal.SIGTERM)
        return self.process.wait(60)


class Soak:
    def __init__(self, loaded: Server, reference: Server, seed: int) -> None:
        self.loaded, self.reference = loaded, reference
        self.random = random.Random(seed)
        limits = httpx.Limits(max_connections=None, max_keepalive_connections=32)
        self.http = httpx.AsyncClient(base_url=loaded.url, timeout=120, limits=limits)
        self.single = httpx.AsyncClient(base_url=reference.url, timeout=120)
        self.replay = Replay(self.single)
        self.counts: Counter[str] = Counter()
        self.sessions: dict[str, str] = {}
        # Resident bytes over time, one sample a minute.
        self.resident: list[int] = []

    def text(self, low: int, high: int) -> str:
        return " ".join(self.random.choices(WORDS, k=self.random.randint(low, high)))

    def body(self) -> dict:
        # A few beginnings that many prompts share, so that the prefix cache has something to do.
        start = random.Random(self.random.randint(0, 5)).choices(WORDS, k=self.random.choice([0, 40, 120]))
        return {
            "prompt": " ".join(start) + " " + self.text(1, 60),
            # Some outgrow what the pool has room for beside the others.
            "max_tokens": self.random.randint(200, 400) if self.random.random() < 0.1 else self.random.randint(1, 60),
            "temperature": self.random.choice([0, 0.8]),
            "seed": self.random.randint(0, 1 << 40),
            "chains": self.random.randint(1, 4),
            "ignore_eos": True,
        }

    async def check(self, body: dict, text: str) -> None:
        """Asks the quiet server the same, and compares."""
        self.compare(body, text, await self.replay.whole(body))

    async def check_stream(self, body: dict, streamed: list[Token], text: str | None) -> None:
        """Asks the quiet server for the same tokens at the same sizes, and compares.

        `text` is that of the stream; None: it did not come to its end, so some may be missing.
        """
        self.compare(body, streamed, await self.replay.tokens(body, streamed))
        if text is not None:
            self.compare(body, text, await self.replay.text(streamed))
        sizes = [token.chains for token in streamed]
        self.counts["switches checked"] += sum(a != b for a, b in zip(sizes, sizes[1:], strict=False))

    def compare(self, body: dict, got: str | list[Token], expected: str | list[Token]) -> None:
        self.counts["checked"] += 1
        if got != expected:
            self.counts["WRONG"] += 1
            print(f"wrong: {json.dumps(body)}\n  got      {got!r}\n  expected {expected!r}", file=sys.stderr)

    async def whole(self) -> None:
        body = self.body()
        if self.random.random() < 0.2:
            body["n"] = 3
        answer = await self.http.post("/v1/completions", json=body)
        if answer.status_code == 503:
            self.counts["refused"] += 1
            return
        assert answer.status_code == 200, answer.text
        self.counts["whole"] += 1
        await self.check(body, answer.json()["choices"][0]["text"])

    def change(self) -> dict:
        """Another size, a range, or a budget that leaves the size to the server."""
        return self.random.choice([
            {"chains": self.random.randint(1, 4)},
            {"chains": "1-4", "latency_budget_ms": self.random.choice([30, 100, 300, 1000])},
        ])

    async def stream(self) -> None:
        """A stream that may be changed, left, or cancelled on its way."""
        await self.read(self.body(), self.random.choice(["read", "read", "leave", "change", "change", "cancel"]))

    async def read(self, body: dict, fate: str) -> None:
        """Reads a stream to the end, or to where its fate finds it, and checks what came."""
        body = {**body, "stream": True, "logprobs": 0}
        turn = self.random.randint(1, body["max_tokens"])
        text, seen = "", 0
        streamed: list[Token] = []
        async with self.http.stream("POST", "/v1/completions", json=body) as stream:
            if stream.status_code == 503:
                self.counts["refused"] += 1
                return
            assert stream.status_code == 200, stream.status_code
            name = stream.headers["x-completion-id"]
            async for line in stream.aiter_lines():
                if not line.startswith("data: {"):
                    continue
                chunk = json.loads(line[6:])
                if "error" in chunk:
                    assert fate == "cancel", chunk
                    continue
                text += chunk["choices"][0]["text"]
                streamed += tokens(chunk)
                seen += 1
                if seen != turn:
                    continue
                if fate == "leave":
                    break
                if fate == "change":
                    answer = await self.http.patch(f"/v1/requests/{name}", json=self.change())
                    assert answer.status_code in (200, 404), answer.text
                if fate == "cancel":
                    await self.http.delete(f"/v1/requests/{name}")
        self.counts[fate] += 1
        await self.check_stream(body, streamed, text if fate in ("read", "change", "budget") else None)

    async def session(self) -> None:
        """A turn of a conversation, at any size: its answer is that to the whole text alone."""
        name = f"s{self.random.randint(0, 40)}"
        if self.random.random() < 0.05:
            self.sessions.pop(name, None)
            await self.http.delete(f"/v1/sessions/{name}")
            self.counts["forgotten"] += 1
            return
        known = self.sessions.pop(name, "")
        body = {**self.body(), "session_id": name}
        body["prompt"] = (known + " " + self.text(1, 20)).strip()
        answer = await self.http.post("/v1/completions", json=body)
        if answer.status_code == 503:
            self.counts["refused"] += 1
            return
        assert answer.status_code == 200, answer.text
        text = answer.json()["choices"][0]["text"]
        whole = body["prompt"] + text
        if len(whole) < 3000:
            self.sessions[name] = whole
        self.counts["session turns"] += 1
        self.counts["cached tokens"] += answer.json()["usage"]["prompt_tokens_details"]["cached_tokens"]
        # The prompt's own tokens: a session's are those that were sampled, and other text may spell them otherwise.
        if known == "":
            await self.check(body, text)

    async def budget(self) -> None:
        """A stream whose sizes the server chooses."""
        body = self.body()
        del body["chains"]
        body["latency_budget_ms"] = self.random.choice([30, 100, 300, 1000])
        await self.read(body, "budget")

    async def client(self, until: float) -> None:
        while time.monotonic() < until:
            act = self.random.choice([self.whole, self.stream, self.stream, self.session, self.session, self.budget])
            try:
                await act()
            except httpx.TransportError as error:
                self.counts["BROKEN"] += 1
                print(f"{act.__name__}: {error!r}", file=sys.stderr)
            except AssertionError as error:
                self.counts["BROKEN"] += 1
                print(f"{act.__name__}: {error}", file=sys.stderr)

    async def report(self, until: float) -> None:
        while time.monotonic() < until:
            await asyncio.sleep(min(60, max(1, until - time.monotonic())))
            self.resident.append(self.loaded.resident())
            megabytes = self.resident[-1] / 1e6
            print(f"{dict(self.counts)}, {megabytes:.0f} MB, {self.loaded.descriptors()} descriptors", flush=True)

    async def run(self, seconds: float, clients: int) -> None:
        await self.replay.learn_vocabulary()
        until = time.monotonic() + seconds
        await asyncio.gather(self.report(until), *(self.client(until) for _ in range(clients)))
        for session in [f"s{number}" for number in range(41)]:
            await self.http.delete(f"/v1/sessions/{session}")
        await self.http.aclose()
        await self.single.aclose()


def main() -> int:
    arguments = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    arguments.add_argument("--catena", default=".build/release/catena")
    arguments.add_argument("--seconds", type=float, default=1800)
    arguments.add_argument("--clients", type=int, default=64)
    arguments.add_argument("--seed", type=int, default=1)
    arguments.add_argument("--any-memory", action="store_true", help="do not judge memory: sanitizers keep what is freed")
    options = arguments.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        loaded = Server(
            options.catena,
            # Room for the model's context and little more: requests take blocks from each other all the time.
            kv_cache__size="9MiB",
            scheduler__max_running="16",
            scheduler__max_queued="8",
            sessions__disk__path=folder,
            sessions__disk__size="64MiB",
            sessions__max="8",
        )
        reference = Server(options.catena, kv_cache__prefix_cache="false", scheduler__max_running="1")
        # What a first request opens stays open.
        httpx.post(f"{loaded.url}/v1/completions", json={"prompt": "Once", "max_tokens": 4})
        before = (loaded.descriptors(), loaded.resident())
        soak = Soak(loaded, reference, options.seed)
        asyncio.run(soak.run(options.seconds, options.clients))
        time.sleep(3)
        metrics = loaded.metrics()
        after = (loaded.descriptors(), loaded.resident())
        used = metrics['catena_kv_blocks{state="used"}']
        print(f"answers: {dict(soak.counts)}")
        print(f"preemptions: {metrics['catena_preemptions_total']:.0f}, "
              f"evictions: {metrics['catena_kv_blocks_evicted_total']:.0f}")
        print(f"blocks in use at the end: {used:.0f}; descriptors {before[0]} -> {after[0]}; "
              f"resident {before[1] / 1e6:.0f} -> {after[1] / 1e6:.0f} MB")
        statuses = (loaded.stop(), reference.stop())
        print(f"exit statuses {statuses}")
        # Pages come with their first use, and allocators and the spare memory for sessions keep some, so memory is judged from
        # half of the time on.
        settled = soak.resident[len(soak.resident) // 2] if len(soak.resident) > 3 else after[1]
        # A check that never sees a change of size says nothing.
        sound = (
            soak.counts["WRONG"] == 0 and soak.counts["BROKEN"] == 0 and soak.counts["switches checked"] > 0
            and used == 0 and statuses == (0, 0)
            and after[0] <= before[0] + 2 and (options.any_memory or after[1] - settled < 16e6)
        )
        print("sound" if sound else "NOT SOUND")
        return 0 if sound else 1


if __name__ == "__main__":
    sys.exit(main())
