"""HTTPS with clients that people use: curl, openssl, Python. And what SIGHUP does."""

import gzip
import json
import signal
import socket
import ssl
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from conftest import RunningServer, free_port


def write_certificate(folder: Path, name: str) -> None:
    subprocess.run(
        [
            *("openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-days", "2"),
            *("-subj", f"/CN={name}", "-addext", "subjectAltName=DNS:localhost,IP:127.0.0.1"),
            *("-keyout", folder / "key.pem", "-out", folder / "certificate.pem"),
        ],
        check=True,
        capture_output=True,
    )


class SecureServer(RunningServer):
    """A server with TLS on a second port. `authority` is its certificate, which signed itself."""

    def __init__(self, folder: Path, *arguments: str) -> None:
        write_certificate(folder, "first")
        self.folder = folder
        self.authority = folder / "certificate.pem"
        self.secure_port = free_port()
        self.secure_url = f"https://127.0.0.1:{self.secure_port}"
        self.log = folder / "log"
        super().__init__(
            *("--set", f"server.tls.port={self.secure_port}"),
            *("--set", f"server.tls.certificate={self.authority}"),
            *("--set", f"server.tls.key={folder / 'key.pem'}"),
            *arguments,
            log=self.log,
        )

    def certificate_name(self) -> str:
        """The common name that a new connection is shown."""
        pem = ssl.get_server_certificate(("127.0.0.1", self.secure_port))
        shown = subprocess.run(
            ["openssl", "x509", "-noout", "-subject"], input=pem, text=True, check=True, capture_output=True
        )
        return shown.stdout.rpartition("=")[2].strip()

    def reload(self, expected: str) -> None:
        """SIGHUP, and the log line that tells what came of it."""
        lines = self.log.read_text().count("\n")
        self.process.send_signal(signal.SIGHUP)
        deadline = time.monotonic() + 10
        while time.monotonic() < deadline:
            if any(expected in line for line in self.log.read_text().splitlines()[lines:]):
                return
            time.sleep(0.02)
        pytest.fail(f"no {expected!r} in the log:\n{self.log.read_text()}")


@pytest.fixture(scope="module")
def secure(tmp_path_factory: pytest.TempPathFactory) -> Iterator[SecureServer]:
    running = SecureServer(tmp_path_factory.mktemp("tls"))
    yield running
    assert running.stop() == 0


@pytest.mark.parametrize("version", ["1.2", "1.3"])
def test_curl(secure: SecureServer, version: str) -> None:
    answer = subprocess.run(
        [
            *("curl", "-sS", "--cacert", secure.authority, f"--tlsv{version}", "--tls-max", version),
            *("-w", "\n%{http_code} %{http_version} %{ssl_verify_result}", f"{secure.secure_url}/health"),
        ],
        check=True,
        capture_output=True,
        text=True,
    )
    assert answer.stdout.splitlines() == ['{"status":"ok"}', "200 1.1 0"]
    assert answer.stderr == ""


def test_curl_refuses_a_stranger(secure: SecureServer) -> None:
    assert subprocess.run(["curl", "-s", f"{secure.secure_url}/health"]).returncode == 60


def s_client(secure: SecureServer, *arguments: str, text: str = "") -> str:
    done = subprocess.run(
        ["openssl", "s_client", "-connect", f"127.0.0.1:{secure.secure_port}", *arguments],
        input=text,
        capture_output=True,
        text=True,
        timeout=20,
    )
    return done.stdout + done.stderr


@pytest.mark.parametrize("version", ["-tls1_2", "-tls1_3"])
def test_openssl_with_alpn(secure: SecureServer, version: str) -> None:
    shown = s_client(secure, version, "-alpn", "h2,http/1.1")
    assert "ALPN protocol: http/1.1" in shown
    assert "Compression: NONE" in shown
    assert version.replace("-tls1_", "TLSv1.") in shown


def test_openssl_cannot_use_old_versions_or_other_protocols(secure: SecureServer) -> None:
    for arguments in (["-tls1"], ["-tls1_1"]):
        assert "Cipher is (NONE)" in s_client(secure, *arguments, "-cipher", "ALL:@SECLEVEL=0")
    assert "no application protocol" in s_client(secure, "-alpn", "h2")


def test_openssl_cannot_renegotiate(secure: SecureServer) -> None:
    """A line `R` asks for it."""
    assert "no renegotiation" in s_client(secure, "-tls1_2", text="R\n")


def test_openssl_resumes_by_ticket(secure: SecureServer, tmp_path: Path) -> None:
    session = str(tmp_path / "session")
    s_client(secure, "-tls1_2", "-sess_out", session)
    assert "Reused, TLSv1.2" in s_client(secure, "-tls1_2", "-sess_in", session)


def test_a_request_by_openssl_is_answered_to_its_end(secure: SecureServer) -> None:
    request = "GET /health HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n"
    assert '{"status":"ok"}' in s_client(secure, "-quiet", "-ign_eof", text=request)


