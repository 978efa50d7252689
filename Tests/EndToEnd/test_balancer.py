"""Three replicas behind the real HAProxy, with the configuration of deploy/haproxy as it is.

`pytest -s` also prints how many requests met their session. HAPROXY names the program; `make test-clients`
brings it. Without one these tests are skipped.
"""

import json
import os
import shutil
import signal
import subprocess
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import httpx
import pytest
from conftest import ROOT, RunningServer, free_port

HAPROXY = os.environ.get("HAPROXY") or shutil.which("haproxy")
CONFIGURATION = ROOT / "deploy" / "haproxy" / "haproxy.cfg"

pytestmark = pytest.mark.skipif(HAPROXY is None, reason="there is no haproxy here; set HAPROXY to its path")


class Balancer:
    """HAProxy in front of three replicas, each with one thread and little KV."""

    def __init__(self, folder: Path, *settings: str) -> None:
        self.folder = folder
        self.arguments = ["--threads", "1", "--set", "kv_cache.size=64MiB"]
        self.arguments += ["--set", "http.max_connections_per_address=null", *settings]
        with ThreadPoolExecutor(3) as starters:
            self.replicas = list(starters.map(self.start, range(3)))
        port, admin = free_port(), free_port()
        self.url = f"http://127.0.0.1:{port}"
        self.admin = f"http://127.0.0.1:{admin}"
        addresses = {f"CATENA_{n}": f"127.0.0.1:{replica.port}" for n, replica in enumerate(self.replicas, start=1)}
        self.process = subprocess.Popen(
            [HAPROXY, "-f", CONFIGURATION],
            env=os.environ | addresses | {"LISTEN": f"127.0.0.1:{port}", "ADMIN": f"127.0.0.1:{admin}"},
            stdout=(folder / "haproxy.log").open("w"),
            stderr=subprocess.STDOUT,
        )
        self.wait_for_up(3)

    def start(self, number: int, port: int | None = None) -> RunningServer:
        return RunningServer(*self.arguments, log=self.folder / f"replica-{number}.log", port=port)

    def up(self, backend: str = "sessions") -> list[str]:
        """The replicas that HAProxy sends requests to."""
        lines = httpx.get(f"{self.admin}/;csv").text.splitlines()
        names = lines[0].lstrip("# ").split(",")
        rows = [dict(zip(names, line.split(","), strict=False)) for line in lines[1:]]
        servers = [row for row in rows if row["pxname"] == backend and row["type"] == "2"]
        return [server["svname"] for server in servers if "UP" in server["status"]]

    def wait_for_up(self, count: int) -> float:
        """Waits until HAProxy uses so many replicas; returns the seconds that this took."""
        began = time.monotonic()
        while time.monotonic() < began + 30:
            try:
                if len(self.up()) == count:
                    return time.monotonic() - began
            except httpx.TransportError:
                pass
            time.sleep(0.05)
        pytest.fail(f"HAProxy uses {self.up()} of the replicas after 30 s; {count} were expected")

    def complete(self, client: httpx.Client, prompt: str, session: str | None = None, **fields) -> httpx.Response:
        body = {"prompt": prompt, "max_tokens": 16, "temperature": 0, "chains": 1} | fields
        return client.post(
            f"{self.url}/v1/completions", json=body, headers={"X-Session-Id": session} if session else {}, timeout=120
        )

    def stop(self) -> None:
        self.process.terminate()
        self.process.wait(timeout=10)
        for replica in self.replicas:
            if replica.process.poll() is None:
                replica.process.kill()
                replica.process.wait(timeout=10)


@pytest.fixture
def balancer(tmp_path: Path) -> Iterator[Balancer]:
    running = Balancer(tmp_path, "--set", "shutdown.grace=6s")
    yield running
    running.stop()


def converse(balancer: Balancer, client: httpx.Client, session: str, turns: int) -> list[bool]:
    """Plays a conversation; says of each turn but the first whether nothing of its history was computed again."""
    text, history, met = f"The tale of {session} begins where", 0, []
    for turn in range(turns):
        answer = balancer.complete(client, text, session, cache_salt=session)
        assert answer.status_code == 200, answer.text
        usage = answer.json()["usage"]
        if turn:
            # The last token of an answer was drawn and not yet computed.
            met.append(usage["prompt_tokens_details"]["cached_tokens"] >= history - 1)
        history = usage["prompt_tokens"] + usage["completion_tokens"]
        text += answer.json()["choices"][0]["text"] + f" And then, at {turn + 1} o'clock,"
    return met


