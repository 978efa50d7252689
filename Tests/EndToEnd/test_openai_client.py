"""The official OpenAI package against the running server: answers, streams, typed errors, retries and cancellation."""

import asyncio
import inspect
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import httpx
import openai
import pytest
from conftest import RunningServer

PROMPT = "The house stood at the end of the lane"
LONG = {"prompt": PROMPT, "max_tokens": 1500, "extra_body": {"ignore_eos": True}}


@pytest.fixture
def client(server) -> Iterator[openai.OpenAI]:
    with openai.OpenAI(base_url=f"{server.url}/v1", api_key="none", max_retries=0) as client:
        yield client


@pytest.fixture(scope="module")
def narrow() -> Iterator[RunningServer]:
    """A server with one place, and one to wait in."""
    server = RunningServer("--set", "scheduler.max_running=1", "--set", "scheduler.max_queued=1")
    yield server
    assert server.stop() == 0


def held(server: RunningServer) -> dict[str, float]:
    """What requests hold at this moment."""
    lines = httpx.get(f"{server.url}/metrics").text.splitlines()
    values = {name: float(value) for name, value in (line.rsplit(" ", 1) for line in lines if line[0] != "#")}
    return {
        "running": values["catena_requests_running"],
        "waiting": values["catena_requests_waiting"],
        "blocks": values['catena_kv_blocks{state="used"}'],
    }


def wait_for(server: RunningServer, **wanted: float) -> None:
    deadline = time.monotonic() + 30
    while (found := {name: held(server)[name] for name in wanted}) != wanted:
        assert time.monotonic() < deadline, found
        time.sleep(0.01)


# MARK: Answers


def test_completion(client: openai.OpenAI, server) -> None:
    answer = client.completions.create(model=server.model, prompt=PROMPT, max_tokens=16, temperature=0)
    assert answer.choices[0].text
    assert answer.choices[0].finish_reason == "length"
    assert answer.usage.completion_tokens == 16
    assert answer._request_id


def test_every_field_of_the_package(client: openai.OpenAI, server) -> None:
    answer = client.completions.create(
        model=server.model,
        prompt=[PROMPT, "Once"],
        max_tokens=6,
        n=2,
        best_of=3,
        echo=True,
        logprobs=2,
        frequency_penalty=0.5,
        presence_penalty=-0.5,
        logit_bias={"100": -100},
        seed=11,
        stop=["\n\n"],
        temperature=0.9,
        top_p=0.95,
        user="me",
    )
    assert [choice.index for choice in answer.choices] == [0, 1, 2, 3]
    assert answer.usage.completion_tokens > sum(6 for _ in answer.choices)
    means = []
    for choice, prompt in zip(answer.choices, [PROMPT, PROMPT, "Once", "Once"], strict=True):
        assert choice.text.startswith(prompt)
        logprobs = choice.logprobs
        assert "".join(logprobs.tokens) == choice.text
        assert logprobs.token_logprobs[0] is None
        own = [p for p, offset in zip(logprobs.token_logprobs, logprobs.text_offset, strict=True)
               if offset >= len(prompt)]  # fmt: skip
        means.append(sum(own) / len(own))
    assert means[0] >= means[1] and means[2] >= means[3]


def test_the_documentation_has_every_field_of_the_package() -> None:
    fields = set(inspect.signature(openai.resources.Completions.create).parameters)
    fields -= {"self", "extra_headers", "extra_query", "extra_body", "timeout"}
    text = (Path(__file__).resolve().parents[2] / "docs" / "api.md").read_text()
    assert "best_of" in fields
    assert sorted(field for field in fields if f"`{field}`" not in text and f"`{field}." not in text) == []


def test_best_of_gives_the_likeliest(client: openai.OpenAI, server) -> None:
    wanted = {"model": server.model, "prompt": PROMPT, "max_tokens": 10, "temperature": 1, "seed": 5, "logprobs": 0}

    def mean(choice) -> float:
        return sum(choice.logprobs.token_logprobs) / len(choice.logprobs.token_logprobs)

    extra = {"extra_body": {"chains": 4}}
    every = client.completions.create(**wanted, n=6, **extra)
    best = client.completions.create(**wanted, n=2, best_of=6, **extra)
    ranked = sorted(every.choices, key=mean, reverse=True)
    assert [choice.text for choice in best.choices] == [choice.text for choice in ranked[:2]]
    assert best.usage.completion_tokens == every.usage.completion_tokens


