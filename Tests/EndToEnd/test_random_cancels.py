"""Cancels at random, in every state and in every way: each is over within a step of the engine, disturbs nobody, and leaves
nothing behind.

    make test-random RUNS=1000 SEED=7
"""

import asyncio
import json
import random
import socket
import struct
from collections import Counter
from collections.abc import Iterator

import httpx
import pytest
from conftest import RunningServer
from random_requests import WORDS

STATES = ["queued", "prefill", "decode"]
# With four places, four neighbours of which two run, and cancelled requests besides, some always wait.
SETTINGS = ["scheduler.max_running=4", "scheduler.max_queued=64", "scheduler.step_tokens=64", "kv_cache.size=64MiB"]


@pytest.fixture
def crowded(tmp_path) -> Iterator[RunningServer]:
    arguments = [part for setting in [*SETTINGS, "log.level=warning"] for part in ("--set", setting)]
    server = RunningServer(*arguments, log=tmp_path / "server.log")
    yield server
    assert server.stop() == 0


class Cancels:
    def __init__(self, server: RunningServer, http: httpx.AsyncClient, runs: int, seed: int) -> None:
        self.server, self.http = server, http
        self.random = random.Random(seed)
        self.left = runs
        self.started = 0
        self.counts: Counter[tuple[str, str, str]] = Counter()
        self.compared = 0
        self.stopped: dict[str, float] = {}
        self.neighbours = [self.neighbour(number) for number in range(12)]
        self.expected: list[str] = []

    def text(self, count: int) -> str:
        return " ".join(self.random.choices(WORDS, k=count))

    def neighbour(self, number: int) -> dict:
        """A request with one right answer."""
        return {
            "prompt": self.text(self.random.randint(1, 150)),
            "max_tokens": self.random.randint(4, 40),
            "temperature": 0.9,
            "seed": number,
            "chains": 1 + number % 4,
            "n": 1 + number % 2,
            "ignore_eos": True,
            "priority": 5,
        }

    async def answer(self, body: dict) -> str:
        answer = await self.http.post("/v1/completions", json=body)
        assert answer.status_code == 200, answer.text
        return json.dumps([choice["text"] for choice in answer.json()["choices"]])

    async def compare(self) -> None:
        while self.left > 0:
            number = self.random.randrange(len(self.neighbours))
            assert await self.answer(self.neighbours[number]) == self.expected[number], self.neighbours[number]
            self.compared += 1

    async def cancel_some(self) -> None:
        while self.left > 0:
            self.left -= 1
            await self.cancel_one()

    async def cancel_one(self) -> None:
        """Sends a request that takes long, waits until it is in some state, and takes it back in some way."""
        self.started += 1
        name = f"victim-{self.started}"
        wanted = self.random.choice(STATES)
        is_stream = self.random.random() < 0.5
        way = self.random.choice(["delete", "close", "reset"])
        body = {
            "prompt": self.text(self.random.choice([3, 300, 900])),
            "max_tokens": 600,
            "n": self.random.choice([1, 1, 3]),
            "ignore_eos": True,
            "stream": is_stream,
            "logprobs": self.random.choice([None, 2]),
            "echo": self.random.random() < 0.2,
            # The last to get a place, so that it waits; or before others.
            "priority": -5 if wanted == "queued" else 5,
        }
        reader, writer = await asyncio.open_connection("127.0.0.1", self.server.port)
        payload = json.dumps(body).encode()
        writer.write(
            f"POST /v1/completions HTTP/1.1\r\nHost: x\r\nX-Request-Id: {name}\r\nConnection: close\r\n"
            f"Content-Type: application/json\r\nContent-Length: {len(payload)}\r\n\r\n".encode() + payload
        )
        state = await self.reached(name, wanted)
        if way == "delete":
            answer = await self.http.delete(f"/v1/requests/{name}")
            assert answer.status_code == 200, answer.text
            said = await asyncio.wait_for(reader.read(-1), 60)
            assert b'"code":"request_cancelled"' in said, said[-300:]
            if said.startswith(b"HTTP/1.1 200"):
                assert is_stream and b"data: [DONE]\n\n" in said
            else:
                assert said.startswith(b"HTTP/1.1 499"), said[:100]
            # Not a moment later: the engine may still have its step to end, but nobody can reach it.
            assert await self.state(name) is None
        elif way == "reset":
            linger = struct.pack("ii", 1, 0)
            writer.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, linger)
            writer.transport.abort()
        writer.close()
        await self.gone(name)
        self.counts[state, "stream" if is_stream else "whole", way] += 1

    async def state(self, name: str) -> str | None:
        """How far the request is, by asking for a change that changes nothing; nil if there is none."""
        answer = await self.http.patch(f"/v1/requests/{name}", json={"chains": "1-4"})
        if answer.status_code == 404:
            return None
        assert answer.status_code == 200, answer.text
        status = answer.json()
        # Of several choices the first is the one that is furthest.
        return status["choices"][0]["status"] if "choices" in status else status["status"]

    async def reached(self, name: str, wanted: str) -> str:
        """Waits until the request is as far as wanted, or farther."""
        async with asyncio.timeout(120):
            while True:
                state = await self.state(name)
                if state is not None and STATES.index(state) >= STATES.index(wanted):
                    return state
                await asyncio.sleep(0)

    async def gone(self, name: str) -> None:
        async with asyncio.timeout(60):
            while await self.state(name) is not None:
                await asyncio.sleep(0.002)

    async def metrics(self) -> dict[str, float]:
        lines = (await self.http.get("/metrics")).text.splitlines()
        return {name: float(value) for name, value in (line.rsplit(" ", 1) for line in lines if line[0] != "#")}

    async def nothing_left(self) -> dict[str, float]:
        """Waits for the last step's figures, in which nothing may run, wait or hold memory."""
        held = ["catena_requests_running", "catena_requests_waiting", 'catena_kv_blocks{state="used"}']
        async with asyncio.timeout(30):
            while True:
                metrics = await self.metrics()
                if not any(metrics[name] for name in held):
                    return metrics
                await asyncio.sleep(0.02)

    async def run(self) -> None:
        self.expected = [await self.answer(body) for body in self.neighbours]
        before = await self.nothing_left()
        await asyncio.gather(*(self.compare() for _ in range(4)), *(self.cancel_some() for _ in range(6)))
        after = await self.nothing_left()

        def grown(outcome: str) -> float:
            name = f'catena_requests_total{{outcome="{outcome}"}}'
            return after[name] - before[name]

        deleted = sum(count for (_, _, way), count in self.counts.items() if way == "delete")
        assert grown("cancelled") == deleted
        assert grown("disconnected") == self.counts.total() - deleted
        assert grown("completed") == self.compared
        # Each victim has one answer or three, and by the engine's own count of steps none outlived the one that ran.
        self.stopped = {
            steps: after[name] - before[name]
            for steps in ("0", "1", "more")
            for name in [f'catena_cancels_total{{steps="{steps}"}}']
        }
        assert self.stopped["more"] == 0 and sum(self.stopped.values()) >= self.counts.total()
        # Whoever comes after finds the server as it was.
        assert [await self.answer(body) for body in self.neighbours] == self.expected


def test_random_cancels_free_their_places_and_harm_nobody(
    crowded: RunningServer, random_runs: int, random_seed: int
) -> None:
    async def run() -> Cancels:
        async with httpx.AsyncClient(base_url=crowded.url, timeout=300) as http:
            cancels = Cancels(crowded, http, random_runs, random_seed)
            await cancels.run()
            return cancels

    cancels = asyncio.run(run())
    print(f"seed {random_seed}: {cancels.counts.total()} cancels, {cancels.compared} answers of neighbours compared")
    print(f"  answers stopped, by the steps that ended in between: {cancels.stopped}")
    for way, count in sorted(cancels.counts.items()):
        print(f"  {' '.join(way)}: {count}")
    if random_runs >= 500:
        assert len(cancels.counts) == 18, "every state, form and way"
