"""The tokenizer over HTTP, against the `tokenizers`-made ids that completions are answered with."""

import httpx
import pytest

TEXTS = ["It was a dark and stormy night", "naïve café 🦜", "", " two  spaces\n\n", "<|endoftext|>and on"]


@pytest.mark.parametrize("text", TEXTS)
@pytest.mark.parametrize("field", ["prompt", "content"])
def test_there_and_back(http: httpx.Client, field: str, text: str) -> None:
    answer = http.post("/tokenize", json={field: text, "return_token_strs": True})
    assert answer.status_code == 200, answer.text
    body = answer.json()
    assert body["count"] == len(body["tokens"]) == len(body["token_strs"])
    back = http.post("/detokenize", json={"tokens": body["tokens"]}).json()
    assert back == {"prompt": text, "content": text}


def test_completions_count_the_same_tokens(http: httpx.Client) -> None:
    tokens = http.post("/tokenize", json={"prompt": TEXTS[0]}).json()["tokens"]
    wanted = {"max_tokens": 8, "temperature": 0, "chains": 2}
    by_text = http.post("/v1/completions", json={"prompt": TEXTS[0], **wanted}).json()
    by_ids = http.post("/v1/completions", json={"prompt": tokens, **wanted}).json()
    assert by_text["usage"]["prompt_tokens"] == len(tokens)
    assert by_text["choices"][0]["text"] == by_ids["choices"][0]["text"]


def test_info(http: httpx.Client) -> None:
    info = http.get("/tokenizer_info").json()
    models = http.get("/v1/models").json()["data"]
    assert info["max_model_len"] == models[0]["max_model_len"]
    assert info["eos_token"] == "<|endoftext|>"
    end = http.post("/tokenize", json={"prompt": info["eos_token"], "add_special_tokens": False}).json()
    assert end["tokens"] == [entry["id"] for entry in info["special_tokens"] if entry["content"] == info["eos_token"]]


def test_refusals(http: httpx.Client) -> None:
    assert http.post("/tokenize", json={"prompt": 7}).json()["error"]["param"] == "prompt"
    assert http.post("/detokenize", json={"tokens": [-1]}).json()["error"]["param"] == "tokens"
    assert http.get("/tokenize").status_code == 405
