"""Chats by the official OpenAI package, and as curl would ask for them."""

import json
import subprocess
from pathlib import Path

import httpx
import openai
import pytest

from conftest import MODEL, PROGRAM, RunningServer

MESSAGES = [
    {"role": "system", "content": "A talk between two old friends by the fire."},
    {"role": "user", "content": "Where have you been, my dear fellow?"},
]


@pytest.fixture
def client(server) -> openai.OpenAI:
    return openai.OpenAI(base_url=f"{server.url}/v1", api_key="none", max_retries=0)


def test_answer(client: openai.OpenAI, server) -> None:
    answer = client.chat.completions.create(
        model=server.model, messages=MESSAGES, max_completion_tokens=24, temperature=0
    )
    assert answer.id.startswith("chatcmpl-") and answer.object == "chat.completion"
    message = answer.choices[0].message
    assert message.role == "assistant"
    assert message.content and not message.content.startswith(" ")
    assert "\nUser:" not in message.content
    assert answer.choices[0].finish_reason in ("stop", "length")
    assert answer.usage.total_tokens == answer.usage.prompt_tokens + answer.usage.completion_tokens


def test_stream(client: openai.OpenAI, server) -> None:
    wanted = {"model": server.model, "messages": MESSAGES, "max_tokens": 30, "temperature": 0.7, "seed": 5, "n": 2}
    whole = client.chat.completions.create(**wanted)
    chunks = list(client.chat.completions.create(**wanted, stream=True, stream_options={"include_usage": True}))
    assert all(chunk.object == "chat.completion.chunk" for chunk in chunks)
    assert chunks[-1].choices == [] and chunks[-1].usage == whole.usage
    for index in (0, 1):
        mine = [chunk.choices[0] for chunk in chunks[:-1] if chunk.choices[0].index == index]
        assert [choice.delta.role for choice in mine] == ["assistant"] + [None] * (len(mine) - 1)
        assert "".join(choice.delta.content for choice in mine) == whole.choices[index].message.content
        assert mine[-1].finish_reason == whole.choices[index].finish_reason
        assert all(choice.finish_reason is None for choice in mine[:-1])


def test_the_clients_own_accumulation(client: openai.OpenAI, server) -> None:
    wanted = {"model": server.model, "messages": MESSAGES, "max_tokens": 12, "temperature": 0}
    whole = client.chat.completions.create(**wanted).choices[0].message.content
    # It takes an answer that ends by its length for an error.
    stop = whole[-4:]
    with client.chat.completions.stream(**wanted, stop=[stop]) as stream:
        for _ in stream:
            pass
        final = stream.get_final_completion()
    assert final.choices[0].message.content == whole[: whole.index(stop)]
    assert final.choices[0].message.role == "assistant"


def test_logprobs(client: openai.OpenAI, server) -> None:
    wanted = {"model": server.model, "messages": MESSAGES, "max_tokens": 5, "temperature": 0}
    answer = client.chat.completions.create(**wanted, logprobs=True, top_logprobs=3)
    rows = answer.choices[0].logprobs.content
    assert len(rows) == answer.usage.completion_tokens
    for row in rows:
        assert len(row.top_logprobs) == 3
        assert row.top_logprobs[0].logprob >= row.logprob
    text = b"".join(bytes(row.bytes) for row in rows).decode()
    assert text.lstrip(" ").startswith(answer.choices[0].message.content)


def test_the_same_as_its_transcript(http: httpx.Client) -> None:
    wanted = {"max_tokens": 16, "temperature": 0, "chains": 3}
    chat = http.post("/v1/chat/completions", json={"messages": MESSAGES, **wanted}).json()
    transcript = f"{MESSAGES[0]['content']}\n\nUser: {MESSAGES[1]['content']}\nAssistant:"
    stops = ["\nUser:", "\nAssistant:"]
    text = http.post("/v1/completions", json={"prompt": transcript, "stop": stops, **wanted}).json()
    assert chat["choices"][0]["message"]["content"] == text["choices"][0]["text"].lstrip(" ")
    assert chat["usage"]["completion_tokens_details"]["chain_tokens"] == [0, 0, text["usage"]["completion_tokens"], 0]


