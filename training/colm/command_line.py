"""The commands: tokenizer, train."""

from __future__ import annotations

import argparse
import types
import typing
from dataclasses import fields
from pathlib import Path

from .options import TrainingOptions


def main():
    """Parses the command line and runs one command."""
    parser = argparse.ArgumentParser(prog="python -m colm", description=__doc__)
    commands = parser.add_subparsers(required=True)

    command = commands.add_parser("tokenizer", help="train a byte-level BPE tokenizer")
    command.add_argument("text", type=Path, nargs="+")
    command.add_argument("--out", type=Path, default=Path("tokenizer.json"))
    command.add_argument("--vocabulary", type=int, default=4096)
    command.add_argument("--sample-mb", type=float, default=40, help="text to learn from")
    command.set_defaults(run=_tokenizer)

    command = commands.add_parser("train", help="train a model, or resume")
    _add_options(command)
    command.set_defaults(run=_train)

    arguments = parser.parse_args()
    arguments.run(arguments)


def _tokenizer(arguments):
    from .tokenizer import train_tokenizer

    train_tokenizer(arguments.text, arguments.vocabulary, int(arguments.sample_mb * 1e6)).save(str(arguments.out))


def _train(arguments):
    from .trainer import Trainer

    options = TrainingOptions(
        **{item.name: getattr(arguments, f"option_{item.name}") for item in fields(TrainingOptions)}
    )
    trainer = Trainer(options)
    if options.resume:
        trainer.restore()
    trainer.log.write("options", options.as_text())
    trainer.run()


def _add_options(parser: argparse.ArgumentParser):
    """One flag a field of `TrainingOptions`."""
    defaults = TrainingOptions()
    hints = typing.get_type_hints(TrainingOptions)
    for item in fields(TrainingOptions):
        kind = hints[item.name]
        if isinstance(kind, types.UnionType) or typing.get_origin(kind) is list:
            kind = typing.get_args(kind)[0]
        default = getattr(defaults, item.name)
        settings = {"default": default, "dest": f"option_{item.name}", **item.metadata}
        settings["help"] += f" (default: {default})"
        settings.update({"action": "store_true"} if kind is bool else {"type": kind})
        parser.add_argument("--" + item.name.replace("_", "-"), **settings)
