"""A stream's tokens, and what a quiet server says in their place."""

import asyncio
from dataclasses import dataclass
from itertools import groupby

import httpx

BITS = (1 << 64) - 1
GOLDEN = 0x9E37_79B9_7F4A_7C15


@dataclass(frozen=True)
class Token:
    """A generated token: how it is written in lists of log probabilities (no two look the same), its own log
    probability, and the chains that computed it."""

    label: str
    logprob: float
    chains: int


def tokens(chunk: dict) -> list[Token]:
    """The tokens of a stream's chunk."""
    choice = chunk["choices"][0]
    if choice["logprobs"] is None:
        return []
    pairs = zip(choice["logprobs"]["tokens"], choice["logprobs"]["token_logprobs"], strict=True)
    return [Token(label, logprob, choice["chains"]) for label, logprob in pairs]


def seed_behind(seed: int, count: int) -> int:
    """The seed whose random numbers are those of `seed` without the first `count`.

    Token i of an answer draws mix(mix(seed) + (i + 1) * golden), and mix, SplitMix64's finaliser, can be undone.
    """
    return _unmixed((_mixed(seed) + count * GOLDEN) & BITS)


def _mixed(z: int) -> int:
    z = (z ^ z >> 30) * 0xBF58_476D_1CE4_E5B9 & BITS
    z = (z ^ z >> 27) * 0x94D0_49BB_1331_11EB & BITS
    return z ^ z >> 31


def _unmixed(z: int) -> int:
    z = z ^ z >> 31 ^ z >> 62
    z = z * pow(0x94D0_49BB_1331_11EB, -1, 1 << 64) & BITS
    z = z ^ z >> 27 ^ z >> 54
    z = z * pow(0xBF58_476D_1CE4_E5B9, -1, 1 << 64) & BITS
    return z ^ z >> 30 ^ z >> 60


class Replay:
    """Gives a quiet server the chain history of a stream: a request that changes its size cannot be told to do so at the
    same token again, but single requests of one size each can, every one behind the tokens of those before."""

    def __init__(self, http: httpx.AsyncClient) -> None:
        self.http = http
        self.one_at_a_time = asyncio.Lock()
        self.ids: dict[str, int] = {}

    async def whole(self, body: dict) -> str:
        """The text of a request's answer, alone."""
        alone = {key: value for key, value in body.items() if key not in ("session_id", "stream", "n", "logprobs")}
        return (await self._ask("/v1/completions", alone))["choices"][0]["text"]

    async def tokens(self, body: dict, streamed: list[Token]) -> list[Token]:
        """What stands in the place of each streamed token when everything before it is as it was streamed."""
        known = (await self._ask("/tokenize", {"prompt": body["prompt"]}))["tokens"]
        expected: list[Token] = []
        for chains, run in groupby(streamed, key=lambda token: token.chains):
            labels = [token.label for token in run]
            alone = {
                "prompt": known,
                "max_tokens": len(labels),
                "temperature": body["temperature"],
                "seed": seed_behind(body["seed"], len(expected)),
                "chains": chains,
                "ignore_eos": True,
                "logprobs": 0,
            }
            choice = (await self._ask("/v1/completions", alone))["choices"][0]
            expected += tokens({"choices": [{**choice, "chains": chains}]})
            known = known + [self.ids[label] for label in labels]
        return expected

    async def text(self, streamed: list[Token]) -> str:
        """The text of the tokens, as an answer has it."""
        body = {"tokens": [self.ids[token.label] for token in streamed], "skip_special_tokens": True}
        return (await self._ask("/detokenize", body))["prompt"]

    async def learn_vocabulary(self) -> None:
        """Asks for the token that each label stands for; before anything else."""
        count = (await self.http.get("/tokenizer_info")).json()["vocab_size"]
        # A prompt of all tokens, in pieces: its log probabilities name them.
        for start in range(0, count, 512):
            ids = list(range(start, min(start + 512, count)))
            body = {"prompt": ids, "max_tokens": 0, "echo": True, "logprobs": 0, "chains": 1}
            answer = await self._ask("/v1/completions", body)
            self.ids |= zip(answer["choices"][0]["logprobs"]["tokens"], ids, strict=True)

    async def _ask(self, path: str, body: dict) -> dict:
        async with self.one_at_a_time:
            answer = await self.http.post(path, json=body)
        assert answer.status_code == 200, f"the quiet server answers {body} with {answer.text}"
        return answer.json()
