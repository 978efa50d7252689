"""Makes the items that Tests/LMEval asks for: contexts and continuations out of this repository's own documentation."""

import itertools
import json
import random
import re
from collections.abc import Iterator
from pathlib import Path

from colm.strange_text import strange_strings

ROOT = Path(__file__).resolve().parents[2]
# The bundled model's.
SPECIAL = "<|endoftext|>"


def paragraphs() -> list[str]:
    """The paragraphs of all documents, long enough to be cut in two. But for the one that has the figures: writing them down
    would change what they were measured with."""
    found = []
    for path in sorted({*ROOT.glob("*.md"), *ROOT.glob("docs/*.md")} - {ROOT / "docs" / "lm-eval.md"}):
        found += [text for text in re.split(r"\n\s*\n", path.read_text()) if len(text.split()) >= 12]
    return found


def items(seed: int) -> Iterator[dict[str, str]]:
    """Items without end, none with an empty part. Every fourth has emoji, other scripts and odd spaces on both sides of
    the cut; contexts have from one word to several paragraphs."""
    rng = random.Random(seed)
    texts = paragraphs()
    strange = [text for text in strange_strings(2000, seed, [SPECIAL]) if len(text) >= 8]
    for number in itertools.count():
        text = "\n\n".join(rng.sample(texts, rng.randint(1, 4)))
        if number % 4 == 3:
            odd = rng.sample(strange, 3)
            text = f"{odd[0]} {text[: rng.randint(40, 400)]} {odd[1]}{odd[2]}"
            cut = len(text) - len(odd[2]) - rng.randint(0, 4)
        else:
            # Before a word's space, as tasks of the harness cut.
            cut = rng.choice([match.start() for match in re.finditer(r" \S", text)])
        # A word or two, which the model may guess, or some lines.
        context, continuation = text[:cut], text[cut : cut + rng.randint(2, rng.choice([8, 240]))]
        if context.strip() and continuation.strip():
            yield {"context": context, "continuation": continuation}


def write(items: list[dict[str, str]], path: Path) -> None:
    """One JSON object a line. ASCII: what reads it splits lines at U+2028 too."""
    path.write_text("".join(json.dumps(item) + "\n" for item in items))
