"""Fixtures for what the bundled tokenizer does not use: what the `tokenizers` package makes of strings made to be hard.

`python make_variants.py TEXT.txt.xz`, with tokenizers 0.23 from PyPI, writes beside itself

    added/   every kind of added token, a template, a prefix space, merges spelled as strings
    llama3/  Llama 3's pattern and `ignore_merges`
    splits/  every behavior of `Split`, `Digits`

each with `tokenizer.json` and `strings.jsonl.gz`. Its lines hold `text`, `ids` and `decoded`, and say whether the text was
encoded with `special` tokens (template and parsing; they are left out of `decoded` then) or as `plain` text. After them
come lines whose `text` is null: random ids.
"""

from __future__ import annotations

import gzip
import json
import lzma
import random
import sys
from pathlib import Path

from tokenizers import AddedToken, Regex, Tokenizer, decoders, models, pre_tokenizers, processors, trainers

LLAMA3 = (
    r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n]*"
    r"|\s*[\r\n]+|\s+(?!\S)|\s+"
)
# Scalars that came with Unicode 15 and 16.
NEW = [(0x1C89, 0x1C8A), (0xA7CB, 0xA7CD), (0x11F02, 0x11F33), (0x31350, 0x323AF), (0x2EBF0, 0x2EE5D), (0x10D40, 0x10D85)]
SPACES = "\t\n\v\f\r\x1c\x1f \x85\xa0\u180e\u200b\u200d\u2028\u2029\u202f\u3000\ufeff"
PIECES = (
    ["'s", "'ll", "'S", "'\u017f", "'LL", "'Ve", "don't", "  ", "   \n", "\r\n", "\n\n", "\t", "word", "words", "sword", " word "]
    + ["<s>", "</s>", "<mask>", " <mask> ", "<|end|>", "<|end|>  ", "<|end|>x", "<|end", "  two ", "h\u00e9\u00e9", "\u00e9"]
    + ["e\u0301", "\U0001f600", "\U0001f600\U0001f600", "12345", "3.14", "\u0661\u0662\u0663", "\u2167", "\u00bd", "\u4e2d\u6587"]
    + ["...", "--", "_", "a_b", "\0", "\x7f", "\ufffd", "\u212a", "x", "xxx", "the tea", "quiet aeon"]
)


class Strings:
    """Seeded strings: every plane, white space, contractions, added tokens, text."""

    def __init__(self, text: str, seed: int):
        self.text, self.random = text, random.Random(seed)

    def scalar(self) -> str:
        ranges = [(0, 0x7F), (0, 0x7FF), (0, 0xFFFF), (0, 0x10FFFF), self.random.choice(NEW)]
        while True:
            code = self.random.randint(*self.random.choice(ranges))
            if not 0xD800 <= code < 0xE000:
                return chr(code)

    def snippet(self, longest: int) -> str:
        start = self.random.randrange(len(self.text) - longest)
        return self.text[start : start + self.random.randrange(longest)]

    def part(self) -> str:
        return self.random.choice([self.scalar(), self.random.choice(PIECES), self.snippet(12), self.random.choice(SPACES)])

    def make(self) -> str:
        kind = self.random.randrange(5)
        if kind == 0:
            return self.snippet(120)
        if kind == 1:
            return "".join(self.scalar() for _ in range(self.random.randrange(20)))
        if kind == 2:
            return "".join(self.random.choice(PIECES) + self.random.choice(["", " "]) for _ in range(self.random.randrange(9)))
        if kind == 3:
            return "".join(self.part() for _ in range(self.random.randrange(12)))
        return self.part() * self.random.randrange(60)


def train(tokenizer: Tokenizer, text: str, vocabulary: int, special: list[str]) -> Tokenizer:
    tokenizer.decoder = decoders.ByteLevel()
    alphabet = sorted(pre_tokenizers.ByteLevel.alphabet())
    trainer = trainers.BpeTrainer(
        vocab_size=vocabulary, special_tokens=special, initial_alphabet=alphabet, show_progress=False
    )
    tokenizer.train_from_iterator(text.splitlines(keepends=True), trainer)
    return tokenizer


