"""Random requests that have one right answer: seeded, of a fixed size, and likely to hit stop strings, characters in
pieces, echo and log probabilities."""

import random

import httpx

WORDS = "the old man and his dog went down to sea where ships of every size lay under a grey sky and gulls cried".split()
STRANGE = ["naïve café", "日本語の文", "🦜👩‍👩‍👧 ok", "e\u0301\u0302", "\u2028\ttab", "Ελληνικά", "€ 5", "\ufffd"]
STRANGE += ["<|endoftext|>"]
# What a model of English prose says soon, and what it says once byte tokens are made likely.
STOPS = [" the", "e", "\n", ", and", ".", '"', "\n\n", "ed the", " a", "never said"]
STOPS += ["é", "€", "\ufffd", "\ufffd\ufffd", "日本"]


class RandomRequests:
    """Makes bodies for `POST /v1/completions` and `/v1/chat/completions`."""

    def __init__(self, http: httpx.Client, seed: int) -> None:
        self.random = random.Random(seed)
        answer = http.post("/tokenize", json={"prompt": "é€🦜日本語", "add_special_tokens": False}).json()
        # Tokens that are parts of characters.
        self.pieces: list[int] = sorted(set(answer["tokens"]))
        self.vocabulary: int = http.get("/tokenizer_info").json()["vocab_size"]

    def text(self, most: int = 40) -> str:
        words = self.random.choices(WORDS, k=self.random.randint(0, most))
        for _ in range(self.random.choice([0, 0, 1, 3])):
            words.insert(self.random.randint(0, len(words)), self.random.choice(STRANGE))
        return self.random.choice([" ", " ", "", "\n"]).join(words)

    def prompt(self) -> str | list[str] | list[int] | list[list[int]]:
        rng = self.random

        def tokens() -> list[int]:
            return [rng.randrange(self.vocabulary) for _ in range(rng.randint(1, 30))]

        match rng.randrange(8):
            case 0:
                return tokens()
            case 1:
                return [tokens() for _ in range(rng.randint(1, 3))]
            case 2:
                return [self.text() for _ in range(rng.randint(1, 3))]
            case _:
                return self.text()

    def sampling(self) -> dict:
        rng = self.random
        body = {
            "seed": rng.randint(0, 1 << 60),
            "temperature": rng.choice([0, 0.7, 1, 1.6]),
            "max_tokens": rng.choice([0, 1, 2, rng.randint(3, 30), rng.randint(3, 30)]),
            "chains": rng.randint(1, 4),
            "n": rng.choice([1, 1, 1, 2, 3]),
        }
        for name, values in {
            "top_p": [0.5, 0.95],
            "top_k": [1, 20],
            "min_p": [0.05],
            "typical_p": [0.8],
            "presence_penalty": [-1, 1.5],
            "frequency_penalty": [0.8],
            "repetition_penalty": [1.3],
            "ignore_eos": [True],
            "min_tokens": [min(2, body["max_tokens"])],
        }.items():
            if rng.random() < 0.2:
                body[name] = rng.choice(values)
        if rng.random() < 0.5:
            body["logit_bias"] = {str(token): rng.choice([3, 6, 9]) for token in self.pieces}
        if rng.random() < 0.5:
            body["stop"] = rng.choice([rng.choice(STOPS), rng.sample(STOPS, 3)])
        return body

    def completion(self) -> dict:
        body = {"prompt": self.prompt(), **self.sampling(), "echo": self.random.random() < 0.3}
        if self.random.random() < 0.4:
            body["logprobs"] = self.random.choice([0, 1, 5])
        return body

    def chat(self) -> dict:
        roles = self.random.choice([["user"], ["system", "user"], ["user", "assistant", "user"]])
        body = {"messages": [{"role": role, "content": self.text(12)} for role in roles], **self.sampling()}
        if self.random.random() < 0.4:
            body |= {"logprobs": True, "top_logprobs": self.random.choice([0, 1, 5])}
        return body
