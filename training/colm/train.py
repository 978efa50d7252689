"""Trains a chain model: `python -m colm.train TEXT... --valid TEXT --run FOLDER`; see docs/training.md."""

from __future__ import annotations

import argparse
import types
import typing
from dataclasses import fields

from .curves import draw_curves
from .export import DTYPES, export_model, rounded
from .options import TrainingOptions
from .sampling import sample
from .tokenizer import train_tokenizer
from .trainer import Trainer

PROMPTS = ("Once upon a time", '"I do not understand you," said', "The old house stood")


def main():
    """The command: tokenizer when there is none, training, then model, samples and curves in the run folder."""
    options = parse_options()
    options.run.mkdir(parents=True, exist_ok=True)
    if not options.tokenizer_path.exists():
        train_tokenizer(options.text, options.vocabulary, options.tokenizer_sample).save(str(options.tokenizer_path))
    trainer = Trainer(options)
    if options.resume:
        trainer.restore()
    trainer.log.write("options", options.as_text())
    trainer.stop_on_signals()
    trainer.run()
    if trainer.progress >= 1:
        finish(trainer)


def finish(trainer: Trainer):
    """Writes `model/`, `samples.txt` and `curves.png`; the scores in `model/` are those of its rounded weights."""
    options = trainer.options
    dtype = DTYPES[options.export]
    rounded(trainer.model, dtype)
    qualities = trainer.validate() if options.valid else None
    export_model(trainer.model, options.tokenizer_path, options.run / "model", dtype, options.context, qualities)
    write_samples(trainer)
    draw_curves(options.run)


def write_samples(trainer: Trainer):
    """Three prompts continued by every chain count, into `samples.txt`."""
    parts = []
    for prompt in PROMPTS:
        for chains in range(1, len(trainer.options.chains) + 1):
            text = sample(trainer.model, trainer.tokenizer, prompt, chains, length=80)
            parts.append(f"[{chains} chains]\n{text}\n")
    (trainer.options.run / "samples.txt").write_text("\n".join(parts))


def parse_options() -> TrainingOptions:
    """The command line as options: one flag a field, the text by position."""
    defaults, hints = TrainingOptions(), typing.get_type_hints(TrainingOptions)
    parser = argparse.ArgumentParser(prog="python -m colm.train", description=__doc__)
    for item in fields(TrainingOptions):
        kind, default = hints[item.name], getattr(defaults, item.name)
        if isinstance(kind, types.UnionType) or typing.get_origin(kind) is list:
            kind = typing.get_args(kind)[0]
        settings = dict(item.metadata)
        if item.name == "text":
            parser.add_argument("text", type=kind, **settings)
            continue
        settings["help"] += f" (default: {default})"
        settings.update({"action": "store_true"} if kind is bool else {"type": kind, "default": default})
        parser.add_argument("--" + item.name.replace("_", "-"), **settings)
    return TrainingOptions(**vars(parser.parse_args()))


if __name__ == "__main__":
    main()
