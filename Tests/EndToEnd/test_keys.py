"""Keys, their limits, CORS, the access log and traces: the real server, and clients that know nothing of it."""

import hashlib
import json
import os
import subprocess
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import httpx
import openai
import pytest

from conftest import PROGRAM
from guarded_server import BODY, GuardedServer, make_key, wait_for

TRACE = "4bf92f3577b34da6a3ce929d0e0e4736"


@pytest.fixture(scope="module")
def keys() -> dict[str, tuple[str, str]]:
    return {
        "alice": make_key("alice", "--chains", "2"),
        "bob": make_key("bob"),
        "slow": make_key("slow", "--requests-per-minute", "60"),
        "small": make_key("small", "--tokens-per-minute", "300"),
        "single": make_key("single", "--max-concurrent", "1"),
    }


@pytest.fixture(scope="module")
def guarded(tmp_path_factory: pytest.TempPathFactory, keys: dict) -> Iterator[GuardedServer]:
    running = GuardedServer(
        tmp_path_factory.mktemp("keys"),
        [line for _, line in keys.values()],
        *("--set", "cors.origins=https://a.example", "--set", "server.trusted_proxies=127.0.0.0/8"),
    )
    yield running
    assert running.stop() == 0


def test_the_command_prints_a_key_and_its_hash(keys: dict) -> None:
    key, line = keys["alice"]
    assert line == f"sha256:{hashlib.sha256(key.encode()).hexdigest()} name=alice chains=2"
    for wrong in (["a b"], ["a", "--chains", "0"], ["x" * 21], []):
        done = subprocess.run([PROGRAM, "make-key", *wrong], capture_output=True, text=True)
        assert done.returncode == 64 and done.stdout == "" and done.stderr


def test_the_openai_client_with_a_key(guarded: GuardedServer, keys: dict) -> None:
    answer = guarded.client(keys["bob"][0]).completions.create(model=guarded.model, **BODY)
    assert answer.usage.completion_tokens == 4
    pieces = guarded.client(keys["bob"][0]).completions.create(model=guarded.model, **BODY, stream=True)
    assert "".join(piece.choices[0].text for piece in pieces) == answer.choices[0].text


@pytest.mark.parametrize("key", ["none", "sk-" + "0" * 48])
def test_the_openai_client_without_one(guarded: GuardedServer, key: str) -> None:
    with pytest.raises(openai.AuthenticationError) as refused:
        guarded.client(key, max_retries=5).models.list()
    assert refused.value.code == "invalid_api_key"
    assert refused.value.response.headers["www-authenticate"] == "Bearer"


def test_probes_need_none(guarded: GuardedServer) -> None:
    for path, status in {"/health": 200, "/readyz": 200, "/metrics": 401, "/v1/sessions": 401, "/tokenize": 405}.items():
        assert httpx.get(guarded.url + path).status_code == status, path


def test_a_refused_body_does_not_harm_the_connection(guarded: GuardedServer, keys: dict) -> None:
    """A short one is read past, a long one ends the connection."""
    for size in (100, 30_000, 500_000):
        with httpx.Client(base_url=guarded.url) as client:
            for _ in range(3):
                body = json.dumps({"prompt": "x" * size, "max_tokens": 0})
                answer = client.post("/v1/completions", content=body, headers={"Content-Type": "application/json"})
                assert answer.status_code == 401
                assert (answer.headers.get("connection") == "close") == (size > 65_536)
            assert client.get("/v1/models", headers={"X-Api-Key": keys["bob"][0]}).status_code == 200


def test_chains_up_to_the_ceiling(guarded: GuardedServer, keys: dict) -> None:
    alice = guarded.client(keys["alice"][0])
    answer = alice.completions.create(model=guarded.model, **BODY)
    assert answer.usage.completion_tokens_details.model_extra["chain_tokens"][2:] == [0, 0]
    for wanted in ({"extra_headers": {"X-Chains": "3"}}, {"extra_body": {"chains": "3-4"}}):
        with pytest.raises(openai.PermissionDeniedError) as refused:
            alice.completions.create(model=guarded.model, **BODY, **wanted)
        assert refused.value.code == "chains_not_allowed" and refused.value.param == "chains"
    with pytest.raises(openai.PermissionDeniedError):
        alice.completions.create(model=f"{guarded.model}:4", **BODY)
    bob = guarded.client(keys["bob"][0]).completions.create(model=f"{guarded.model}:4", **BODY)
    assert bob.usage.completion_tokens_details.model_extra["chain_tokens"] == [0, 0, 0, 4]