def test_stream(client: openai.OpenAI, server) -> None:
    wanted = {"model": server.model, "prompt": PROMPT, "max_tokens": 24, "temperature": 0.7, "seed": 5}
    whole = client.completions.create(**wanted).choices[0].text
    pieces = [chunk.choices[0].text for chunk in client.completions.create(**wanted, stream=True)]
    assert len(pieces) > 5
    assert "".join(pieces) == whole


def test_chains_by_extra_header_and_body(client: openai.OpenAI, server) -> None:
    for extra in ({"extra_headers": {"X-Chains": "2"}}, {"extra_body": {"chains": 2}}):
        answer = client.completions.create(model=server.model, prompt=PROMPT, max_tokens=4, **extra)
        assert answer.usage.completion_tokens_details.model_extra["chain_tokens"] == [0, 4, 0, 0]


def test_models(client: openai.OpenAI, server) -> None:
    assert server.model in [model.id for model in client.models.list()]
    assert client.models.retrieve(f"{server.model}:2").id == f"{server.model}:2"
    with pytest.raises(openai.NotFoundError):
        client.models.retrieve("none")


def test_async_clients_side_by_side(server) -> None:
    async def run() -> list[str]:
        async with openai.AsyncOpenAI(base_url=f"{server.url}/v1", api_key="none") as client:
            wanted = {"model": server.model, "prompt": PROMPT, "max_tokens": 12, "temperature": 0}

            async def whole() -> str:
                return (await client.completions.create(**wanted, extra_body={"chains": 3})).choices[0].text

            async def stream() -> str:
                stream = await client.completions.create(**wanted, extra_body={"chains": 3}, stream=True)
                return "".join([chunk.choices[0].text async for chunk in stream])

            return await asyncio.gather(*(whole() for _ in range(4)), *(stream() for _ in range(4)))

    assert len(set(asyncio.run(run()))) == 1


# MARK: Errors and retries


def test_typed_errors(client: openai.OpenAI, server) -> None:
    with pytest.raises(openai.BadRequestError) as bad:
        client.completions.create(model=server.model, prompt=PROMPT, max_tokens=-3)
    assert bad.value.param == "max_tokens" and bad.value.type == "invalid_request_error"
    assert bad.value.request_id
    with pytest.raises(openai.NotFoundError) as missing:
        client.completions.create(model="no-such-model", prompt=PROMPT)
    assert missing.value.code == "model_not_found"
    with pytest.raises(openai.BadRequestError) as long:
        client.completions.create(model=server.model, prompt=[5] * 2000, max_tokens=100)
    assert long.value.code == "context_length_exceeded"
    with pytest.raises(openai.BadRequestError) as suffix:
        client.completions.create(model=server.model, prompt=PROMPT, suffix="end")
    assert (suffix.value.param, suffix.value.code) == ("suffix", "unsupported_parameter")
    with pytest.raises(openai.BadRequestError) as streamed:
        client.completions.create(model=server.model, prompt=PROMPT, best_of=2, stream=True)
    assert streamed.value.param == "best_of"
    with pytest.raises(openai.NotFoundError):
        client.embeddings.create(model=server.model, input="x")


def test_a_server_that_is_not_there() -> None:
    with openai.OpenAI(base_url="http://127.0.0.1:1/v1", api_key="none", max_retries=0) as client:
        with pytest.raises(openai.APIConnectionError):
            client.completions.create(model="any", prompt=PROMPT)


def occupy(server: RunningServer, client: openai.OpenAI) -> list:
    """Takes the one place and the one to wait in, by streams that are to be closed."""
    taken = [client.completions.create(model=server.model, stream=True, **LONG)]
    next(iter(taken[0]))

    def wait() -> None:
        try:
            taken.append(client.completions.create(model=server.model, stream=True, **LONG))
        except openai.APIError:
            pass  # It was still waiting when the client closed.

    threading.Thread(target=wait, daemon=True).start()
    wait_for(server, running=1, waiting=1)
    return taken


