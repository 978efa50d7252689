"""Changing a request while it runs, on the real engine: put beside Tests/EndToEnd/test_control.py once the engine answers."""

import json

import httpx

LONG = {"prompt": "Once upon a time", "temperature": 0, "ignore_eos": True, "max_tokens": 900, "stream": True}


def test_a_running_request_changes_its_size(http: httpx.Client) -> None:
    body = {**LONG, "chains": 4, "stream_options": {"include_usage": True}}
    with http.stream("POST", "/v1/completions", json=body) as stream:
        lines = stream.iter_lines()
        # It may be the only one of its size, if the change is quick.
        first = next(lines)
        name = stream.headers["x-completion-id"]
        status = http.patch(f"/v1/requests/{name}", json={"chains": 1}).json()
        assert status["id"] == name and status["object"] == "request"
        assert status["status"] == "decode" and status["chains"] == 1
        assert status["prompt_tokens"] > 0 and 0 < status["generated_tokens"] < 900
        chunks = [json.loads(line[6:]) for line in [first, *lines] if line.startswith("data: {")]
    sizes = [choice["chains"] for chunk in chunks for choice in chunk["choices"] if "chains" in choice]
    assert set(sizes) == {4, 1} and sizes == sorted(sizes, reverse=True)
    used = chunks[-1]["usage"]["completion_tokens_details"]["chain_tokens"]
    assert used[0] > 0 and used[3] >= status["generated_tokens"] and sum(used) == 900


def test_every_choice_is_changed(http: httpx.Client) -> None:
    with http.stream("POST", "/v1/completions", json={**LONG, "n": 3}) as stream:
        lines = stream.iter_lines()
        next(lines)
        status = http.patch(f"/v1/requests/{stream.headers['x-completion-id']}", json={"chains": 2}).json()
    assert [choice["index"] for choice in status["choices"]] == [0, 1, 2]
    assert {choice["chains"] for choice in status["choices"]} == {2}


def test_sessions_are_listed_and_forgotten(http: httpx.Client) -> None:
    for name in ("list-a", "list-b"):
        body = {"prompt": "Once upon a time", "max_tokens": 8, "session_id": name}
        assert http.post("/v1/completions", json=body).status_code == 200
    one = http.get("/v1/sessions/list-a").json()
    assert one["id"] == "list-a" and one["tokens"] > 8 and "memory" in one["tiers"] and one["bytes"] > 0
    page = http.get("/v1/sessions", params={"after": "list-", "limit": 1}).json()
    assert [session["id"] for session in page["data"]] == ["list-a"] and page["has_more"] is True
    assert http.delete("/v1/sessions/list-a").json() == {"id": "list-a", "object": "session", "deleted": True}
    assert http.get("/v1/sessions/list-a").status_code == 404
    http.delete("/v1/sessions/list-b")


def test_a_hopeless_budget_is_refused_and_best_effort_is_not(http: httpx.Client) -> None:
    body = {"prompt": "Once upon a time", "max_tokens": 900, "ignore_eos": True, "latency_budget_ms": 1}
    refused = http.post("/v1/completions", json=body)
    assert refused.status_code == 503 and refused.headers["x-should-retry"] == "false"
    assert refused.json()["error"]["code"] == "deadline_unattainable"
    answer = http.post("/v1/completions", json={**body, "max_tokens": 8, "best_effort": True})
    assert answer.status_code == 200 and "stop_reason" not in answer.json()["choices"][0]
