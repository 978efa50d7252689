"""Completions as curl would ask for them: sizes, streaming, sessions, log probabilities, errors."""

import json

import httpx
import pytest

PROMPT = "It was a dark and stormy night, and the old man"


def complete(http: httpx.Client, headers: dict[str, str] | None = None, **body: object) -> dict:
    answer = http.post("/v1/completions", headers=headers or {}, json={"prompt": PROMPT, **body})
    assert answer.status_code == 200, answer.text
    return answer.json()


def stream(http: httpx.Client, headers: dict[str, str] | None = None, **body: object) -> tuple[str, list[dict]]:
    chunks = []
    request = {"prompt": PROMPT, "stream": True, **body}
    with http.stream("POST", "/v1/completions", headers=headers or {}, json=request) as answer:
        assert answer.status_code == 200
        assert answer.headers["content-type"] == "text/event-stream; charset=utf-8"
        lines = [line for line in answer.iter_lines() if line]
    assert lines[-1] == "data: [DONE]"
    for line in lines[:-1]:
        assert line.startswith("data: {")
        chunks.append(json.loads(line.removeprefix("data: ")))
    return "".join(c["choices"][0]["text"] for c in chunks if c["choices"]), chunks


@pytest.mark.parametrize("chains", [1, 2, 3, 4])
def test_every_size_answers_in_words(http: httpx.Client, chains: int) -> None:
    answer = http.post(
        "/v1/completions",
        headers={"X-Chains": str(chains)},
        json={"prompt": PROMPT, "max_tokens": 24, "temperature": 0},
    )
    assert answer.headers["x-chains"] == str(chains)
    assert answer.headers["x-chains-reason"]
    body = answer.json()
    text = body["choices"][0]["text"]
    words = [word for word in text.replace(",", " ").split() if word.isalpha()]
    assert len(words) >= 8, text
    expected = [0, 0, 0, 0]
    expected[chains - 1] = body["usage"]["completion_tokens"]
    assert body["usage"]["completion_tokens_details"]["chain_tokens"] == expected


def test_sizes_give_different_answers(http: httpx.Client) -> None:
    texts = {complete(http, chains=k, max_tokens=32, temperature=0)["choices"][0]["text"] for k in (1, 2, 3, 4)}
    assert len(texts) >= 2


def test_size_by_header_body_and_model_name(http: httpx.Client, server) -> None:
    wanted = {"max_tokens": 8, "temperature": 0}
    by_header = complete(http, headers={"X-Chains": "2"}, **wanted)
    by_body = complete(http, chains=2, **wanted)
    by_name = complete(http, model=f"{server.model}:2", **wanted)
    texts = {answer["choices"][0]["text"] for answer in (by_header, by_body, by_name)}
    assert len(texts) == 1
    assert by_name["usage"]["completion_tokens_details"]["chain_tokens"] == [0, 8, 0, 0]


@pytest.mark.parametrize("chains", [1, 4])
def test_streamed_text_equals_the_whole(http: httpx.Client, chains: int) -> None:
    wanted = {"max_tokens": 60, "temperature": 0.8, "top_p": 0.9, "seed": 11, "chains": chains}
    whole = complete(http, **wanted)
    text, chunks = stream(http, **wanted, stream_options={"include_usage": True})
    assert text == whole["choices"][0]["text"]
    assert chunks[-1]["choices"] == [] and chunks[-1]["usage"] == whole["usage"]
    assert chunks[-2]["choices"][0]["finish_reason"] == whole["choices"][0]["finish_reason"]


def test_stop_strings_end_the_answer(http: httpx.Client) -> None:
    whole = complete(http, max_tokens=60, temperature=0)["choices"][0]["text"]
    stop = whole[20:24]
    cut = complete(http, max_tokens=60, temperature=0, stop=[stop])["choices"][0]
    assert cut["text"] == whole[: whole.index(stop)]
    assert cut["finish_reason"] == "stop"
    assert stream(http, max_tokens=60, temperature=0, stop=stop)[0] == cut["text"]