def test_overload_is_an_error_with_a_time(narrow: RunningServer) -> None:
    with openai.OpenAI(base_url=f"{narrow.url}/v1", api_key="none", max_retries=0) as client:
        occupy(narrow, client)
        with pytest.raises(openai.InternalServerError) as full:
            client.completions.create(model=narrow.model, prompt=PROMPT)
        assert (full.value.status_code, full.value.code) == (503, "server_is_overloaded")
        assert 1 <= int(full.value.response.headers["retry-after"]) <= 120
    wait_for(narrow, running=0, waiting=0, blocks=0)


def test_the_client_tries_again_when_the_server_says(narrow: RunningServer) -> None:
    attempts: list[tuple[float, int, float]] = []
    freed = threading.Event()

    def note(answer: httpx.Response) -> None:
        wait = float(answer.headers.get("retry-after-ms", 0)) / 1000
        attempts.append((time.monotonic(), answer.status_code, wait))
        freed.set()

    with (
        openai.OpenAI(base_url=f"{narrow.url}/v1", api_key="none", max_retries=0) as others,
        httpx.Client(event_hooks={"response": [note]}) as transport,
        openai.OpenAI(base_url=f"{narrow.url}/v1", api_key="none", max_retries=6, http_client=transport) as client,
    ):
        occupy(narrow, others)
        # The others leave as soon as it was refused once.
        threading.Thread(target=lambda: (freed.wait(30), others.close()), daemon=True).start()
        answer = client.completions.create(model=narrow.model, prompt=PROMPT, max_tokens=4)
    assert answer.usage.completion_tokens == 4
    assert attempts[0][1] == 503 and attempts[-1][1] == 200
    for (at, status, wait), (then, _, _) in zip(attempts, attempts[1:], strict=False):
        assert status == 503 and wait > 0
        # Longer waits than a minute are not followed by the package.
        assert then - at >= min(wait, 60) * 0.99
    wait_for(narrow, running=0, waiting=0, blocks=0)


# MARK: Cancellation


@pytest.mark.parametrize("n", [1, 3])
def test_closing_a_stream_frees_the_request(client: openai.OpenAI, server, n: int) -> None:
    wait_for(server, running=0, waiting=0, blocks=0)
    stream = client.completions.create(model=server.model, stream=True, n=n, **LONG)
    next(iter(stream))
    assert held(server)["running"] == n
    stream.close()
    wait_for(server, running=0, waiting=0, blocks=0)
    # The connection was given up, the client was not.
    assert client.completions.create(model=server.model, prompt=PROMPT, max_tokens=2).usage.completion_tokens == 2


def test_leaving_a_chat_stream_frees_the_request(client: openai.OpenAI, server) -> None:
    messages = [{"role": "user", "content": "Tell me a long story."}]
    extra = {"extra_body": {"ignore_eos": True, "stop_token_ids": []}}
    with client.chat.completions.create(model=server.model, messages=messages, stream=True, **extra) as stream:
        next(iter(stream))
    wait_for(server, running=0, waiting=0, blocks=0)


def test_cancelling_a_task_frees_the_request(server) -> None:
    async def run(stream: bool) -> None:
        async with openai.AsyncOpenAI(base_url=f"{server.url}/v1", api_key="none", max_retries=0) as client:

            async def ask() -> None:
                answer = await client.completions.create(model=server.model, stream=stream, **LONG)
                if stream:
                    async for _ in answer:
                        pass

            task = asyncio.create_task(ask())
            while held(server)["running"] == 0:
                await asyncio.sleep(0.01)
            task.cancel()
            with pytest.raises(asyncio.CancelledError):
                await task
            await asyncio.to_thread(wait_for, server, running=0, waiting=0, blocks=0)

    for stream in (False, True):
        asyncio.run(run(stream))


def test_a_timeout_of_the_client_frees_the_request(client: openai.OpenAI, server) -> None:
    with pytest.raises(openai.APITimeoutError):
        client.with_options(timeout=0.3).completions.create(model=server.model, n=8, **LONG)
    wait_for(server, running=0, waiting=0, blocks=0)
