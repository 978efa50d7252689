"""LangChain's OpenAI classes against the running server: what chains, agents and evaluations are built on."""

import asyncio

import openai
import pytest
from langchain_core.messages import AIMessageChunk, HumanMessage, SystemMessage
from langchain_openai import ChatOpenAI, OpenAI

MESSAGES = [SystemMessage("A talk between two old friends."), HumanMessage("Where have you been?")]
PROMPT = "The house stood at the end of the lane"


@pytest.fixture
def chat(server) -> ChatOpenAI:
    return ChatOpenAI(
        base_url=f"{server.url}/v1",
        api_key="none",
        model=server.model,
        max_retries=0,
        temperature=0,
        max_completion_tokens=20,
        extra_body={"chains": 4},
    )


@pytest.fixture
def llm(server) -> OpenAI:
    return OpenAI(
        base_url=f"{server.url}/v1",
        api_key="none",
        model=server.model,
        max_retries=0,
        temperature=0,
        max_tokens=20,
        extra_body={"chains": 4},
    )


def test_chat_invoke(chat: ChatOpenAI, server) -> None:
    message = chat.invoke(MESSAGES)
    assert message.content
    assert message.usage_metadata["output_tokens"] <= 20
    assert message.usage_metadata["total_tokens"] == sum(
        message.usage_metadata[part] for part in ("input_tokens", "output_tokens")
    )
    assert message.response_metadata["finish_reason"] in ("stop", "length")
    assert message.response_metadata["model_name"] == server.model
    assert message.id and message.response_metadata["id"].startswith("chatcmpl-")


def test_chat_stream(chat: ChatOpenAI) -> None:
    chunks = list(chat.stream(MESSAGES, stream_usage=True))
    assert len([chunk for chunk in chunks if chunk.content]) > 3
    joined = chunks[0]
    for chunk in chunks[1:]:
        joined += chunk
    assert isinstance(joined, AIMessageChunk)
    whole = chat.invoke(MESSAGES)
    assert joined.content == whole.content
    assert joined.usage_metadata["output_tokens"] == whole.usage_metadata["output_tokens"]
    assert joined.response_metadata["finish_reason"] == whole.response_metadata["finish_reason"]


def test_chat_batch_and_async(chat: ChatOpenAI) -> None:
    questions = ["Where have you been?", "Who is there?", "What is the matter?", "Is it late?"]
    alone = [chat.invoke(question).content for question in questions]
    assert [message.content for message in chat.batch(questions)] == alone

    async def run() -> tuple[list[str], str]:
        batch = await chat.abatch(questions)
        pieces = [chunk.content async for chunk in chat.astream(questions[0])]
        return [message.content for message in batch], "".join(pieces)

    assert asyncio.run(run()) == (alone, alone[0])


def test_chat_logprobs(chat: ChatOpenAI) -> None:
    message = chat.bind(logprobs=True, top_logprobs=3).invoke(MESSAGES)
    entries = message.response_metadata["logprobs"]["content"]
    assert len(entries) == message.usage_metadata["output_tokens"]
    assert all(len(entry["top_logprobs"]) == 3 and entry["logprob"] <= 0 for entry in entries)


def test_stop_strings(chat: ChatOpenAI) -> None:
    whole = chat.invoke(MESSAGES).content
    stop = whole[-5:]
    message = chat.invoke(MESSAGES, stop=[stop])
    assert message.content == whole[: whole.index(stop)]
    assert message.response_metadata["finish_reason"] == "stop"


def test_errors(chat: ChatOpenAI, server) -> None:
    lost = ChatOpenAI(base_url=f"{server.url}/v1", api_key="none", model="no-such-model", max_retries=0)
    with pytest.raises(openai.NotFoundError) as missing:
        lost.invoke("Hello")
    assert missing.value.code == "model_not_found"
    with pytest.raises(openai.BadRequestError) as bad:
        chat.invoke("Hello", temperature=3)
    assert bad.value.param == "temperature"
    with pytest.raises(openai.BadRequestError) as long:
        chat.invoke("far " * 3000)
    assert long.value.code == "context_length_exceeded"
    # What it cannot do it says, instead of answering in prose where a call of a tool is expected.
    with pytest.raises(openai.BadRequestError) as tools:
        chat.bind_tools([{"name": "look", "description": "", "parameters": {"type": "object"}}]).invoke("Hello")
    assert (tools.value.param, tools.value.code) == ("tools", "unsupported_parameter")
    with pytest.raises(openai.BadRequestError) as form:
        chat.bind(response_format={"type": "json_object"}).invoke("Hello")
    assert (form.value.param, form.value.code) == ("response_format", "unsupported_parameter")


def test_completions(llm: OpenAI) -> None:
    text = llm.invoke(PROMPT)
    assert text
    assert "".join(llm.stream(PROMPT)) == text
    assert asyncio.run(llm.ainvoke(PROMPT)) == text
    # A batch is one request with a list of prompts.
    prompts = [PROMPT, "It was late", "Once upon a time"]
    assert llm.batch(prompts) == [llm.invoke(prompt) for prompt in prompts]


def test_best_of(server) -> None:
    llm = OpenAI(
        base_url=f"{server.url}/v1", api_key="none", model=server.model, temperature=1, max_tokens=8, best_of=4, seed=3
    )
    answer = llm.generate([PROMPT])
    assert len(answer.generations[0]) == 1
    assert answer.llm_output["token_usage"]["completion_tokens"] > 8
