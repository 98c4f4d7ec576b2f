"""The pictures of `docs/quota.md`, drawn from the rows of `make simulate-quota`."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import matplotlib as mpl
from matplotlib.figure import Figure

FOLDER = Path(__file__).resolve().parents[1] / "docs" / "pictures"
Row = Mapping[str, Any]


def draw(rows: Sequence[Row], folder: Path = FOLDER) -> None:
    """Both of them; the same rows give the same bytes."""
    mpl.rcParams |= {"svg.hashsalt": "mailpipe", "svg.fonttype": "none"}
    folder.mkdir(parents=True, exist_ok=True)
    _save(waits(rows), folder / "quota-waits.svg")
    _save(uses(rows), folder / "quota-use.svg")


def waits(rows: Sequence[Row]) -> Figure:
    """How long urgent mail waits beside bulk mail without end: two horizons against one."""
    figure = Figure(figsize=(7, 3.5), layout="constrained")
    axes = figure.add_subplot()
    for case, label in (
        ("one horizon", "one horizon for all"),
        ("both", "a horizon for each lane"),
    ):
        found = [one for one in rows if one["case"] == case and one["quota"] == 100]
        axes.plot(
            [one["senders"] for one in found],
            [one["p95_wait_ms"] / 1000 for one in found],
            marker="o",
            label=label,
        )
    axes.set(xscale="log", yscale="log", xlabel="senders, all with bulk mail", ylabel="p95 wait, s")
    axes.set_title("Urgent mail beside a campaign, 100 recipients a second", fontsize=10)
    axes.grid(visible=True, which="major", alpha=0.3)
    axes.legend()
    return figure


def uses(rows: Sequence[Row]) -> Figure:
    """What of the quota is used, the worst second, and what the refused cost."""
    figure = Figure(figsize=(7, 3.5), layout="constrained")
    use, refused = figure.subplots(1, 2)
    ordinary = [one for one in rows if one["case"] == "both"]
    for quota in sorted({one["quota"] for one in ordinary}):
        found = [one for one in ordinary if one["quota"] == quota]
        senders = [one["senders"] for one in found]
        (line,) = use.plot(senders, [one["utilisation"] for one in found], marker="o")
        worst = [one["worst_window"] / quota for one in found]
        use.plot(senders, worst, marker="x", linestyle="none", color=line.get_color())
        refused.plot(
            senders, [one["refused_per_s"] for one in found], marker="o", label=f"{quota}/s"
        )
    use.axhline(1.0, color="black", linewidth=0.8)
    use.set(xscale="log", ylim=(0.8, 1.02), xlabel="senders")
    use.set_title("Part of the quota: used (o), worst second (x)", fontsize=9)
    refused.set(xscale="log", xlabel="senders")
    refused.set_title("Refused writes a second", fontsize=9)
    refused.legend(title="quota", fontsize=8)
    for axes in (use, refused):
        axes.grid(visible=True, alpha=0.3)
    return figure


def _save(figure: Figure, path: Path) -> None:
    figure.savefig(path, metadata={"Date": None})
