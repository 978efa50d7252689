"""Everything a training run is told. The fields are the command line's options; this file is their documentation."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass, field
from pathlib import Path


def _option(default, text: str, **extra):
    factory = {"default_factory": lambda: list(default)} if isinstance(default, list) else {"default": default}
    return field(**factory, metadata={"help": text, **extra})


@dataclass
class TrainingOptions:
    """A run's settings, with their defaults."""

    run: Path = _option(Path("runs/catena"), "folder of this run: checkpoints, log, curves, samples, final model")
    text: list[Path] = _option([], "training text, UTF-8, plain or .xz or .gz", nargs="+")
    valid: Path | None = _option(None, "validation text")
    tokenizer: Path | None = _option(None, "tokenizer.json to use; without it one is trained into the run folder")
    vocabulary: int = _option(4096, "tokens of a new tokenizer")
    tokenizer_sample: int = _option(40_000_000, "bytes of text that a new tokenizer learns from")
    init: Path | None = _option(None, "start from the weights of this model folder; its shape wins over the options")
    freeze: int = _option(0, "chains that stay as they are (chain tuning, or after expansion)")
    resume: bool = _option(False, "continue from the run folder's last checkpoint")

    hidden_size: int = _option(512, "width D of the full model")
    heads: int = _option(16, "query heads H")
    kv_heads: int = _option(4, "key/value heads")
    chains: list[int] = _option([4, 4, 4, 4], "query heads of each chain", nargs="+")
    layers: int = _option(8, "layers")
    intermediate_size: int = _option(1408, "feed-forward width F of the full model")
    context: int = _option(512, "tokens a training window holds")
    max_positions: int = _option(2048, "max_position_embeddings: the longest sequence the model will be asked for")
    untied: bool = _option(False, "a head of its own instead of the embedding table")
    plain_kv: bool = _option(False, "plain CoLM (K and V by chain) instead of CoLM-Air")

    steps: int = _option(2000, "optimizer steps, when --minutes is not given")
    minutes: float | None = _option(None, "train for this long instead: progress is training time, kept over resumes")
    batch: int = _option(8, "windows in an optimizer step")
    micro_batch: int = _option(0, "tokens in one forward pass, gradients accumulating over the step (0: all of them)")
    workers: int = _option(1, "threads that take micro-batches, one core each; sums are bit-exact only with 1")
    pieces: list[str] = _option(
        [], "LENGTH:UNTIL pairs: cut windows into pieces of LENGTH tokens while progress is below UNTIL", nargs="+"
    )

    prefixes: str = _option(
        "all", "which losses: all prefixes, or one random prefix and the full model", choices=["all", "random"]
    )
    weights: list[float] = _option([], "loss weight of each prefix; they are scaled to sum 1", nargs="+")
    distill: float = _option(0.0, "share of the full model's distribution in the lower prefixes' targets")

    optimizer: str = _option("muon", "muon, or adamw", choices=["muon", "adamw"])
    lr: float = _option(3e-3, "AdamW's peak learning rate")
    matrix_lr: float = _option(0.02, "Muon's peak learning rate")
    muon_steps: int = _option(5, "Newton-Schulz iterations of Muon")
    weight_decay: float = _option(0.05, "decoupled weight decay of the body's matrices")
    beta1: float = _option(0.9, "AdamW's first beta")
    beta2: float = _option(0.95, "AdamW's second beta")
    clip: float = _option(1.0, "gradient norm limit")
    schedule: str = _option("wsd", "learning-rate schedule", choices=["cosine", "linear", "wsd"])
    warmup: float = _option(0.02, "share of the run for warm-up")
    decay: float = _option(0.5, "share of the run for wsd's decay")
    floor: float = _option(0.0, "learning rate at the end, as a share of the peak")

    bf16: bool = _option(False, "bf16 autocast; pays off where the machine has bf16 units")
    device: str = _option("auto", "cpu, cuda, or auto")
    threads: int = _option(0, "CPU threads (0: torch's choice)")
    seed: int = _option(1, "seed of weights, data order and random prefixes")
    log_every: int = _option(10, "steps between lines of log.jsonl")
    valid_every: float = _option(10, "minutes between validations")
    valid_windows: int = _option(32, "windows of a validation during training; the last one scores the whole text")
    export: str = _option("bf16", "weights of the finished model", choices=["f32", "f16", "bf16"])
    save_every: float = _option(5, "minutes between checkpoints")

    @property
    def tokenizer_path(self) -> Path:
        """The tokenizer.json to use or to write."""
        return self.tokenizer or self.run / "tokenizer.json"

    def as_text(self) -> dict:
        """As JSON-ready values."""
        return json.loads(json.dumps(asdict(self), default=str))

    def piece_length(self, progress: float) -> int:
        """Tokens of a training sequence at `progress`: the first of `pieces` whose end lies ahead, else `context`."""
        for piece in self.pieces:
            length, until = piece.split(":")
            if self.context % int(length):
                raise ValueError(f"pieces of {length} do not divide windows of {self.context}")
            if progress < float(until):
                return int(length)
        return self.context

    def prefix_weights(self) -> list[float]:
        """One weight a prefix, sum 1; by default the full model counts as much as two smaller ones."""
        count = len(self.chains)
        weights = self.weights or [1.0] * (count - 1) + [2.0]
        if len(weights) != count:
            raise ValueError(f"{len(weights)} weights for {count} chains")
        return [weight / sum(weights) for weight in weights]
