"""What the `tokenizers` package makes of 10,000 strings, for two tokenizers: the Swift tokenizer must make the same.

`python -m colm.tokenizer_fixtures Tests/Fixtures/tokenizers --bundled tokenizer.json --text train.txt.xz`

Each folder gets `tokenizer.json` and `strings.jsonl.gz` (gzip): one object a line (lines end at U+000A only), with the
`text`, its `ids` and the ids `decoded` with special tokens kept. After them come lines whose `text` is null:
random ids, whose bytes are often no valid UTF-8.
"""

from __future__ import annotations

import argparse
import gzip
import json
import random
from pathlib import Path

from tokenizers import AddedToken, Tokenizer, decoders, models, pre_tokenizers, trainers

from .strange_text import strange_strings
from .text import read_text
from .tokenizer import END_OF_TEXT

STRINGS, RANDOM_IDS = 10_000, 1_000


def gpt2_style(text: str, vocabulary: int = 1000) -> Tokenizer:
    """A tokenizer as GPT-2's file is: ByteLevel with its built-in regex, and added tokens of several kinds."""
    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=True)
    tokenizer.decoder = decoders.ByteLevel()
    alphabet = sorted(pre_tokenizers.ByteLevel.alphabet())
    trainer = trainers.BpeTrainer(vocab_size=vocabulary, initial_alphabet=alphabet, show_progress=False)
    tokenizer.train_from_iterator(text.splitlines(keepends=True), trainer)
    tokenizer.add_special_tokens([END_OF_TEXT, "<|im_start|>", "<|im_end|>"])
    tokenizer.add_tokens([AddedToken("<tool>", normalized=False), AddedToken("<tool>x", normalized=False)])
    return tokenizer


def write_fixture(tokenizer: Tokenizer, folder: Path, seed: int):
    """`tokenizer.json` and `strings.jsonl.gz` in `folder`."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "tokenizer.json").write_text(tokenizer.to_str(pretty=True) + "\n")
    added = sorted(token.content for token in tokenizer.get_added_tokens_decoder().values())
    lines = []
    for text in strange_strings(STRINGS, seed, added):
        ids = tokenizer.encode(text, add_special_tokens=False).ids
        lines.append({"text": text, "ids": ids, "decoded": tokenizer.decode(ids, skip_special_tokens=False)})
    rng = random.Random(seed)
    for _ in range(RANDOM_IDS):
        # Half of them single bytes above ASCII, which rarely join to whole characters.
        bytes_only = [tokenizer.token_to_id(symbol) for symbol in sorted(pre_tokenizers.ByteLevel.alphabet())[94:]]
        pool = rng.choice([range(tokenizer.get_vocab_size()), bytes_only])
        ids = [rng.choice(pool) for _ in range(rng.randint(1, 8))]
        lines.append({"text": None, "ids": ids, "decoded": tokenizer.decode(ids, skip_special_tokens=False)})
    text = "".join(json.dumps(line, ensure_ascii=False, separators=(",", ":")) + "\n" for line in lines)
    (folder / "strings.jsonl.gz").write_bytes(gzip.compress(text.encode(), 9, mtime=0))


def main():
    """The command."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("folder", type=Path)
    parser.add_argument("--bundled", type=Path, required=True, help="tokenizer.json of the bundled model")
    parser.add_argument("--text", type=Path, required=True, help="text to train the GPT-2-style one on")
    arguments = parser.parse_args()
    write_fixture(Tokenizer.from_file(str(arguments.bundled)), arguments.folder / "catena", seed=1)
    write_fixture(gpt2_style(read_text(arguments.text)[:2_000_000]), arguments.folder / "gpt2style", seed=2)


if __name__ == "__main__":
    main()
