"""The training loop: multi-prefix loss, schedule, checkpoints, validation."""

from __future__ import annotations

import contextlib
import random
import signal
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import torch
from tokenizers import Tokenizer
from torch import Tensor
from tqdm import tqdm

from .config import ColmConfig
from .evaluation import ChainQuality, evaluate
from .expansion import freeze
from .model import ColmForCausalLM
from .optimizers import clip_gradients, make_optimizers, set_rate
from .options import TrainingOptions
from .runlog import RunLog
from .schedule import rate_factor
from .text import read_text
from .tokenizer import END_OF_TEXT
from .tokens import Windows, encode_text, load_tokens

CHECKPOINT = "state.pt"


class Trainer:
    """One run. All its mutable state (weights, optimizers, generators, counters) is in the checkpoint."""

    def __init__(self, options: TrainingOptions):
        self.options = options
        if options.threads:
            torch.set_num_threads(options.threads)
        self.map = map
        if options.workers > 1:
            # Workers that each run whole micro-batches on one core share no barriers, so that a core that other
            # programs use slows one worker down and not every operation.
            torch.set_num_threads(1)
            self.map = ThreadPoolExecutor(options.workers).map
        cuda = torch.cuda.is_available()
        self.device = torch.device(("cuda" if cuda else "cpu") if options.device == "auto" else options.device)
        torch.manual_seed(options.seed)
        self.random = random.Random(options.seed)
        self.tokenizer = Tokenizer.from_file(str(options.tokenizer_path))
        self.windows = Windows(
            load_tokens(options.text, self.tokenizer, options.run / "cache"), options.context, options.seed
        )
        if options.init:
            self.model = ColmForCausalLM.from_pretrained(options.init, dtype=torch.float32)
            options.chains = list(self.model.config.chains)
            known, read = self.model.config.vocab_size, self.tokenizer.get_vocab_size()
            if known < read:
                raise ValueError(f"{options.init} knows {known} tokens, {options.tokenizer_path} has {read}")
        else:
            self.model = ColmForCausalLM(self._config())
        freeze(self.model, options.freeze)
        self.model.to(self.device).train()
        betas = (options.beta1, options.beta2)
        self.optimizers = make_optimizers(
            self.model,
            options.optimizer,
            options.lr,
            options.matrix_lr,
            options.weight_decay,
            betas,
            self.map,
            options.muon_steps,
        )
        self.step = 0
        self.position = 0  # windows used so far
        self.tokens = 0  # tokens trained on so far
        self.seconds = 0.0  # training time so far, validation and checkpoints left out
        self.log = RunLog(options.run)

    def _config(self) -> ColmConfig:
        options = self.options
        end = self.tokenizer.token_to_id(END_OF_TEXT)
        return ColmConfig(
            vocab_size=self.tokenizer.get_vocab_size(),
            hidden_size=options.hidden_size,
            intermediate_size=options.intermediate_size,
            num_hidden_layers=options.layers,
            num_attention_heads=options.heads,
            num_key_value_heads=options.kv_heads,
            chains=list(options.chains),
            kv_sharing=not options.plain_kv,
            max_position_embeddings=options.max_positions,
            bos_token_id=end,
            eos_token_id=end,
            tie_word_embeddings=not options.untied,
        )

    @property
    def progress(self) -> float:
        """From 0 to 1: by training time with `--minutes`, else by steps."""
        if self.options.minutes:
            return self.seconds / (60 * self.options.minutes)
        return self.step / self.options.steps

    def run(self, stop_after: int | None = None):
        """Trains to the end (or for `stop_after` steps), validating and saving on the way."""
        options = self.options
        saved = validated = self.seconds
        bar = tqdm(
            total=100.0,
            initial=min(100.0, 100 * self.progress),
            unit="%",
            bar_format="{l_bar}{bar}| {elapsed}<{remaining}{postfix}",
            mininterval=1,
        )
        first = self.step
        self.stopping = False
        while self.progress < 1 and not self.stopping and (stop_after is None or self.step - first < stop_after):
            entry = self.train_step()
            bar.n = min(100.0, 100 * self.progress)
            bar.set_postfix_str(f"{entry['tokens_per_second']:.0f} tokens/s, loss {entry['losses'][-1]:.3f}")
            if self.step % options.log_every == 0:
                self.log.write("train", entry)
            if options.valid and self.seconds - validated > 60 * options.valid_every:
                validated = self.seconds
                self.validate(options.valid_windows)
            if self.seconds - saved > 60 * options.save_every:
                saved = self.seconds
                self.save()
        bar.close()
        self.save()

    def stop_on_signals(self):
        """Lets SIGINT and SIGTERM end the run after the current step, saved."""
        for number in (signal.SIGINT, signal.SIGTERM):
            signal.signal(number, lambda *_: setattr(self, "stopping", True))

    def train_step(self) -> dict:
        """One optimizer step; gives its log entry."""
        options = self.options
        began = time.perf_counter()
        progress = self.progress
        factor = rate_factor(options.schedule, progress, options.warmup, options.decay, options.floor)
        for optimizer in self.optimizers:
            optimizer.zero_grad(set_to_none=True)
        set_rate(self.optimizers, factor)
        weights = self._step_weights()
        losses = torch.zeros(len(options.chains))
        inputs, targets = self.windows.batch(self.position, options.batch)
        self.position += options.batch
        tokens, length = inputs.numel(), options.piece_length(progress)
        rows = max(1, (options.micro_batch or tokens) // length)
        parts = zip(inputs.reshape(-1, length).split(rows), targets.reshape(-1, length).split(rows), strict=True)
        for share, part in self.map(lambda part: self._backward(*part, weights, tokens), parts):
            losses += share * part
        norm = clip_gradients(self.model, options.clip)
        for optimizer in self.optimizers:
            optimizer.step()
        seconds = time.perf_counter() - began
        self.step += 1
        self.tokens += tokens
        self.seconds += seconds
        return {
            "step": self.step,
            "tokens": self.tokens,
            "seconds": round(self.seconds, 3),
            "progress": round(progress, 5),
            "rate": round(factor, 5),
            "gradient_norm": round(norm, 4),
            "losses": [round(loss, 6) for loss in losses.tolist()],
            "tokens_per_second": round(tokens / seconds, 1),
        }

    def _backward(self, inputs: Tensor, targets: Tensor, weights: list[float], tokens: int) -> tuple[float, Tensor]:
        """Adds the gradients of one micro-batch; gives its share of the step's tokens and each prefix's loss."""
        share = inputs.numel() / tokens
        with self._autocast():
            objective, losses = self.model.losses(
                inputs.to(self.device), targets.to(self.device), weights, self.options.distill
            )
        (objective * share).backward()
        return share, losses.cpu()

    def _step_weights(self) -> list[float]:
        weights = self.options.prefix_weights()
        count = len(weights)
        if self.options.prefixes == "all" or count == 1:
            return weights
        chosen = self.random.randrange(count - 1)
        lower = sum(weights[:-1])
        return [lower if k == chosen else 0.0 for k in range(count - 1)] + weights[-1:]

    def _autocast(self):
        if self.options.bf16:
            return torch.autocast(self.device.type, torch.bfloat16)
        return contextlib.nullcontext()

    def validate(self, limit: int | None = None) -> list[ChainQuality]:
        """Scores the validation text, or its first `limit` windows, and logs it."""
        text = read_text(self.options.valid)
        tokens = encode_text(text, self.tokenizer)
        qualities = evaluate(self.model, np.asarray(tokens), len(text.encode()), limit=limit)
        entry = {"step": self.step, "tokens": self.tokens, "seconds": round(self.seconds, 3)}
        entry["chains"] = [quality.row() for quality in qualities]
        self.log.write("valid", entry)
        return qualities

    def save(self):
        """Writes the checkpoint; a kill while writing leaves the one before."""
        state = {
            "model": self.model.state_dict(),
            "optimizers": [optimizer.state_dict() for optimizer in self.optimizers],
            "random": self.random.getstate(),
            "torch": torch.get_rng_state(),
            "step": self.step,
            "position": self.position,
            "tokens": self.tokens,
            "seconds": self.seconds,
        }
        path = self.options.run / CHECKPOINT
        partial = path.with_suffix(".partial")
        torch.save(state, partial)
        partial.rename(path)

    def restore(self, path: Path | None = None):
        """Takes up where `save` left off; the run goes on bit for bit as if it had not stopped."""
        state = torch.load(path or self.options.run / CHECKPOINT, map_location="cpu", weights_only=False)
        self.model.load_state_dict(state["model"])
        for optimizer, saved in zip(self.optimizers, state["optimizers"], strict=True):
            # The options of this start win over those saved: a run may go on with another rate or batch.
            groups = [{key: group[key] for key in group if key != "params"} for group in optimizer.param_groups]
            optimizer.load_state_dict(saved)
            for group, settings in zip(optimizer.param_groups, groups, strict=True):
                group.update(settings, initial_lr=settings["lr"])
        self.random.setstate(state["random"])
        torch.set_rng_state(state["torch"])
        for name in ("step", "position", "tokens", "seconds"):
            setattr(self, name, state[name])