def added(text: str) -> tuple[Tokenizer, str]:
    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=True)
    train(tokenizer, text, 700, ["<unk>", "<s>", "</s>"])
    tokenizer.add_special_tokens(
        [
            AddedToken("<mask>", lstrip=True),
            AddedToken("<|end|>", rstrip=True, normalized=False),
            AddedToken("<|end|>x", normalized=False),
        ]
    )
    tokenizer.add_tokens(
        [
            AddedToken("word", single_word=True, normalized=True),
            AddedToken("h\u00e9\u00e9"),
            AddedToken("  two", lstrip=True, rstrip=True, normalized=False),
            AddedToken("\u00e9"),
            AddedToken("\n\n", normalized=True),
            AddedToken("\U0001f600\U0001f600"),
            AddedToken("<|e", normalized=True),
        ]
    )
    special = [(token, tokenizer.token_to_id(token)) for token in ["<s>", "</s>"]]
    template = processors.TemplateProcessing(single="<s> $A </s>", pair="<s> $A $B", special_tokens=special)
    tokenizer.post_processor = processors.Sequence([processors.ByteLevel(), template])
    file = json.loads(tokenizer.to_str())
    file["model"]["merges"] = [" ".join(merge) for merge in file["model"]["merges"]]
    return Tokenizer.from_str(json.dumps(file)), json.dumps(file)


def llama3(text: str) -> tuple[Tokenizer, str]:
    tokenizer = Tokenizer(models.BPE(ignore_merges=True))
    split = pre_tokenizers.Split(Regex(LLAMA3), behavior="isolated")
    tokenizer.pre_tokenizer = pre_tokenizers.Sequence([split, pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False)])
    train(tokenizer, text, 1000, ["<|begin|>", "<|end|>"])
    # Two words that no merge makes, so that taking whole words shows.
    file = json.loads(tokenizer.to_str())
    for word in ["\u0120word", "xxx"]:
        file["model"]["vocab"].setdefault(word, len(file["model"]["vocab"]))
    return Tokenizer.from_str(json.dumps(file)), json.dumps(file)


def splits(text: str) -> tuple[Tokenizer, str]:
    def split(pattern, behavior: str, invert: bool = False):
        return pre_tokenizers.Split(pattern, behavior=behavior, invert=invert)

    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.Sequence(
        [
            pre_tokenizers.Digits(individual_digits=True),
            split(" t", "merged_with_next"),
            split("e", "merged_with_previous"),
            split(Regex("[aeiou]+"), "contiguous", invert=True),
            split(Regex("x+"), "removed"),
            split(Regex(r"\p{Lu}[^\s]*"), "isolated", invert=True),
            pre_tokenizers.ByteLevel(add_prefix_space=False),
        ]
    )
    train(tokenizer, text, 500, [])
    return tokenizer, tokenizer.to_str()


def lines(tokenizer: Tokenizer, strings: Strings):
    for index in range(2500):
        text, special = strings.make(), index % 4 != 0
        tokenizer.encode_special_tokens = not special
        ids = tokenizer.encode(text, add_special_tokens=special).ids
        decoded = tokenizer.decode(ids, skip_special_tokens=special)
        yield {"text": text, "mode": "special" if special else "plain", "ids": ids, "decoded": decoded}
    for _ in range(500):
        ids = [strings.random.randrange(tokenizer.get_vocab_size()) for _ in range(strings.random.randrange(12))]
        yield {"text": None, "ids": ids, "decoded": tokenizer.decode(ids, skip_special_tokens=False)}


def main():
    text = lzma.open(sys.argv[1], "rt", encoding="utf-8").read()[:500_000]
    for seed, make in enumerate([added, llama3, splits]):
        tokenizer, file = make(text)
        folder = Path(__file__).parent / make.__name__
        folder.mkdir(exist_ok=True)
        (folder / "tokenizer.json").write_text(file + "\n")
        body = "".join(json.dumps(line, separators=(",", ":")) + "\n" for line in lines(tokenizer, Strings(text, seed)))
        (folder / "strings.jsonl.gz").write_bytes(gzip.compress(body.encode(), 9, mtime=0))


if __name__ == "__main__":
    main()
