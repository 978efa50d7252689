"""Random requests: what a stream says, joined, is what the answer without streaming says.

    make test-random RUNS=1000 SEED=7
"""

import asyncio
import json

import httpx
import pytest
from random_requests import RandomRequests

LISTS = ["tokens", "token_logprobs", "top_logprobs", "text_offset"]


def joined(chunks: list[dict], count: int) -> list[dict]:
    """The choices of a stream's chunks in the form of a whole answer's."""
    choices: list[dict] = [{"text": "", "logprobs": None, "finish_reason": None} for _ in range(count)]
    for chunk in chunks:
        for piece in chunk["choices"]:
            choice = choices[piece["index"]]
            assert choice["finish_reason"] is None, "a chunk behind the end"
            choice["text"] += piece["text"] if "text" in piece else piece["delta"]["content"]
            choice["finish_reason"] = piece["finish_reason"]
            if piece["logprobs"]:
                if choice["logprobs"] is None:
                    choice["logprobs"] = {name: [] for name in piece["logprobs"]}
                for name, values in piece["logprobs"].items():
                    if values is not None:
                        choice["logprobs"][name] += values
    return choices


def whole(answer: dict) -> list[dict]:
    """The choices of an answer, without what says where they stand."""
    choices = []
    for index, choice in enumerate(answer["choices"]):
        assert choice["index"] == index
        logprobs = choice["logprobs"]
        if logprobs and "content" in logprobs:
            logprobs = {"content": logprobs["content"], "refusal": []}
        text = choice["text"] if "text" in choice else choice["message"]["content"]
        choices.append({"text": text, "logprobs": logprobs, "finish_reason": choice["finish_reason"]})
    return choices


def without_cache(usage: dict) -> dict:
    """The second of two equal requests finds more in the cache."""
    return {name: value for name, value in usage.items() if name != "prompt_tokens_details"}


async def compare(http: httpx.AsyncClient, path: str, body: dict) -> str:
    """Asks both ways. Returns how it ended, for the counts."""
    answer = await http.post(path, json=body)
    assert answer.status_code == 200, answer.text
    expected = answer.json()
    chunks = []
    streamed = {**body, "stream": True, "stream_options": {"include_usage": True}}
    async with http.stream("POST", path, json=streamed) as stream:
        assert stream.status_code == 200
        data = (await stream.aread()).decode()
    events = data.removesuffix("\n\n").split("\n\n")
    assert events.pop() == "data: [DONE]"
    chunks = [json.loads(event.removeprefix("data: ")) for event in events]
    usage = chunks.pop()
    assert usage["choices"] == [] and without_cache(usage["usage"]) == without_cache(expected["usage"])
    texts = whole(expected)
    assert joined(chunks, len(texts)) == texts
    for choice in texts:
        check(body, choice)
    return texts[0]["finish_reason"]


def check(body: dict, choice: dict) -> None:
    """What holds for every answer, however it came."""
    text, logprobs = choice["text"], choice["logprobs"]
    stops = body.get("stop", [])
    if not body.get("echo"):
        assert not any(stop in text for stop in ([stops] if isinstance(stops, str) else stops))
    if logprobs and "tokens" in logprobs:
        assert len({len(logprobs[name]) for name in LISTS}) == 1
        assert all(0 <= offset <= len(text) for offset in logprobs["text_offset"])
        assert logprobs["text_offset"] == sorted(logprobs["text_offset"])
        for token, logprob, top in zip(
            logprobs["tokens"], logprobs["token_logprobs"], logprobs["top_logprobs"], strict=True
        ):
            assert (top is None) == (logprob is None)
            assert top is None or top[token] == logprob


def test_random_streams_equal_whole_answers(server, http: httpx.Client, random_runs: int, random_seed: int) -> None:
    requests = RandomRequests(http, random_seed)
    bodies = [
        ("/v1/completions", requests.completion()) if index % 4 else ("/v1/chat/completions", requests.chat())
        for index in range(random_runs)
    ]

    async def run() -> list[str]:
        gate = asyncio.Semaphore(8)

        async def one(path: str, body: dict) -> str:
            async with gate:
                try:
                    return await compare(client, path, body)
                except AssertionError as error:
                    pytest.fail(f"seed {random_seed}: {path} {json.dumps(body)}\n{error}")

        async with httpx.AsyncClient(base_url=server.url, timeout=300) as client:
            return await asyncio.gather(*(one(*request) for request in bodies))

    ends = asyncio.run(run())
    print(f"seed {random_seed}: {len(ends)} requests, {ends.count('stop')} ended by a stop")
    assert ends.count("stop") > len(ends) // 40 or random_runs < 200, "stop strings should occur"


def test_random_stop_strings_cut_where_the_text_has_them(
    server, http: httpx.Client, random_runs: int, random_seed: int
) -> None:
    """A piece out of an answer, given as a stop string, ends the same answer before its first occurrence."""
    requests = RandomRequests(http, random_seed + 1)
    cut = 0
    for _ in range(max(8, random_runs // 5)):
        body = {**requests.completion(), "echo": False, "logprobs": None, "n": 1, "stop": None, "max_tokens": 30}
        body["prompt"] = requests.text() or "Once"
        answer = http.post("/v1/completions", json=body).json()["choices"][0]
        text = answer["text"]
        if len(text) < 3:
            continue
        start = requests.random.randrange(len(text) - 1)
        stop = text[start : start + requests.random.randint(1, 12)]
        again = http.post("/v1/completions", json={**body, "stop": stop}).json()["choices"][0]
        assert again["text"] == text[: text.index(stop)], f"seed {random_seed + 1}: {json.dumps(body)}, stop {stop!r}"
        assert again["finish_reason"] == "stop"
        cut += 1
    assert cut > 0