@pytest.mark.parametrize("clients", [1, 8])
def test_sessions_stay_on_their_replica(balancer: Balancer, clients: int) -> None:
    with httpx.Client() as client, ThreadPoolExecutor(clients) as people:
        met = [m for ms in people.map(lambda n: converse(balancer, client, f"person-{n}", 6), range(50)) for m in ms]
    held = [len(httpx.get(f"{r.url}/v1/sessions?limit=1000").json()["data"]) for r in balancer.replicas]
    print(f"\n{clients} clients: {sum(met)} of {len(met)} requests met their session; sessions by replica: {held}")
    assert len(met) == 250
    assert sum(met) >= 0.95 * len(met)
    assert min(held) >= 5, "the sessions are spread over all replicas"


def test_without_a_session_all_replicas_work(balancer: Balancer) -> None:
    with httpx.Client() as client, ThreadPoolExecutor(6) as people:
        statuses = list(people.map(lambda n: balancer.complete(client, f"Story {n}:").status_code, range(30)))
    assert statuses == [200] * 30
    for replica in balancer.replicas:
        assert 'catena_requests_total{outcome="completed"} 0' not in httpx.get(f"{replica.url}/metrics").text


def test_a_killed_replica_is_replaced(balancer: Balancer) -> None:
    with httpx.Client() as client:
        converse(balancer, client, "person-1", 2)
        holder = next(r for r in balancer.replicas if httpx.get(f"{r.url}/v1/sessions/person-1").status_code == 200)
        holder.process.send_signal(signal.SIGKILL)
        holder.process.wait(timeout=10)
        # At once, before a check has failed: the connection fails, and another replica is tried.
        for number in range(20):
            answer = balancer.complete(client, f"Story {number}:", f"person-{number}")
            assert answer.status_code == 200, answer.text
        assert balancer.wait_for_up(2) < 10
        assert balancer.complete(client, "Once more").status_code == 200
        # All gone: the error has the API's shape.
        for replica in balancer.replicas:
            replica.process.kill()
        balancer.wait_for_up(0)
        answer = balancer.complete(client, "Nobody hears")
        assert answer.status_code == 503
        assert answer.json()["error"]["code"] == "no_replica"
        assert answer.headers["Retry-After"] == "2"


def test_a_draining_replica_is_left_before_it_refuses(balancer: Balancer) -> None:
    leaving = balancer.replicas[0]
    failed = []
    with httpx.Client() as client:
        leaving.process.send_signal(signal.SIGTERM)
        time.sleep(0.1)
        assert httpx.get(f"{leaving.url}/readyz").status_code == 503
        began = time.monotonic()
        number = 0
        while time.monotonic() < began + 8:
            number += 1
            answer = balancer.complete(client, f"Story {number}:", f"person-{number}", max_tokens=4)
            if answer.status_code != 200:
                failed.append(answer.text)
            if len(balancer.up()) == 2 and leaving.process.poll() is not None:
                break
        assert balancer.up() == ["catena-2", "catena-3"]
        assert leaving.process.wait(timeout=30) == 0
    print(f"\n{number} requests while a replica drained, {len(failed)} failed")
    assert not failed


def test_a_full_replica_passes_requests_on(tmp_path: Path) -> None:
    balancer = Balancer(tmp_path, "--set", "scheduler.max_running=1", "--set", "scheduler.max_queued=1")
    try:
        with httpx.Client() as client, ThreadPoolExecutor(4) as people:
            # One session: all go to the same replica, which has room for two; each takes a large part of a second.
            long = {"max_tokens": 800, "chains": 4, "ignore_eos": True}
            answers = list(people.map(lambda n: balancer.complete(client, f"Story {n}:", "one", **long), range(4)))
        assert [answer.status_code for answer in answers] == [200] * 4, [answer.text for answer in answers]
        used = [
            replica
            for replica in balancer.replicas
            if 'catena_requests_total{outcome="completed"} 0' not in httpx.get(f"{replica.url}/metrics").text
        ]
        assert len(used) >= 2
    finally:
        balancer.stop()


def test_the_replica_hears_that_a_client_has_gone(balancer: Balancer) -> None:
    with httpx.Client() as client:
        body = {"prompt": "A long story:", "max_tokens": 900, "stream": True, "ignore_eos": True}
        with client.stream("POST", f"{balancer.url}/v1/completions", json=body) as answer:
            first = next(line for line in answer.iter_lines() if line.startswith("data:"))
            assert "choices" in json.loads(first.removeprefix("data:"))
    deadline = time.monotonic() + 10
    while time.monotonic() < deadline:
        pages = [httpx.get(f"{replica.url}/metrics").text for replica in balancer.replicas]
        if any('catena_requests_total{outcome="disconnected"} 1' in page for page in pages):
            return
        time.sleep(0.1)
    pytest.fail("no replica counts a disconnected client within 10 s")
