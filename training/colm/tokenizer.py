"""The byte-level BPE tokenizer: trained on plain text, written as `tokenizer.json`."""

from __future__ import annotations

import random
from collections.abc import Iterator
from pathlib import Path

from tokenizers import Regex, Tokenizer, decoders, models, pre_tokenizers, trainers

from .text import read_text

END_OF_TEXT = "<|endoftext|>"

# GPT-2's pre-tokenizer, spelled out so that any engine with \p{..} classes and look-ahead can run it.
PRE_TOKENIZER_PATTERN = r"'(?:[sdmt]|ll|ve|re)| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+"


def train_tokenizer(texts: list[Path], vocabulary_size: int, sample_bytes: int, seed: int = 0) -> Tokenizer:
    """Learns `vocabulary_size` tokens (256 bytes and `<|endoftext|>` included) from a random sample of `texts`.

    Lines are drawn without replacement until `sample_bytes` of text are in the sample.
    """
    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.Sequence(
        [
            pre_tokenizers.Split(Regex(PRE_TOKENIZER_PATTERN), behavior="isolated"),
            pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False),
        ]
    )
    tokenizer.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(
        vocab_size=vocabulary_size,
        special_tokens=[END_OF_TEXT],
        initial_alphabet=sorted(pre_tokenizers.ByteLevel.alphabet()),
        show_progress=False,
    )
    tokenizer.train_from_iterator(_sample(texts, sample_bytes, seed), trainer)
    return tokenizer


def _sample(texts: list[Path], sample_bytes: int, seed: int) -> Iterator[str]:
    lines = [line for path in texts for line in read_text(path).splitlines(keepends=True)]
    random.Random(seed).shuffle(lines)
    taken = 0
    for line in lines:
        if taken >= sample_bytes:
            return
        taken += len(line.encode())
        yield line.replace(END_OF_TEXT, "")
