"""Plain text from disk, compressed or not."""

from __future__ import annotations

import gzip
import lzma
from pathlib import Path

_OPENERS = {".xz": lzma.open, ".gz": gzip.open}


def read_text(path: Path) -> str:
    """The whole file as text (UTF-8); `.xz` and `.gz` are decompressed on the way."""
    opener = _OPENERS.get(path.suffix, open)
    with opener(path, "rt", encoding="utf-8", newline="") as file:
        return file.read()