def test_python_streams_over_tls(secure: SecureServer) -> None:
    context = ssl.create_default_context(cafile=str(secure.authority))
    body = {"prompt": "Once", "max_tokens": 20, "temperature": 0, "stream": True}
    with httpx.Client(base_url=secure.secure_url, verify=context, timeout=120) as client:
        whole = client.post("/v1/completions", json={**body, "stream": False}).json()["choices"][0]["text"]
        text = ""
        with client.stream("POST", "/v1/completions", json=body) as answer:
            for line in answer.iter_lines():
                if line.startswith("data: {"):
                    text += json.loads(line[6:])["choices"][0]["text"]
    assert text == whole


def test_a_request_byte_by_byte(secure: SecureServer) -> None:
    context = ssl.create_default_context(cafile=str(secure.authority))
    with socket.create_connection(("127.0.0.1", secure.secure_port)) as plain:
        plain.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        with context.wrap_socket(plain, server_hostname="localhost") as client:
            for byte in b"GET /health HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n":
                client.send(bytes([byte]))
            answer = b""
            while piece := client.recv(4096):
                answer += piece
    # An end without close_notify would have raised.
    assert answer.endswith(b'{"status":"ok"}')


def test_plain_http_on_the_tls_port(secure: SecureServer) -> None:
    answer = httpx.get(f"http://127.0.0.1:{secure.secure_port}/health")
    assert answer.status_code == 400
    assert "https" in answer.json()["error"]["message"]


def test_a_client_of_tls_that_leaves_frees_its_place(tmp_path: Path) -> None:
    """asyncio waits up to 30 s for our close_notify before it closes: nothing but its own tells that it goes."""
    server = SecureServer(tmp_path, "--set", "scheduler.max_running=1")
    try:
        script = f"""
import asyncio, ssl
async def main():
    context = ssl.create_default_context(cafile={str(server.authority)!r})
    reader, writer = await asyncio.open_connection("127.0.0.1", {server.secure_port}, ssl=context)
    body = b'{{"prompt": "Once", "max_tokens": 2000, "temperature": 0, "ignore_eos": true}}'
    head = b"POST /v1/completions HTTP/1.1\\r\\nHost: x\\r\\nContent-Type: application/json\\r\\n"
    writer.write(head + b"Content-Length: %d\\r\\n\\r\\n" % len(body) + body)
    await writer.drain()
    await asyncio.sleep(0.5)
    writer.close()
    print("left", flush=True)
    await asyncio.sleep(60)
asyncio.run(main())
"""
        with subprocess.Popen(["python3", "-c", script], stdout=subprocess.PIPE, text=True) as leaving:
            assert leaving.stdout.readline() == "left\n"
            body = {"prompt": "Twice", "max_tokens": 1}
            assert httpx.post(f"{server.url}/v1/completions", json=body, timeout=60).status_code == 200
            assert leaving.poll() is None, "the client still holds its end"
            leaving.kill()
    finally:
        assert server.stop() == 0


def test_sighup_reads_the_certificate_again(tmp_path: Path) -> None:
    server = SecureServer(tmp_path)
    try:
        assert server.certificate_name() == "first"
        context = ssl.create_default_context(cafile=str(server.authority))
        with httpx.Client(base_url=server.secure_url, verify=context) as open_connection:
            open_connection.get("/health")
            write_certificate(tmp_path, "second")
            server.reload("valid until")
            assert server.certificate_name() == "second"
            assert open_connection.get("/health").status_code == 200
        (tmp_path / "key.pem").write_text("nothing")
        server.reload("there is no private key in it")
        assert server.certificate_name() == "second"
        (tmp_path / "certificate.pem").unlink()
        server.reload("certificate.pem: the file cannot be read")
        assert server.certificate_name() == "second"
    finally:
        assert server.stop() == 0


def test_sighup_without_tls_harms_nothing(server: RunningServer) -> None:
    server.process.send_signal(signal.SIGHUP)
    time.sleep(0.1)
    assert httpx.get(f"{server.url}/health").status_code == 200


def test_a_certificate_that_is_wrong_is_told_at_the_start(tmp_path: Path) -> None:
    write_certificate(tmp_path, "first")
    key = tmp_path / "key.pem"
    key.write_text("nothing")
    with pytest.raises(pytest.fail.Exception, match="key.pem: there is no private key in it"):
        RunningServer(
            *("--set", f"server.tls.port={free_port()}"),
            *("--set", f"server.tls.certificate={tmp_path / 'certificate.pem'}", "--set", f"server.tls.key={key}"),
        )


def test_gzip_both_ways(http: httpx.Client) -> None:
    body = {"prompt": "Once", "max_tokens": 40, "temperature": 0, "logprobs": 5}
    plain = http.post("/v1/completions", json=body, headers={"Accept-Encoding": "identity"})
    assert "content-encoding" not in plain.headers
    assert plain.headers["vary"] == "Accept-Encoding"
    packed = http.post(
        "/v1/completions",
        content=gzip.compress(json.dumps(body).encode()),
        headers={"Accept-Encoding": "gzip", "Content-Encoding": "gzip", "Content-Type": "application/json"},
    )
    assert packed.headers["content-encoding"] == "gzip"
    assert int(packed.headers["content-length"]) < len(plain.content) / 2
    assert packed.json()["choices"] == plain.json()["choices"]
    refused = http.post("/v1/completions", content=b"x", headers={"Content-Encoding": "br"})
    assert refused.status_code == 415
