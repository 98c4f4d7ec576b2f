"""What commands print: tables for people, JSON for scripts (`--json`)."""

import sys
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

import click
import msgspec
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn
from rich.table import Table
from rich.text import Text

from mailpipe.timing import iso

Document = Mapping[str, Any]

WIDE = 200
"""Columns of a table that no terminal bounds."""


class Output:
    """Where one command prints to."""

    def __init__(self, *, as_json: bool) -> None:
        self.as_json = as_json
        self._console = Console(width=None if sys.stdout.isatty() else WIDE, highlight=False)

    def one(self, document: Document) -> None:
        """One thing: a JSON document, or a line for each of its members."""
        if self.as_json:
            self._json(document)
            return
        table = Table(show_header=False, box=None, pad_edge=False)
        table.add_column(style="bold")
        table.add_column(overflow="fold")
        for name, value in document.items():
            table.add_row(name, cell(value))
        self._console.print(table)

    def many(self, documents: Iterable[Document], columns: Sequence[str], *, none: str) -> None:
        """Several: a line of JSON for each, or a table of some of their members."""
        listed = list(documents)
        if self.as_json:
            for document in listed:
                self._json(document)
            return
        if not listed:
            self.say(none)
            return
        table = Table(box=None, pad_edge=False, header_style="bold")
        for name in columns:
            table.add_column(name, overflow="fold")
        for document in listed:
            table.add_row(*(cell(document.get(name)) for name in columns))
        self._console.print(table)

    def say(self, sentence: str) -> None:
        """For people only."""
        if not self.as_json:
            click.echo(sentence)

    @contextmanager
    def progress(self, what: str, total: int) -> Iterator[Callable[[int], None]]:
        """A bar on the terminal while something takes long; call what it gives at each advance."""
        columns = (TextColumn(what), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
        shown = not self.as_json and sys.stderr.isatty()
        console = Console(stderr=True)
        with Progress(*columns, console=console, disable=not shown, transient=True) as bar:
            task = bar.add_task("", total=total)
            yield lambda count: bar.advance(task, count)

    def _json(self, document: Document) -> None:
        click.echo(msgspec.json.encode(document).decode())


def cell(value: Any) -> Text:
    """A value for a person. Whatever others wrote must not steer the terminal."""
    match value:
        case None | "" | []:
            text = "-"
        case bool():
            text = "yes" if value else "no"
        case list():
            text = ", ".join(map(str, value))
        case dict():
            text = msgspec.json.encode(value).decode()
        case _:
            text = str(value)
    return Text("".join(one if one.isprintable() else "\N{REPLACEMENT CHARACTER}" for one in text))


def when(at_ms: int | None) -> str | None:
    """A stored time for JSON and tables; None for none."""
    return iso(at_ms) if at_ms else None
