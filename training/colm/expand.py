"""Adds chains to a model: `python -m colm.expand BASE OUT --add 4 4`; then `colm.train --init OUT --freeze K`."""

from __future__ import annotations

import argparse
import shutil
from pathlib import Path

import torch

from .expansion import expand
from .model import ColmForCausalLM


def main():
    """The command: the expanded model in f32, with the base's tokenizer."""
    parser = argparse.ArgumentParser(prog="python -m colm.expand", description=__doc__)
    parser.add_argument("base", type=Path)
    parser.add_argument("out", type=Path)
    parser.add_argument("--add", type=int, nargs="+", required=True, help="query heads of each new chain")
    parser.add_argument("--seed", type=int, default=0)
    arguments = parser.parse_args()
    torch.manual_seed(arguments.seed)
    base = ColmForCausalLM.from_pretrained(arguments.base, dtype=torch.float32)
    expand(base, arguments.add).save_pretrained(arguments.out)
    shutil.copyfile(arguments.base / "tokenizer.json", arguments.out / "tokenizer.json")


if __name__ == "__main__":
    main()
