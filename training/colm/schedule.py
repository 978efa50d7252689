"""The learning-rate factor as a function of progress, which runs from 0 to 1."""

from __future__ import annotations

import math


def rate_factor(schedule: str, progress: float, warmup: float, decay: float, floor: float) -> float:
    """Factor in [floor, 1] at `progress`.

    All schedules rise linearly over the first `warmup`. Then `cosine` and `linear` fall to `floor` over the rest;
    `wsd` stays at 1 and falls linearly over the last `decay`.
    """
    progress = min(max(progress, 0.0), 1.0)
    if warmup > 0 and progress < warmup:
        return max(progress / warmup, 1e-3)
    begin = {"cosine": warmup, "linear": warmup, "wsd": max(1 - decay, warmup)}.get(schedule)
    if begin is None:
        raise ValueError(f"schedule {schedule!r} must be 'cosine', 'linear' or 'wsd'")
    done = 0.0 if progress <= begin else (progress - begin) / (1 - begin)
    fall = 0.5 * (1 + math.cos(math.pi * done)) if schedule == "cosine" else 1 - done
    return floor + (1 - floor) * fall
