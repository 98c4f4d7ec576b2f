"""What `make run` shows while it runs: a screen on a terminal, a line a second elsewhere. Pure."""

import time
from typing import Any, NamedTuple

from rich import box
from rich.columns import Columns
from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from infra.local.observe import QUEUES, Metrics
from mailpipe import resources

STATUSES = ("sent", "delivery", "bounce", "complaint", "rejected", "suppressed", "failed")
LATENCIES = {
    "accept to SES": "mailpipe_accept_to_send_seconds",
    "event to status": "mailpipe_event_lag_seconds",
    "call to SES": "mailpipe_send_seconds",
    "webhook": "mailpipe_webhook_seconds",
}
_COLOURS = {"Delivery": "green", "Bounce": "red", "Complaint": "red", "Reject": "red", "Send": ""}


class Look(NamedTuple):
    """Two readings of the metrics `seconds` apart, the queues' depths, the newest events."""

    depths: dict[str, int]
    now: Metrics
    before: Metrics
    seconds: float = 1.0
    events: tuple[dict[str, Any], ...] = ()

    @property
    def rate(self) -> float:
        """Mails a second that SES takes."""
        name, label = "mailpipe_sends_total", "accepted"
        return (self.now.total(name, label) - self.before.total(name, label)) / self.seconds

    @property
    def dead(self) -> int:
        """Messages in all dead-letter queues."""
        return sum(self.depths[resources.dead(name)] for name in QUEUES)

    def statuses(self) -> dict[str, float]:
        """Events handled, by kind."""
        return {kind: self.now.total("mailpipe_events_total", kind) for kind in STATUSES}

    def binds(self) -> str:
        """What keeps each lane's mail waiting, in any sender."""
        found = [
            f"{lane}: {what.replace('_', ' ')}"
            for lane in resources.LANES
            for (name, labels), value in sorted(self.now.items())
            if name == "mailpipe_quota_binds" and value and lane in labels
            for what in {*labels} - {lane, "nothing"}
        ]
        return ", ".join(found) or "nothing"

    def latency(self, name: str) -> str:
        """The mean of the last reading's time, else of all, in words."""
        for before in (self.before, Metrics()):
            count = self.now.total(f"{name}_count") - before.total(f"{name}_count")
            if count:
                total = self.now.total(f"{name}_sum") - before.total(f"{name}_sum")
                return f"{total / count * 1000:.0f} ms"
        return "-"


def line(look: Look) -> str:
    """Everything in one line."""
    queues = " ".join(f"{name} {look.depths[name]}" for name in QUEUES)
    statuses = " ".join(f"{kind} {count:.0f}" for kind, count in look.statuses().items() if count)
    latencies = ", ".join(
        f"{name} {look.latency(metric)}" for name, metric in list(LATENCIES.items())[:2]
    )
    return (
        f"{time.strftime('%H:%M:%S')} | {queues} dead {look.dead} "
        f"| SES {look.rate:.0f}/s of {look.now.total('mailpipe_quota_rate'):.0f} "
        f"| held up by {look.binds()} "
        f"| {statuses or 'nothing yet'} "
        f"webhooks {look.now.total('mailpipe_webhooks_total', 'delivered'):.0f} | {latencies}"
    )


def screen(look: Look) -> RenderableType:
    """The same, and the newest events, as tables."""
    tables = [_depths(look), _quota(look), _statuses(look), _latencies(look)]
    binds = Text(f"What holds mail up: {look.binds()}")
    columns = Columns(tables, padding=(0, 1))
    return Group(Text(), columns, binds, _events(look), Text("Ctrl-C ends it."))


def _table(title: str, *columns: str) -> Table:
    table = Table(title=title, title_justify="left", box=box.SIMPLE_HEAD, title_style="bold")
    for number, column in enumerate(columns):
        table.add_column(column, justify="right" if number else "left")
    return table


def _depths(look: Look) -> Table:
    table = _table("Queues", "", "waiting", "dead")
    for name in QUEUES:
        dead = look.depths[resources.dead(name)]
        table.add_row(name, str(look.depths[name]), Text(str(dead), "red" if dead else ""))
    return table


def _quota(look: Look) -> Table:
    table = _table("SES", "", "now", "quota")
    now = look.now
    table.add_row("a second", f"{look.rate:.0f}", f"{now.total('mailpipe_quota_rate'):.0f}")
    sent, most = (now.total(f"mailpipe_quota_{one}_24h") for one in ("sent", "max"))
    table.add_row("24 hours", f"{sent:.0f}", "unlimited" if most < 0 else f"{most:.0f}")
    throttled = now.total("mailpipe_sends_total", "throttled")
    table.add_row("throttled", f"{throttled:.0f}", "")
    return table


def _statuses(look: Look) -> Table:
    table = _table("Events", "", "handled")
    for kind, count in look.statuses().items():
        table.add_row(kind, f"{count:.0f}")
    for answer in ("delivered", "failed"):
        count = look.now.total("mailpipe_webhooks_total", answer)
        table.add_row(f"webhook {answer}", f"{count:.0f}")
    return table


def _latencies(look: Look) -> Table:
    table = _table("Latency", "", "mean")
    for name, metric in LATENCIES.items():
        table.add_row(name, look.latency(metric))
    return table


def _events(look: Look) -> Table:
    table = _table("Newest events of SES", "at", "event", "recipients", "e-mail")
    for column in table.columns:
        column.justify, column.no_wrap = "left", True
    for event in look.events:
        kind = str(event.get("eventType"))
        at = time.strftime("%H:%M:%S", time.localtime(float(event.get("t", 0))))
        about = ", ".join(event.get("recipients", []))
        told = event.get("tags", {}).get("email_id", "")
        table.add_row(at, Text(kind, _COLOURS.get(kind, "yellow")), Text(about), Text(told))
    return table
