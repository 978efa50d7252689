"""The official OpenAI package against the running server."""

import asyncio

import openai
import pytest

PROMPT = "The house stood at the end of the lane"


@pytest.fixture
def client(server) -> openai.OpenAI:
    return openai.OpenAI(base_url=f"{server.url}/v1", api_key="none", max_retries=0)


def test_completion(client: openai.OpenAI, server) -> None:
    answer = client.completions.create(model=server.model, prompt=PROMPT, max_tokens=16, temperature=0)
    assert answer.choices[0].text
    assert answer.choices[0].finish_reason == "length"
    assert answer.usage.completion_tokens == 16


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


def test_typed_errors(client: openai.OpenAI, server) -> None:
    with pytest.raises(openai.BadRequestError) as bad:
        client.completions.create(model=server.model, prompt=PROMPT, max_tokens=-3)
    assert bad.value.param == "max_tokens"
    with pytest.raises(openai.NotFoundError) as missing:
        client.completions.create(model="no-such-model", prompt=PROMPT)
    assert missing.value.code == "model_not_found"


def test_list_of_models(client: openai.OpenAI, server) -> None:
    assert server.model in [model.id for model in client.models.list()]


def test_async_clients_side_by_side(server) -> None:
    async def run() -> list[str]:
        async with openai.AsyncOpenAI(base_url=f"{server.url}/v1", api_key="none") as client:
            answers = await asyncio.gather(
                *(
                    client.completions.create(model=server.model, prompt=PROMPT, max_tokens=12, temperature=0)
                    for _ in range(8)
                )
            )
        return [answer.choices[0].text for answer in answers]

    assert len(set(asyncio.run(run()))) == 1