def test_echo_with_logprobs_of_the_prompt(http: httpx.Client) -> None:
    choice = complete(http, echo=True, logprobs=2, max_tokens=1, temperature=0)["choices"][0]
    logprobs = choice["logprobs"]
    count = len(logprobs["tokens"])
    assert choice["text"].startswith(PROMPT)
    assert logprobs["token_logprobs"][0] is None and logprobs["top_logprobs"][0] is None
    assert len(logprobs["token_logprobs"]) == len(logprobs["top_logprobs"]) == len(logprobs["text_offset"]) == count
    assert "".join(logprobs["tokens"]) == choice["text"]
    last = logprobs["top_logprobs"][-1]
    assert logprobs["token_logprobs"][-1] == max(last.values())


def test_a_session_moves_between_sizes_and_prefills_nothing_twice(http: httpx.Client) -> None:
    text = PROMPT
    known = 0
    for turn, chains in enumerate((4, 1, 3)):
        answer = http.post(
            "/v1/completions",
            headers={"X-Chains": str(chains), "X-Session-Id": "end-to-end"},
            json={"prompt": text, "max_tokens": 20, "temperature": 0},
        ).json()
        usage = answer["usage"]
        cached = usage["prompt_tokens_details"]["cached_tokens"]
        # The last token of an answer was never fed back; all others have their KV.
        assert cached == (known - 1 if turn else 0)
        known = usage["total_tokens"]
        text += answer["choices"][0]["text"]


@pytest.mark.parametrize(
    ("change", "param"),
    [
        ({"max_tokens": -1}, "max_tokens"),
        ({"temperature": 3}, "temperature"),
        ({"chains": 9}, "chains"),
        ({"prompt": {}}, "prompt"),
        ({"logprobs": 21}, "logprobs"),
        ({"max_tokens": 100_000}, "max_tokens"),
    ],
)
def test_bad_requests_are_named(http: httpx.Client, change: dict, param: str) -> None:
    answer = http.post("/v1/completions", json={"prompt": "x", **change})
    assert answer.status_code == 400
    error = answer.json()["error"]
    assert set(error) == {"message", "type", "param", "code"}
    assert error["type"] == "invalid_request_error"
    assert error["param"] == param


def test_models_and_probes(http: httpx.Client, server) -> None:
    assert http.get("/health").json() == {"status": "ok"}
    names = [model["id"] for model in http.get("/v1/models").json()["data"]]
    assert names[0] == server.model and f"{server.model}:4" in names
    assert http.get("/v1/models/none").status_code == 404
    assert http.get("/v1/completions").status_code == 405


def test_sampling_rules_reach_the_model(http: httpx.Client) -> None:
    wanted = {"max_tokens": 40, "temperature": 0, "chains": 4, "logprobs": 1}
    plain = complete(http, **wanted)["choices"][0]["logprobs"]["tokens"]
    rare = complete(http, **wanted, frequency_penalty=2, presence_penalty=2)["choices"][0]["logprobs"]["tokens"]
    assert len(set(rare)) > len(set(plain))
    forced = complete(http, **wanted, logit_bias={"100": 100})["choices"][0]["logprobs"]
    assert len(set(forced["tokens"])) == 1
    # The log probabilities stay the model's own.
    assert sum(forced["token_logprobs"]) < -40
    neutral = {"logit_bias": {}, "repetition_penalty": 1, "typical_p": 1, "min_tokens": 0, "presence_penalty": 0}
    assert complete(http, **wanted, **neutral)["choices"][0]["logprobs"]["tokens"] == plain


def test_the_shortest_answer(http: httpx.Client) -> None:
    ends = complete(http, max_tokens=1, temperature=0, chains=4, stop_token_ids=[])["choices"][0]["text"]
    token = http.post("/tokenize", json={"prompt": ends, "add_special_tokens": False}).json()["tokens"]
    assert len(token) == 1
    wanted = {"max_tokens": 12, "temperature": 0, "chains": 4, "stop_token_ids": token}
    assert complete(http, **wanted)["usage"]["completion_tokens"] == 1
    assert complete(http, **wanted, min_tokens=6)["usage"]["completion_tokens"] >= 6
