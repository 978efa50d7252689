"""Measures what a balancer adds to every token of a stream: deploy/haproxy/measure-lag.py --catena PROGRAM

A relay stands between balancer and replica and notes when each event leaves the replica; the client notes when it
arrives. Both are in this process and share a clock. "direct" is the same without a balancer: what relay and client
take themselves.
"""

import argparse
import os
import re
import socket
import statistics
import subprocess
import tempfile
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
EVENT = b"data: {"


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def connected(port: int) -> socket.socket:
    stream = socket.create_connection(("127.0.0.1", port))
    stream.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    return stream


class Stamps:
    """When events passed, in seconds. An event may be cut by the end of what was read."""

    def __init__(self) -> None:
        self.times: list[float] = []
        self.rest = b""

    def saw(self, data: bytes) -> None:
        now = time.monotonic()
        joined = self.rest + data
        self.times += [now] * joined.count(EVENT)
        self.rest = joined[-(len(EVENT) - 1) :]


class Relay:
    """Passes bytes on to a port, and stamps the events that come back."""

    def __init__(self, target: int) -> None:
        self.target = target
        self.stamps = Stamps()
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.port = self.listener.getsockname()[1]
        threading.Thread(target=self.accept, daemon=True).start()

    def accept(self) -> None:
        while True:
            near, _ = self.listener.accept()
            near.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            far = connected(self.target)
            threading.Thread(target=self.copy, args=(near, far, False), daemon=True).start()
            threading.Thread(target=self.copy, args=(far, near, True), daemon=True).start()

    def copy(self, source: socket.socket, sink: socket.socket, stamped: bool) -> None:
        try:
            while data := source.recv(65536):
                if stamped:
                    self.stamps.saw(data)
                sink.sendall(data)
            sink.shutdown(socket.SHUT_WR)
        except OSError:
            sink.close()


def stream(port: int, relay: Relay, tokens: int) -> list[float]:
    """Asks for one stream; the milliseconds of each event from the relay to here."""
    relay.stamps = Stamps()
    body = f'{{"prompt":"Once upon a time","max_tokens":{tokens},"ignore_eos":true,"stream":true,"temperature":0}}'
    client = connected(port)
    client.sendall(
        b"POST /v1/completions HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\nX-Session-Id: lag\r\n"
        b"X-Chains: 4\r\nConnection: close\r\n" + f"Content-Length: {len(body)}\r\n\r\n{body}".encode()
    )
    here = Stamps()
    while data := client.recv(65536):
        here.saw(data)
    sent = relay.stamps.times
    if len(sent) != len(here.times) or len(sent) < 0.9 * tokens:
        raise SystemExit(f"{len(sent)} events passed the relay, {len(here.times)} arrived, {tokens} were asked for")
    return [1000 * (arrived - left) for left, arrived in zip(sent, here.times, strict=True)]


def wait_for(port: int, process: subprocess.Popen) -> None:
    for _ in range(600):
        if process.poll() is not None:
            raise SystemExit(f"{process.args[0]} ended with {process.returncode}")
        try:
            with connected(port) as probe:
                probe.sendall(b"GET /readyz HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n")
                if b" 200 " in probe.recv(4096):
                    return
        except OSError:
            pass
        time.sleep(0.05)
    raise SystemExit(f"nothing is ready on port {port} after 30 s")


@contextmanager
def running(command: list[str | Path], port: int, **environment: str) -> Iterator[int]:
    process = subprocess.Popen(
        command, env=os.environ | environment, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    )
    try:
        wait_for(port, process)
        yield port
    finally:
        process.terminate()
        process.wait()


def main() -> None:
    options = argparse.ArgumentParser()
    options.add_argument("--catena", default=ROOT / ".build" / "release" / "catena")
    options.add_argument("--haproxy", default="haproxy")
    options.add_argument("--nginx", default="nginx")
    options.add_argument("--streams", type=int, default=5, help="streams each way, by turns")
    options.add_argument("--tokens", type=int, default=200)
    chosen = options.parse_args()

    replica, with_delay, no_delay, nginx = (free_port() for _ in range(4))
    with tempfile.TemporaryDirectory() as folder:
        haproxy = (ROOT / "deploy" / "haproxy" / "haproxy.cfg").read_text()
        delayed = Path(folder) / "delayed.cfg"
        delayed.write_text(haproxy.replace("    option http-no-delay\n", ""))
        server = [chosen.catena, "serve", "--model", ROOT / "Models" / "catena-fable-16m", "--port", str(replica)]
        with running([*server, "--threads", "1"], replica):
            relay = Relay(replica)
            replicas = {f"CATENA_{n}": f"127.0.0.1:{relay.port}" for n in (1, 2, 3)}
            text = (ROOT / "deploy" / "nginx" / "nginx.conf").read_text()
            text = re.sub(r"catena-[123]:8080", f"127.0.0.1:{relay.port}", text)
            text = text.replace("/run/nginx.pid", f"{folder}/nginx.pid").replace("/dev/stdout", "/dev/null")
            configuration = Path(folder) / "nginx.conf"
            configuration.write_text(text.replace("listen 8080", f"listen 127.0.0.1:{nginx}"))

            def addresses(port: int) -> dict[str, str]:
                return replicas | {"LISTEN": f"127.0.0.1:{port}", "ADMIN": f"127.0.0.1:{free_port()}"}

            shipped = ROOT / "deploy" / "haproxy" / "haproxy.cfg"
            with (
                running([chosen.haproxy, "-f", shipped], no_delay, **addresses(no_delay)),
                running([chosen.haproxy, "-f", delayed], with_delay, **addresses(with_delay)),
                running([chosen.nginx, "-c", configuration, "-g", "daemon off;"], nginx),
            ):
                ways = {
                    "direct": relay.port,
                    "HAProxy, deploy/haproxy": no_delay,
                    "HAProxy without http-no-delay": with_delay,
                    "nginx, deploy/nginx": nginx,
                }
                lags: dict[str, list[float]] = {way: [] for way in ways}
                for _ in range(chosen.streams):
                    for way, port in ways.items():
                        lags[way] += stream(port, relay, chosen.tokens)
    for way, values in lags.items():
        values.sort()
        print(
            f"{way:32} {len(values)} tokens: median {statistics.median(values):.2f} ms, "
            f"p99 {values[int(0.99 * len(values))]:.2f} ms, most {values[-1]:.2f} ms"
        )


main()
