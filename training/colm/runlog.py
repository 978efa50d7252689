"""A run's `log.jsonl`: one object a line, `kind` first."""

from __future__ import annotations

import json
from pathlib import Path


class RunLog:
    """Appends to and reads `log.jsonl` of a run folder."""

    def __init__(self, run: Path):
        run.mkdir(parents=True, exist_ok=True)
        self.path = run / "log.jsonl"

    def write(self, kind: str, entry: dict):
        """Adds one line."""
        with self.path.open("a") as file:
            file.write(json.dumps({"kind": kind, **entry}) + "\n")

    def read(self, kind: str) -> list[dict]:
        """All entries of one kind, in order."""
        if not self.path.exists():
            return []
        entries = [json.loads(line) for line in self.path.read_text().splitlines()]
        return [entry for entry in entries if entry["kind"] == kind]