def test_what_is_whose(guarded: GuardedServer, keys: dict) -> None:
    alice, bob = keys["alice"][0], keys["bob"][0]
    body = {**BODY, "prompt": "A prompt of some length that only these two have sent, one after the other."}
    assert guarded.post(alice, {**body, "session_id": "s"}).status_code == 200
    again = guarded.post(alice, body).json()["usage"]["prompt_tokens_details"]["cached_tokens"]
    others = guarded.post(bob, body).json()["usage"]["prompt_tokens_details"]["cached_tokens"]
    assert again >= 16 and others == 0, "another's prefix tells nothing"

    def sessions(key: str) -> list[str]:
        answer = httpx.get(f"{guarded.url}/v1/sessions", headers={"X-Api-Key": key})
        return [session["id"] for session in answer.json()["data"]]

    assert sessions(alice) == ["s"] and sessions(bob) == []
    for method in ("GET", "DELETE"):
        answer = httpx.request(method, f"{guarded.url}/v1/sessions/s", headers={"X-Api-Key": bob})
        assert answer.status_code == 404
    assert guarded.post(bob, {**body, "session_id": "s"}).status_code == 200
    assert httpx.delete(f"{guarded.url}/v1/sessions/s", headers={"X-Api-Key": bob}).status_code == 200
    assert sessions(alice) == ["s"]


def test_a_running_request_is_its_owners(guarded: GuardedServer, keys: dict) -> None:
    alice, bob = keys["alice"][0], keys["bob"][0]
    body = {**BODY, "max_tokens": 1500, "ignore_eos": True, "stream": True}
    url = f"{guarded.url}/v1/requests/mine"
    headers = {"Authorization": f"Bearer {alice}", "X-Request-Id": "mine"}
    with httpx.stream("POST", f"{guarded.url}/v1/completions", json=body, headers=headers, timeout=60) as answer:
        lines = answer.iter_lines()
        next(lines)
        assert httpx.patch(url, json={"chains": 1}, headers={"X-Api-Key": bob}).status_code == 404
        assert httpx.delete(url, headers={"X-Api-Key": bob}).status_code == 404
        assert httpx.patch(url, json={"chains": 4}, headers={"X-Api-Key": alice}).status_code == 403
        assert httpx.patch(url, json={"chains": 1}, headers={"X-Api-Key": alice}).status_code == 200
        assert httpx.delete(url, headers={"X-Api-Key": alice}).status_code == 200
        assert any("request_cancelled" in line for line in lines)
    entry = guarded.entry("mine")
    assert (entry["status"], entry["outcome"], entry["finish_reasons"]) == (200, "cancelled", [None])


def test_requests_a_minute(guarded: GuardedServer, keys: dict) -> None:
    """60 a minute are one a second, once the burst is used up: the client waits that long by itself."""
    key = keys["slow"][0]
    client = guarded.client(key)
    first = client.completions.with_raw_response.create(model=guarded.model, prompt="a", max_tokens=1)
    assert first.headers["x-ratelimit-limit-requests"] == "60"
    assert int(first.headers["x-ratelimit-remaining-requests"]) in (58, 59)
    assert first.headers["x-ratelimit-reset-requests"].endswith("s")
    refused = None
    for _ in range(200):
        try:
            client.completions.create(model=guarded.model, prompt="a", max_tokens=1)
        except openai.RateLimitError as error:
            refused = error
            break
    assert refused is not None and refused.code == "rate_limit_exceeded" and refused.type == "requests"
    headers = refused.response.headers
    assert headers["retry-after"] == "1" and 0 < int(headers["retry-after-ms"]) <= 1000
    assert headers["x-ratelimit-remaining-requests"] == "0"
    answer = guarded.client(key, max_retries=3).completions.create(model=guarded.model, prompt="a", max_tokens=1)
    assert answer.usage.completion_tokens == 1


def test_tokens_a_minute(guarded: GuardedServer, keys: dict) -> None:
    client = guarded.client(keys["small"][0], max_retries=2)
    with pytest.raises(openai.RateLimitError) as refused:
        client.completions.create(model=guarded.model, prompt="a", max_tokens=1000)
    assert refused.value.type == "tokens" and refused.value.response.headers["x-should-retry"] == "false"
    answer = client.completions.with_raw_response.create(model=guarded.model, prompt="a", max_tokens=250, stop=[" "])
    used = answer.parse().usage.total_tokens
    # What was reserved and not generated is back.
    left = client.models.with_raw_response.list().headers
    assert left["x-ratelimit-limit-tokens"] == "300"
    assert int(left["x-ratelimit-remaining-tokens"]) >= 300 - used > 50


