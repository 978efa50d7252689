"""Holds what lm-eval gets from a running server against PyTorch, item by item and for every chain count.

    make test-lm-eval

lm-eval's `local-completions` asks for `echo` with `logprobs` and adds up the continuation's part. The reference model
computes the same sums from the same checkpoint, tokenised by the `tokenizers` library.
"""

import argparse
import json
import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

import torch
from colm import ColmForCausalLM
from conftest import MODEL, RunningServer
from tokenizers import Tokenizer

import items

HERE = Path(__file__).resolve().parent


class Reference:
    """The model in PyTorch, in float32."""

    def __init__(self, folder: Path) -> None:
        self.model = ColmForCausalLM.from_pretrained(folder, dtype=torch.float32).eval()
        self.tokenizer = Tokenizer.from_file(str(folder / "tokenizer.json"))
        self.chains = len(self.model.config.chains)
        self.context = self.model.config.max_position_embeddings

    def encode(self, text: str) -> list[int]:
        return self.tokenizer.encode(text, add_special_tokens=False).ids

    def cut(self, context: str, continuation: str) -> tuple[list[int], int]:
        """All tokens as the harness sends them, and how many of them are the context's. The spaces that it ends with go to
        the continuation, whose tokens are those of the whole text, but for as many as the context has."""
        before = self.encode(context.rstrip())
        return before + self.encode(context + continuation)[len(before) :], len(before)

    def takes(self, item: dict[str, str]) -> bool:
        """Whether it fits the context, and the continuation has tokens of its own."""
        tokens, start = self.cut(**item)
        return start < len(tokens) < self.context

    @torch.no_grad()
    def guessed(self, item: dict[str, str]) -> dict[str, str]:
        """The same context with what greedy decoding by all chains puts behind it: the harness is to find that so."""
        tokens = self.encode(item["context"].rstrip())
        start = len(tokens)
        for _ in range(3):
            tokens.append(int(self.model(torch.tensor([tokens])).logits[0, -1].argmax()))
        continuation = self.tokenizer.decode(tokens[start:], skip_special_tokens=False)
        return {"context": item["context"].rstrip(), "continuation": continuation}

    @torch.no_grad()
    def score(self, context: str, continuation: str) -> list[tuple[float, int, float]]:
        """For each chain count the log likelihood of the continuation, its number of tokens, and by how much the least
        certain of them beats the best other token (below 0: it is not the best)."""
        whole, start = self.cut(context, continuation)
        targets = torch.tensor(whole[start:])
        scores = []
        for logits in self.model(torch.tensor([whole]), prefixes=True).prefix_logits:
            rows = logits[0, start - 1 : -1].log_softmax(-1)
            chosen = rows.gather(-1, targets[:, None])[:, 0]
            others = rows.scatter(-1, targets[:, None], -torch.inf).max(-1).values
            scores.append((chosen.double().sum().item(), len(targets), (chosen - others).min().item()))
        return scores


def run_harness(program: str, server: RunningServer, chains: int, folder: Path) -> dict[int, tuple[float, bool]]:
    """What lm-eval says of each item: log likelihood, and whether greedy decoding would give it."""
    output = folder / f"chains-{chains}"
    arguments = f"model={server.model}:{chains},base_url={server.url}/v1/completions,num_concurrent=4,max_length=2048"
    done = subprocess.run(
        [program, "--model", "local-completions", "--model_args", arguments, "--tasks", "catena_docs",
         "--include_path", str(folder), "--log_samples", "--output_path", str(output)],
        cwd=folder,
        env={**os.environ, "HF_HUB_OFFLINE": "1", "HF_DATASETS_OFFLINE": "1", "HF_HOME": str(folder / "cache")},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )  # fmt: skip
    if done.returncode:
        sys.exit(f"lm-eval ended with {done.returncode}:\n{done.stdout[-4000:]}")
    (samples,) = output.rglob("samples_catena_docs_*.jsonl")
    results = {}
    for line in samples.read_text().split("\n"):
        if line:
            sample = json.loads(line)
            logprob, is_greedy = sample["filtered_resps"][0]
            results[sample["doc_id"]] = (float(logprob), str(is_greedy) == "True")
    return results


def compare(
    asked: list[dict[str, str]],
    expected: list[tuple[float, int, float]],
    got: dict[int, tuple[float, bool]],
    limit: float,
) -> tuple[float, float, float, int]:
    """The largest difference of a sum, and for each of its tokens; the mean of the latter; how many items are at fault."""
    assert sorted(got) == list(range(len(asked))), "lm-eval left items out"
    largest = largest_per_token = total = 0.0
    wrong = 0
    for index, (item, (logprob, tokens, lead)) in enumerate(zip(asked, expected, strict=True)):
        difference = abs(got[index][0] - logprob)
        largest = max(largest, difference)
        largest_per_token = max(largest_per_token, difference / tokens)
        total += difference / tokens
        # Two tokens that are nearly as likely may change places.
        is_greedy_wrong = got[index][1] != (lead > 0) and abs(lead) > 2 * limit
        if difference / tokens > limit or is_greedy_wrong:
            wrong += 1
            print(f"item {index}: got {got[index]}, expected {logprob}, lead {lead}: {item}", file=sys.stderr)
    return largest, largest_per_token, total / len(asked), wrong


def main() -> int:
    arguments = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    arguments.add_argument("--lm-eval", default=".build/lm-eval/bin/lm_eval")
    arguments.add_argument("--items", type=int, default=200)
    arguments.add_argument("--seed", type=int, default=1)
    arguments.add_argument(
        "--limit",
        type=float,
        default=0.02,
        help="how far a log likelihood may be off, for each of its tokens: what rounding makes. Another tokenisation, "
        "chain count or position is off by tenths and more",
    )
    arguments.add_argument("--set", action="append", default=[], metavar="KEY=VALUE", help="a setting of the server")
    options = arguments.parse_args()
    # Threads that wait for each other take a hundred times as long when anything else runs.
    torch.set_num_threads(1)
    reference = Reference(MODEL)
    asked = []
    for item in filter(reference.takes, items.items(options.seed)):
        if len(asked) == options.items:
            break
        if len(asked) % 5 == 0 and reference.takes(guessed := reference.guessed(item)):
            item = guessed
        asked.append(item)
    expected = [reference.score(**item) for item in asked]
    tokens = sum(scores[0][1] for scores in expected)
    guessed = [sum(scores[chains][2] > 0 for scores in expected) for chains in range(reference.chains)]
    print(f"{len(asked)} items, {tokens} tokens of continuations, seed {options.seed}")
    print(f"items that are what greedy decoding gives, by chains: {guessed}")
    print("| chains | largest difference of a sum | largest per token | mean per token | items beyond |")
    print("|---|---|---|---|---|", flush=True)
    is_sound = True
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        shutil.copy(HERE / "catena_docs.yaml", folder)
        items.write(asked, folder / "items.jsonl")
        settings = ["log.level=warning", *options.set]
        flags = [part for setting in settings for part in ("--set", setting)]
        server = RunningServer(*flags, log=folder / "server.log")
        try:
            for chains in range(1, reference.chains + 1):
                got = run_harness(os.path.abspath(options.lm_eval), server, chains, folder)
                scores = [scores[chains - 1] for scores in expected]
                largest, per_token, mean, wrong = compare(asked, scores, got, options.limit)
                print(f"| {chains} | {largest:.6f} | {per_token:.7f} | {mean:.7f} | {wrong} |", flush=True)
                is_sound = is_sound and wrong == 0
        finally:
            server.stop()
    return 0 if is_sound else 1


if __name__ == "__main__":
    sys.exit(main())
