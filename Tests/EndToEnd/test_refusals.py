"""What the transport refuses, before anybody looks for what it asks: it has its line in the access log all the same."""

import random
import socket
from collections.abc import Iterator

import pytest

from guarded_server import GuardedServer, make_key


@pytest.fixture(scope="module")
def bob() -> tuple[str, str]:
    return make_key("bob")


@pytest.fixture(scope="module")
def impatient(tmp_path_factory: pytest.TempPathFactory, bob: tuple[str, str]) -> Iterator[GuardedServer]:
    """One whose clients have little time and few connections."""
    running = GuardedServer(
        tmp_path_factory.mktemp("impatient"),
        [bob[1]],
        *("--set", "cors.origins=https://a.example", "--set", "http.timeouts.header=500ms"),
        *("--set", "http.timeouts.body=500ms", "--set", "http.max_connections_per_address=12"),
    )
    yield running
    assert running.stop() == 0


def raw(port: int, request: bytes) -> tuple[int, dict[str, str]]:
    """Sends bytes as they are; the status of the answer, and its fields with names in lower case."""
    with socket.create_connection(("127.0.0.1", port), timeout=30) as client:
        client.sendall(request)
        said = b""
        while piece := client.recv(65536):
            said += piece
    head, _, _ = said.partition(b"\r\n\r\n")
    first, *fields = head.decode().split("\r\n")
    return int(first.split()[1]), dict((name.lower(), value) for name, value in (line.split(": ", 1) for line in fields))


POST = (
    "POST /v1/completions HTTP/1.1\r\nHost: a\r\nX-Request-Id: {id}\r\nOrigin: https://a.example\r\n"
    "Authorization: Bearer {key}\r\nContent-Type: application/json\r\n"
)


@pytest.mark.parametrize(
    ("request_text", "status", "reason", "path"),
    [
        ("\x16\x03\x01\x02", 400, "control byte", None),
        ("GET / HTTP/1.1\n\n", 400, "LF alone", None),
        (f"GET /{'x' * 20_000} HTTP/1.1\r\n\r\n", 414, "target is longer", None),
        (POST + "Host: b\r\n\r\n", 400, "more than one Host", "/v1/completions"),
        (POST + f"X: {'x' * 20_000}\r\n\r\n", 431, "header line is longer", "/v1/completions"),
        (POST + "Content-Length: 99999999999\r\n\r\n", 413, "body is larger", "/v1/completions"),
        (POST + "Transfer-Encoding: chunked\r\n\r\nxyz\r\n", 400, "chunk does not start", "/v1/completions"),
        (POST + "Transfer-Encoding: gzip, chunked\r\n\r\n", 501, "transfer coding", "/v1/completions"),
        (POST + "Content-Encoding: br\r\nContent-Length: 1\r\nConnection: close\r\n\r\nx", 415, "gzip", "/v1/completions"),
        (POST + "Expect: 200-ok\r\nContent-Length: 1\r\n\r\nx", 417, "expectation", "/v1/completions"),
        (POST.replace("/1.1", "/2.7"), 505, "HTTP/1.1 and HTTP/1.0", None),
        (POST.replace("POST", "BREW") + "Connection: close\r\n\r\n", 501, "does not implement", "/v1/completions"),
        # They come too slowly: the rest never does.
        (POST, 408, "head of the request came too slowly", "/v1/completions"),
        (POST + "Content-Length: 5\r\n\r\nabc", 408, "body of the request came too slowly", "/v1/completions"),
    ],
)
def test_what_the_transport_refuses_is_logged(
    impatient: GuardedServer, bob: tuple[str, str], request_text: str, status: int, reason: str, path: str | None
) -> None:
    name = f"refused-{random.getrandbits(64)}"
    text = request_text.replace("{id}", name).replace("{key}", bob[0])
    said, fields = raw(impatient.port, text.encode("latin-1"))
    assert said == status
    request = fields["x-request-id"]
    assert (request == name) == (path is not None)
    entry = impatient.entry(request)
    assert (entry["status"], entry["path"], entry["code"]) == (status, path, None)
    # A method that there is not has no endpoint, and nobody looks for a key.
    assert entry["key"] == ("bob" if path and entry["method"] == "POST" else None)
    assert reason in entry["reason"] and entry["remote"].startswith("127.0.0.1:")
    assert [line["request_id"] for line in impatient.entries()].count(request) == 1
    # A page may read why, where the server knows that it asks.
    assert (fields.get("access-control-allow-origin") == "https://a.example") == (path is not None)
    assert fields["vary"] == "Origin"


def test_too_many_connections_are_logged(impatient: GuardedServer) -> None:
    held = [socket.create_connection(("127.0.0.1", impatient.port)) for _ in range(12)]
    try:
        said, fields = raw(impatient.port, b"")
        assert said == 503 and fields["retry-after"] == "1"
        entry = impatient.entry(fields["x-request-id"])
        assert (entry["status"], entry["method"], entry["path"]) == (503, None, None)
        assert "too many connections from this address" in entry["reason"]
    finally:
        for client in held:
            client.close()