def test_one_at_a_time(guarded: GuardedServer, keys: dict) -> None:
    client = guarded.client(keys["single"][0])
    with client.completions.create(
        model=guarded.model, prompt="a", max_tokens=1500, stream=True, extra_body={"ignore_eos": True}
    ) as stream:
        next(iter(stream))
        with pytest.raises(openai.RateLimitError):
            client.completions.create(model=guarded.model, prompt="a", max_tokens=1)
    # The client has left: its place is free as soon as the server knows.
    guarded.client(keys["single"][0], max_retries=5).completions.create(model=guarded.model, prompt="a", max_tokens=1)


def test_refusals_are_counted(guarded: GuardedServer, keys: dict) -> None:
    guarded.post("wrong")
    page = httpx.get(f"{guarded.url}/metrics", headers={"X-Api-Key": keys["bob"][0]}).text
    for reason in ("key", "chains", "requests", "tokens", "concurrent"):
        line = next(line for line in page.splitlines() if line.startswith(f'catena_refusals_total{{reason="{reason}"}}'))
        assert int(line.split()[1]) > 0, reason


def test_a_page_of_another_origin(guarded: GuardedServer, keys: dict) -> None:
    url = f"{guarded.url}/v1/completions"
    asked = {"Access-Control-Request-Method": "POST", "Access-Control-Request-Headers": "authorization,content-type"}
    allowed = httpx.options(url, headers={"Origin": "https://a.example", **asked})
    assert allowed.status_code == 204
    assert allowed.headers["access-control-allow-origin"] == "https://a.example"
    assert allowed.headers["access-control-allow-headers"] == "authorization, content-type"
    assert "POST" in allowed.headers["access-control-allow-methods"]
    assert allowed.headers["access-control-max-age"] == "600"
    assert "access-control-allow-origin" not in httpx.options(url, headers={"Origin": "https://b.example", **asked}).headers
    for key in (keys["bob"][0], "wrong"):
        answer = guarded.post(key, Origin="https://a.example")
        assert answer.headers["access-control-allow-origin"] == "https://a.example"
        assert "X-Chains" in answer.headers["access-control-expose-headers"]
        assert "Origin" in answer.headers["vary"]


def test_access_log_and_trace(guarded: GuardedServer, keys: dict) -> None:
    answer = guarded.post(
        keys["bob"][0],
        {**BODY, "session_id": "my-session", "chains": 3},
        **{
            "X-Request-Id": "logged",
            "traceparent": f"00-{TRACE}-00f067aa0ba902b7-01",
            "X-Forwarded-For": "203.0.113.9, 198.51.100.7",
        },
    )
    version, trace, span, flags = answer.headers["traceparent"].split("-")
    assert (version, trace, flags) == ("00", TRACE, "01") and span != "00f067aa0ba902b7"
    entry = guarded.entry("logged")
    expected = {
        "trace_id": TRACE,
        "span_id": span,
        "remote": "198.51.100.7:0",
        "key": "bob",
        "method": "POST",
        "path": "/v1/completions",
        "status": 200,
        "code": None,
        "bytes_out": len(answer.content),
        "model": guarded.model,
        "outcome": "completed",
        "completion_tokens": 4,
        "chain_tokens": [0, 0, 4, 0],
        "chains": 3,
        "chains_reason": "requested",
        "finish_reasons": ["length"],
        "session": hashlib.sha256(b"my-session").hexdigest()[:16],
        "prompt_tokens": answer.json()["usage"]["prompt_tokens"],
    }
    assert {name: entry[name] for name in expected} == expected
    assert 0 <= entry["queue_ms"] <= entry["ttft_ms"] <= entry["duration_ms"]
    bad = guarded.post("wrong", **{"X-Request-Id": "refused", "traceparent": f"00-{TRACE}-0-01"})
    assert "traceparent" not in bad.headers
    refused = guarded.entry("refused")
    assert (refused["status"], refused["code"], refused["key"]) == (401, "invalid_api_key", None)
    text = guarded.access.read_text() + guarded.log.read_text()
    for secret in (*(key for key, _ in keys.values()), "my-session", BODY["prompt"]):
        assert secret not in text


def load_test(url: str, *arguments: str, key: str | None = None) -> subprocess.CompletedProcess:
    """`catena loadtest` with a key, or none, in its environment."""
    environment = {name: value for name, value in os.environ.items() if name != "CATENA_API_KEY"}
    if key is not None:
        environment["CATENA_API_KEY"] = key
    lengths = ("--prompt-tokens", "4", "--output-tokens", "2", "--warmup", "0", "--rate", "20", "--requests", "5")
    command = [PROGRAM, "loadtest", "--url", url, "--json", "-", *lengths, *arguments]
    return subprocess.run(command, capture_output=True, text=True, timeout=120, env=environment)


