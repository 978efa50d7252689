"""Continues a prompt: `python -m colm.sample MODEL "Once upon a time" --chains 2`."""

from __future__ import annotations

import argparse
from pathlib import Path

import torch
from tokenizers import Tokenizer

from .model import ColmForCausalLM
from .sampling import sample


def main():
    """The command: one text for each chain count asked for."""
    parser = argparse.ArgumentParser(prog="python -m colm.sample", description=__doc__)
    parser.add_argument("model", type=Path, help="model folder")
    parser.add_argument("prompt")
    parser.add_argument("--chains", type=int, nargs="+", help="chain counts (default: all)")
    parser.add_argument("--length", type=int, default=120)
    parser.add_argument("--temperature", type=float, default=0.8, help="0: greedy")
    parser.add_argument("--top-k", type=int, default=40)
    parser.add_argument("--seed", type=int, default=0)
    arguments = parser.parse_args()
    model = ColmForCausalLM.from_pretrained(arguments.model, dtype=torch.float32).eval()
    tokenizer = Tokenizer.from_file(str(arguments.model / "tokenizer.json"))
    for chains in arguments.chains or range(1, len(model.config.chains) + 1):
        rule = (arguments.length, arguments.temperature, arguments.top_k, arguments.seed)
        print(f"[{chains} chains] {sample(model, tokenizer, arguments.prompt, chains, *rule)}\n")


if __name__ == "__main__":
    main()
