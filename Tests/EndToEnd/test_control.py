"""Budgets, and requests that others change or cancel while they run."""

import threading
import time

import httpx
import openai
import pytest

BODY = {"prompt": "Once upon a time", "temperature": 0, "ignore_eos": True}
LONG = {**BODY, "max_tokens": 900}


def test_budgets_come_by_header_and_body(http: httpx.Client) -> None:
    headers = {"X-SLO-TTFT-Ms": "30000", "x-llm-d-slo-tpot-ms": "10000.5"}
    body = {**BODY, "max_tokens": 4, "latency_budget_ms": 60_000, "slo": {"ttft_ms": 30_000}, "priority": 5}
    answer = http.post("/v1/completions", headers=headers, json={**body, "cache_salt": "end-to-end"})
    assert answer.status_code == 200
    assert answer.json()["choices"][0]["finish_reason"] == "length"
    assert "stop_reason" not in answer.json()["choices"][0]
    assert answer.headers["x-completion-id"] == answer.json()["id"]


@pytest.mark.parametrize(
    ("headers", "body", "param"),
    [
        ({"X-Latency-Budget-Ms": "soon"}, {}, None),
        ({"X-Latency-Budget-Ms": "800"}, {"latency_budget_ms": 900}, "latency_budget_ms"),
        ({"X-SLO-TTFT-Ms": "1", "x-llm-d-slo-ttft-ms": "2"}, {}, "slo.ttft_ms"),
        ({}, {"slo": {"tpot_ms": 0}}, "slo.tpot_ms"),
        ({}, {"best_effort": "yes"}, "best_effort"),
        ({}, {"priority": 1000}, "priority"),
    ],
)
def test_bad_budgets_are_named(http: httpx.Client, headers: dict, body: dict, param: str | None) -> None:
    answer = http.post("/v1/completions", headers=headers, json={**BODY, **body})
    assert answer.status_code == 400
    assert answer.json()["error"]["param"] == param


def test_a_stream_is_cancelled_from_another_connection(http: httpx.Client) -> None:
    with http.stream("POST", "/v1/completions", json={**LONG, "stream": True}) as stream:
        lines = stream.iter_lines()
        assert next(lines).startswith("data: {")
        name = stream.headers["x-completion-id"]
        answer = http.delete(f"/v1/requests/{name}")
        assert answer.json() == {"id": name, "object": "request", "deleted": True}
        rest = [line for line in lines if line]
    assert '"code":"request_cancelled"' in rest[-2]
    assert rest[-1] == "data: [DONE]"
    assert http.delete(f"/v1/requests/{name}").status_code == 404


def test_the_openai_client_says_that_a_stream_was_cancelled(http: httpx.Client, server) -> None:
    with openai.OpenAI(base_url=f"{server.url}/v1", api_key="none") as client:
        extra = {"extra_body": {"ignore_eos": True}, "extra_headers": {"X-Request-Id": "cancel-stream"}}
        stream = client.completions.create(model=server.model, prompt="Once", max_tokens=900, stream=True, **extra)
        next(stream)
        assert http.delete("/v1/requests/cancel-stream").status_code == 200
        with pytest.raises(openai.APIError) as error:
            for _ in stream:
                pass
        assert error.value.code == "request_cancelled"


def test_the_openai_client_does_not_repeat_a_cancelled_request(http: httpx.Client, server) -> None:
    def count() -> int:
        lines = http.get("/metrics").text.splitlines()
        return int(next(line for line in lines if 'outcome="cancelled"' in line).split()[-1])

    before = count()
    failures: list[openai.APIStatusError] = []

    def ask() -> None:
        with openai.OpenAI(base_url=f"{server.url}/v1", api_key="none", max_retries=3) as client:
            extra = {"extra_body": {"ignore_eos": True}, "extra_headers": {"X-Request-Id": "cancel-whole"}}
            try:
                client.completions.create(model=server.model, prompt="Once", max_tokens=900, n=8, **extra)
            except openai.APIStatusError as error:
                failures.append(error)

    client = threading.Thread(target=ask)
    client.start()
    deadline = time.monotonic() + 60
    while http.delete("/v1/requests/cancel-whole").status_code == 404:
        assert time.monotonic() < deadline
    client.join(60)
    assert not client.is_alive()
    assert [(error.status_code, error.code) for error in failures] == [(499, "request_cancelled")]
    assert count() == before + 1


def test_changes_are_checked(http: httpx.Client) -> None:
    with http.stream("POST", "/v1/completions", json={**LONG, "stream": True}) as stream:
        lines = stream.iter_lines()  # kept: an iterator that is let go of closes the connection
        next(lines)
        path = f"/v1/requests/{stream.headers['x-completion-id']}"
        for body, param in [({}, None), ({"chains": 9}, "chains"), ({"slo": 5}, "slo"), ({"max_tokens": 1}, None)]:
            answer = http.patch(path, json=body)
            assert answer.status_code == 400, answer.text
            assert answer.json()["error"]["param"] == param
        assert http.patch(path, content=b"chains=2").status_code == 415
        assert http.delete(path).status_code == 200
    assert http.patch(path, json={"chains": 2}).json()["error"]["code"] == "request_not_found"
    assert http.get(path).headers["allow"] == "PATCH, DELETE, OPTIONS"


def test_unknown_sessions_and_bad_pages(http: httpx.Client) -> None:
    listed = http.get("/v1/sessions", params={"limit": 1000}).json()
    assert listed["object"] == "list" and listed["has_more"] is False
    for answer in (http.get("/v1/sessions/none"), http.delete("/v1/sessions/none")):
        assert answer.status_code == 404
        assert answer.json()["error"]["code"] == "session_not_found"
    assert http.get("/v1/sessions", params={"limit": 0}).json()["error"]["param"] == "limit"