def test_the_load_test_shows_its_key(guarded: GuardedServer, keys: dict) -> None:
    def lines(key: str) -> int:
        return sum(entry["key"] == key and entry["path"] == "/v1/completions" for entry in guarded.entries())

    # What is given goes before the environment.
    for name, arguments in [("bob", ()), ("alice", ("--api-key", keys["alice"][0]))]:
        before = lines(name)
        run = load_test(guarded.url, *arguments, key=keys["bob"][0])
        assert run.returncode == 0, run.stderr
        assert json.loads(run.stdout)["counts"]["completed"] == 5
        # And one at least that measured the tokens of a word.
        wait_for(lambda name=name, before=before: lines(name) >= before + 6)


@pytest.mark.parametrize(
    ("key", "status", "message"),
    [
        (None, 1, "it needs a key; give one as CATENA_API_KEY"),
        ("", 1, "it needs a key"),
        ("wrong", 1, "the key is none of its own"),
        ("a\r\nX-Evil: b", 64, "CATENA_API_KEY must be printable ASCII"),
    ],
)
def test_the_load_test_says_what_is_wrong_with_its_key(
    guarded: GuardedServer, key: str | None, status: int, message: str
) -> None:
    run = load_test(guarded.url, key=key)
    assert run.returncode == status
    assert message in " ".join(run.stderr.split())


def test_the_log_is_reopened_and_no_line_is_lost(tmp_path: Path) -> None:
    key, line = make_key("alice")
    server = GuardedServer(tmp_path, [line])
    try:
        done = threading.Event()
        asked = []

        def ask() -> None:
            with httpx.Client(headers={"X-Api-Key": key}) as client:
                while not done.is_set():
                    asked.append(f"ask-{len(asked)}")
                    assert client.get(f"{server.url}/v1/models", headers={"X-Request-Id": asked[-1]}).status_code == 200

        thread = threading.Thread(target=ask)
        thread.start()
        for number in range(3):
            time.sleep(0.2)
            os.rename(server.access, tmp_path / f"access.{number}")
            server.reload("keys: 1")
            wait_for(server.access.exists)
        time.sleep(0.2)
        done.set()
        thread.join()
    finally:
        assert server.stop() == 0
    lines = [line for path in tmp_path.glob("access.*") for line in path.read_text().splitlines()]
    logged = [json.loads(line)["request_id"] for line in lines]
    assert sorted(name for name in logged if name.startswith("ask-")) == sorted(asked)


def test_sighup_reads_the_keys_again(tmp_path: Path) -> None:
    old, old_line = make_key("alice")
    new, new_line = make_key("alice")
    server = GuardedServer(tmp_path, [old_line])
    try:
        headers = {"Authorization": f"Bearer {old}", "X-Request-Id": "running"}
        body = {**BODY, "max_tokens": 300, "ignore_eos": True, "stream": True}
        with httpx.stream("POST", f"{server.url}/v1/completions", json=body, headers=headers, timeout=60) as answer:
            lines = answer.iter_lines()
            next(lines)
            server.file.write_text(f"{old_line}\nnonsense\n")
            server.reload(f"the keys in use stay in use: {server.file}:2:")
            assert server.post(old).status_code == 200
            server.file.write_text(f"{new_line}\n")
            server.reload("keys: 1")
            assert server.post(old).status_code == 401 and server.post(new).status_code == 200
            assert list(lines)[-2] == "data: [DONE]", "what ran goes on"
        server.file.unlink()
        server.reload("the keys in use stay in use")
        assert server.post(new).status_code == 200
    finally:
        assert server.stop() == 0


def test_a_bad_key_file_is_told_at_start(tmp_path: Path) -> None:
    file = tmp_path / "keys"
    file.write_text("sk-secret name=alice\n")
    for settings, told in (
        ([f"keys.file={file}"], f"{file}:1: a key must begin with its hash"),
        ([f"keys.file={tmp_path}/none"], "the file does not exist"),
        ([f"log.access={tmp_path}/none/log"], "log.access:"),
    ):
        arguments = [argument for setting in settings for argument in ("--set", setting)]
        done = subprocess.run([PROGRAM, "serve", "--port", "0", *arguments], capture_output=True, text=True, timeout=60)
        assert done.returncode != 0 and told in done.stderr and "sk-secret" not in done.stderr


def test_prompts_only_where_they_are_wanted(tmp_path: Path) -> None:
    key, line = make_key("alice")
    server = GuardedServer(tmp_path, [line], "--set", "log.prompts=true")
    try:
        answer = server.post(key, {**BODY, "prompt": ["One é", "Two\n"]}, **{"X-Request-Id": "with-prompts"})
        assert answer.status_code == 200
        assert server.entry("with-prompts")["prompts"] == ["One é", "Two\n"]
    finally:
        assert server.stop() == 0
