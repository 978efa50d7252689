"""Snapshots of sessions that a server must not use: it says why, and computes the prompt again."""

import base64
import struct
import subprocess
from collections.abc import Callable
from pathlib import Path

import httpx
import pytest
from conftest import PROGRAM, RunningServer

# Small, with random weights: what is tested is the same for every size.
SHAPE = "D=128,layers=2,kv=1,chains=1:1:1:1,F=256,V=512"
PROMPT = [(7 * position) % 500 + 4 for position in range(80)]


@pytest.fixture(scope="module")
def models(tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    """Two of one shape and other weights."""
    folders = [tmp_path_factory.mktemp("models") / f"seed-{seed}" for seed in (1, 2)]
    for seed, folder in enumerate(folders):
        words = [PROGRAM, "random", folder, "--shape", SHAPE, "--seed", str(seed)]
        subprocess.run(words, check=True, capture_output=True)
    return folders


class Keeper(RunningServer):
    """A server that keeps its sessions in a folder."""

    def __init__(self, model: Path, folder: Path) -> None:
        self.log = folder.with_suffix(".log")
        settings = {
            "sessions.disk.path": str(folder / "sessions"),
            "scheduler.calibration": "50ms",
            "kv_cache.size": "8MiB",
            "kv_cache.dtype": "f32",
        }
        words = (word for pair in settings.items() for word in ("--set", "=".join(pair)))
        super().__init__("--threads", "1", *words, model=model, log=self.log)

    def complete(self, prompt: list[int], session: str | None = "tale", salt: str | None = None) -> dict:
        body = {"prompt": prompt, "max_tokens": 6, "temperature": 0, "ignore_eos": True, "chains": 2}
        body |= {"cache_salt": salt} if salt else {}
        headers = {"X-Session-Id": session} if session else {}
        answer = httpx.post(f"{self.url}/v1/completions", json=body, headers=headers, timeout=60)
        assert answer.status_code == 200, answer.text
        return answer.json()


def cached(answer: dict) -> int:
    return answer["usage"]["prompt_tokens_details"]["cached_tokens"]


def change(place: int, value: int | None = None) -> Callable[[bytes], bytes]:
    """Sets the byte at a place, or turns all of its bits."""

    def changed(content: bytes) -> bytes:
        place_from_start = place % len(content)
        byte = content[place_from_start] ^ 0xFF if value is None else value
        return content[:place_from_start] + bytes([byte]) + content[place_from_start + 1 :]

    return changed


@pytest.mark.parametrize(
    ("damage", "is_foreign", "reason"),
    [
        (lambda content: content, False, None),
        (change(-100), False, "the snapshot is damaged: the checksum of its payload is wrong"),
        (change(73), False, "the snapshot is damaged: the checksum of its header is wrong"),
        (lambda content: content[:-1000], False, "the snapshot is truncated: "),
        (lambda content: content[:40], False, "the snapshot is truncated: "),
        (lambda content: b"", False, "the snapshot is truncated: 0 bytes"),
        (lambda content: content + b"more", False, "4 bytes follow on the snapshot's end"),
        (change(8, 1), False, "the snapshot has format version 1, older than 2"),
        (change(8, 3), False, "the snapshot has format version 3, newer than 2"),
        (change(0), False, 'not a snapshot: it does not start with "CATENAKV"'),
        (lambda content: content, True, "the snapshot was made with the model "),
    ],
    ids=[
        "whole", "payload", "header", "cut", "no header", "empty", "longer", "older", "newer", "no snapshot", "foreign"
    ],
)
def test_what_cannot_be_used_is_computed_again(
    models: list[Path], tmp_path: Path, damage: Callable[[bytes], bytes], is_foreign: bool, reason: str | None
) -> None:
    folder = tmp_path / "server"
    folder.mkdir()
    first = Keeper(models[0], folder)
    answer = first.complete(PROMPT)
    longer = PROMPT + [9, 8, 7]
    assert cached(answer) == 0
    assert first.stop() == 0
    name = base64.b32encode(b"tale").decode().lower().rstrip("=") + ".kv"
    snapshot = folder / "sessions" / name
    content = snapshot.read_bytes()
    assert content[:8] == b"CATENAKV" and struct.unpack("<I", content[8:12]) == (2,)
    snapshot.write_bytes(damage(content))

    model = models[1 if is_foreign else 0]
    second = Keeper(model, folder)
    again = second.complete(longer)
    alone = second.complete(longer, session=None, salt="nothing is shared with it")
    assert cached(alone) == 0
    assert again["choices"][0]["text"] == alone["choices"][0]["text"]
    assert second.stop() == 0
    warnings = [line for line in second.log.read_text().splitlines() if "computed again" in line]
    if reason is None:
        assert cached(again) == len(PROMPT) and not warnings
    else:
        assert cached(again) == 0
        assert len(warnings) == 1
        assert "session tale is computed again: its disk snapshot cannot be used: " in warnings[0]
        assert reason in warnings[0].replace('\\"', '"'), warnings[0]

    # What was computed again has taken the place of what could not be used.
    third = Keeper(model, folder)
    assert cached(third.complete(longer + [6, 5])) == len(longer)
    assert third.stop() == 0
    assert len([line for line in third.log.read_text().splitlines() if "computed again" in line]) == len(warnings)