def test_a_session_computes_only_what_is_new(http: httpx.Client) -> None:
    def say(messages: list[dict]) -> dict:
        request = {"messages": messages, "max_tokens": 20, "temperature": 0, "chains": 4}
        answer = http.post("/v1/chat/completions", headers={"X-Session-Id": "chat-test"}, json=request)
        assert answer.status_code == 200, answer.text
        return answer.json()

    first = say(MESSAGES)
    spoken = {"role": "assistant", "content": first["choices"][0]["message"]["content"]}
    second = say([*MESSAGES, spoken, {"role": "user", "content": "And then?"}])
    cached = second["usage"]["prompt_tokens_details"]["cached_tokens"]
    assert cached >= first["usage"]["total_tokens"] - 1


def test_budgets_and_headers(http: httpx.Client) -> None:
    answer = http.post(
        "/v1/chat/completions",
        headers={"X-Chains": "1-2", "X-Latency-Budget-Ms": "20000"},
        json={"messages": MESSAGES, "max_tokens": 4},
    )
    assert answer.headers["x-chains"] in ("1", "2")
    assert answer.headers["x-completion-id"] == answer.json()["id"]


def test_typed_errors(client: openai.OpenAI, server) -> None:
    with pytest.raises(openai.BadRequestError) as bad:
        client.chat.completions.create(model=server.model, messages=[{"role": "tool", "content": "x"}])
    assert bad.value.param == "messages"
    with pytest.raises(openai.NotFoundError):
        client.chat.completions.create(model="no-such-model", messages=MESSAGES)


CHATML = "{% for m in messages %}<|im_start|>{{ m.role }}\n{{ m.content }}<|im_end|>\n{% endfor %}"
WRITTEN_CHATML = "<|im_start|>user\nHi<|im_end|>\n<|im_start|>assistant\n"
WRITTEN_PLAIN = "User: Hi\nAssistant:"


def folder_with(tmp_path: Path, files: dict[str, str]) -> Path:
    """A copy of the model's folder with other files in it."""
    folder = tmp_path / "model"
    folder.mkdir()
    for path in MODEL.iterdir():
        if path.name not in files:
            (folder / path.name).symlink_to(path.resolve())
    for name, text in files.items():
        (folder / name).write_text(text)
    return folder


@pytest.mark.parametrize(
    ("name", "text", "arguments", "written"),
    [
        ("tokenizer_config.json", json.dumps({"chat_template": CHATML}), (), WRITTEN_CHATML),
        (
            "tokenizer_config.json",
            json.dumps(
                {"chat_template": [{"name": "tools", "template": "x"}, {"name": "default", "template": CHATML}]}
            ),
            (),
            WRITTEN_CHATML,
        ),
        ("chat_template.jinja", CHATML, (), WRITTEN_CHATML),
        ("chat_template.jinja", CHATML, ("--set", "model.chat_template=plain"), WRITTEN_PLAIN),
        ("tokenizer_config.json", json.dumps({"extra_special_tokens": ["<|im_start|>"]}), (), WRITTEN_PLAIN),
    ],
)
def test_template_of_checkpoint_and_configuration(
    tmp_path: Path, name: str, text: str, arguments: tuple[str, ...], written: str
) -> None:
    running = RunningServer(*arguments, model=folder_with(tmp_path, {name: text}))
    try:
        request = {"messages": [{"role": "user", "content": "Hi"}], "max_tokens": 1}
        answer = httpx.post(f"{running.url}/v1/chat/completions", json=request, timeout=60).json()
        tokens = httpx.post(f"{running.url}/tokenize", json={"prompt": written}).json()["count"]
        assert answer["usage"]["prompt_tokens"] == tokens
    finally:
        running.stop()


def test_a_broken_template_file_stops_the_start(tmp_path: Path) -> None:
    folder = folder_with(tmp_path, {"tokenizer_config.json": '{"chat_template": '})
    start = subprocess.run(
        [PROGRAM, "serve", "--model", folder, "--port", "0"], capture_output=True, text=True, timeout=60
    )
    assert start.returncode != 0
    assert "tokenizer_config.json cannot be read for its chat template" in start.stderr
    assert "line 1, column 19" in start.stderr
