"""Scores a model on a text: `python -m colm.evaluate MODEL TEXT`; the definition is in docs/training.md."""

from __future__ import annotations

import argparse
import json
from pathlib import Path

import torch
from tokenizers import Tokenizer

from .evaluation import CONTEXT, evaluate
from .model import ColmForCausalLM
from .text import read_text
from .tokens import encode_text


def main():
    """The command: a table, or with `--json` one object a chain count."""
    parser = argparse.ArgumentParser(prog="python -m colm.evaluate", description=__doc__)
    parser.add_argument("model", type=Path, help="model folder")
    parser.add_argument("text", type=Path, help="text, plain or .xz or .gz")
    parser.add_argument("--context", type=int, default=CONTEXT, help=f"tokens a window feeds (default: {CONTEXT})")
    parser.add_argument("--limit", type=int, help="score the first windows only")
    parser.add_argument("--skip", type=int, default=0, help="first predictions of each window that do not count")
    parser.add_argument("--json", action="store_true")
    arguments = parser.parse_args()

    model = ColmForCausalLM.from_pretrained(arguments.model, dtype=torch.float32).eval()
    text = read_text(arguments.text)
    tokens = encode_text(text, Tokenizer.from_file(str(arguments.model / "tokenizer.json")))
    scope = {"context": arguments.context, "limit": arguments.limit, "skip": arguments.skip}
    rows = [quality.row() for quality in evaluate(model, tokens, len(text.encode()), **scope)]
    if arguments.json:
        print("\n".join(json.dumps(row) for row in rows))
        return
    print("chains  parameters    loss  perplexity  loss/byte  perplexity/byte  argmax agrees  1 - TV")
    for row in rows:
        print(
            f"{row['chains']:6d}  {row['parameters']:10d}  {row['loss']:.4f}  {row['perplexity']:10.3f}  "
            f"{row['loss_per_byte']:9.4f}  {row['perplexity_per_byte']:15.4f}  {row['argmax_agreement']:13.4f}  "
            f"{row['acceptance']:6.4f}"
        )


if __name__ == "__main__":
    main()
