"""The loss curves of a run as a picture."""

from __future__ import annotations

from pathlib import Path

from .runlog import RunLog


def draw_curves(run: Path, smoothing: float = 0.95) -> Path:
    """Draws `curves.png` from `log.jsonl`: training loss (smoothed) and validation loss of every chain count."""
    import matplotlib

    matplotlib.use("Agg")
    import matplotlib.pyplot as plt

    log = RunLog(run)
    train, valid = log.read("train"), log.read("valid")
    figure, axes = plt.subplots(figsize=(8, 5))
    for k in range(len(train[0]["losses"]) if train else 0):
        mean, smooth = train[0]["losses"][k], []
        for entry in train:
            mean = smoothing * mean + (1 - smoothing) * entry["losses"][k]
            smooth.append(mean)
        (line,) = axes.plot([entry["tokens"] for entry in train], smooth, label=f"{k + 1} chains")
        points = [(entry["tokens"], entry["chains"][k]["loss"]) for entry in valid]
        if points:
            axes.plot(*zip(*points, strict=True), "o", color=line.get_color())
    axes.set(xlabel="tokens", ylabel="loss (nats a token); dots: validation", title=run.name)
    if train:
        axes.legend()
    axes.grid(alpha=0.3)
    path = run / "curves.png"
    figure.savefig(path, dpi=110, bbox_inches="tight")
    plt.close(figure)
    return path
