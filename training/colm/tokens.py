"""Token files: text tokenised once into a flat little-endian uint16 file, and training windows drawn from it."""

from __future__ import annotations

import hashlib
from pathlib import Path

import numpy as np
import torch
from tokenizers import Tokenizer
from torch import Tensor

from .text import read_text
from .tokenizer import END_OF_TEXT


def encode_text(text: str, tokenizer: Tokenizer) -> np.ndarray:
    """The ids of `text` as uint16; `<|endoftext|>` in it is the special token."""
    if tokenizer.get_vocab_size() > 1 << 16:
        raise ValueError(f"vocabulary {tokenizer.get_vocab_size()} does not fit 16 bits")
    # Cut after the separators, which no token spans, so that the encoder works on one document at a time.
    documents = text.split(END_OF_TEXT)
    pieces = [document + END_OF_TEXT for document in documents[:-1]] + documents[-1:]
    return np.concatenate([np.array(tokenizer.encode(piece).ids, dtype=np.uint16) for piece in pieces if piece])


def load_tokens(texts: list[Path], tokenizer: Tokenizer, cache: Path) -> np.ndarray:
    """All `texts` tokenised in order, a separator after each file; kept in `cache` under a key of both."""
    key = hashlib.sha256(tokenizer.to_str().encode())
    for path in texts:
        key.update(f"{path.resolve()} {path.stat().st_size} {path.stat().st_mtime_ns}".encode())
    file = cache / f"tokens-{key.hexdigest()[:16]}.u16"
    if not file.exists():
        cache.mkdir(parents=True, exist_ok=True)
        separator = np.array([tokenizer.token_to_id(END_OF_TEXT)], dtype=np.uint16)
        parts = [part for path in texts for part in (encode_text(read_text(path), tokenizer), separator)]
        partial = file.with_suffix(".partial")
        np.concatenate(parts).tofile(partial)
        partial.rename(file)
    return np.memmap(file, dtype=np.uint16, mode="r")


class Windows:
    """Training windows of `context + 1` tokens in a shuffled order that depends on seed and position only.

    Every pass cuts the text at a new random phase and shuffles the windows. The position is one integer, so resuming
    needs no other state.
    """

    def __init__(self, tokens: np.ndarray, context: int, seed: int):
        self.tokens, self.context, self.seed = tokens, context, seed
        self.per_pass = (len(tokens) - 1) // context - 1
        if self.per_pass < 1:
            raise ValueError(f"{len(tokens)} tokens are too few for windows of {context}")
        self._order: tuple[int, int, np.ndarray] | None = None

    def batch(self, position: int, size: int) -> tuple[Tensor, Tensor]:
        """Windows `position ..< position + size`: inputs and targets, both [size, context]."""
        windows = np.stack([self._window(index) for index in range(position, position + size)]).astype(np.int64)
        return torch.from_numpy(windows[:, :-1].copy()), torch.from_numpy(windows[:, 1:].copy())

    def _window(self, index: int) -> np.ndarray:
        number, within = divmod(index, self.per_pass)
        if self._order is None or self._order[0] != number:
            random = np.random.default_rng([self.seed, number])
            self._order = (number, int(random.integers(self.context)), random.permutation(self.per_pass))
        _, phase, order = self._order
        start = phase + int(order[within]) * self.context
        return self.tokens[start : start + self.context + 1]
