"""The deployment that a command works on, and how a command runs: its options, its errors.

Region, credentials and endpoint come from AWS's own variables. Exit codes: 0 done, 1 failed (with a
sentence on stderr), 2 used wrongly.
"""

import asyncio
import getpass
from collections.abc import Awaitable, Callable
from functools import wraps
from typing import Any

import click

from mailpipe.administration import Administration
from mailpipe.audit import Audited, NotDone
from mailpipe.aws.client import Aws, Client
from mailpipe.aws.queue import SqsQueue
from mailpipe.aws.queues import Queues, open_queues
from mailpipe.aws.table import Tables, open_tables
from mailpipe.commands.output import Output
from mailpipe.commands.parameters import Person
from mailpipe.outcomes import CallFailed, Kind
from mailpipe.steering import Steering

CONNECTIONS = 16
POLL_S = 1.0


class Deployment:
    """Opens what a command asks for, once."""

    def __init__(self, aws: Aws, prefix: str, *, who: str) -> None:
        self.prefix = prefix
        self._aws = aws
        self._who = who
        self._dynamodb: Client | None = None
        self._tables: Tables | None = None
        self._queues: Queues | None = None

    async def tables(self) -> Tables:
        """Its tables. Raises CallFailed."""
        if self._tables is None:
            self._tables = open_tables(self._aws, await self._client(), self.prefix)
        return self._tables

    async def queue(self, name: str, *, sender_ids: bool = False) -> SqsQueue:
        """One of its queues (`sender_ids`: its messages tell who has sent them).

        Raises CallFailed when there is none of this name.
        """
        if self._queues is None:
            self._queues = await open_queues(self._aws, self.prefix, poll_s=POLL_S, connections=16)
        return await self._queues.open(name, sender_ids=sender_ids)

    async def audited(self) -> Audited:
        """How this person's changes are written."""
        return Audited(await self._client(), self.prefix, who=self._who)

    async def administration(self) -> Administration:
        """Its tenants and keys."""
        return Administration(await self.tables(), await self.audited())

    async def steering(self) -> Steering:
        """What its senders are told."""
        return Steering(await self.tables(), await self.audited(), who=self._who)

    async def _client(self) -> Client:
        if self._dynamodb is None:
            self._dynamodb = await self._aws.client(
                "dynamodb", connections=CONNECTIONS, timeout_s=5
            )
        return self._dynamodb


Work = Callable[..., Awaitable[None]]


def runs(work: Work) -> Callable[..., None]:
    """Make a command's work, `async def work(deployment, output, …)`, what click calls."""

    @click.option("--json", "as_json", is_flag=True, help="Print JSON for scripts.")
    @click.option(
        "--prefix",
        envvar="MAILPIPE_PREFIX",
        default="mailpipe-",
        show_default=True,
        help="What stands before every resource's name (MAILPIPE_PREFIX).",
    )
    @click.option(
        "--as",
        "who",
        type=Person(),
        default=_user,
        metavar="NAME",
        help="Who the audit names for a change; else you, as this machine knows you.",
    )
    @wraps(work)
    def command(*, as_json: bool, prefix: str, who: str, **given: Any) -> None:
        output = Output(as_json=as_json)
        try:
            asyncio.run(_run(work, output, prefix, who, given))
        except CallFailed as failed:
            raise click.ClickException(sentence(failed, prefix=prefix)) from None
        except NotDone as not_done:
            raise click.ClickException(str(not_done)) from None

    return command


async def _run(work: Work, output: Output, prefix: str, who: str, given: dict[str, Any]) -> None:
    async with Aws() as aws:
        await work(Deployment(aws, prefix, who=who), output, **given)


def _user() -> str:
    """The name that the operating system knows; a container may know none."""
    try:
        return getpass.getuser()
    except (KeyError, OSError):
        return "unknown"


def sentence(failed: CallFailed, *, prefix: str) -> str:
    """What has failed and what to do, for a person."""
    said = f"{failed.code} {failed.text}".strip().rstrip(".")
    if not failed.operation:
        return f"{failed.text or failed.code}."
    match failed.kind:
        case Kind.NOTHING_HAPPENED:
            return (
                f"AWS cannot be reached ({said}). Is the endpoint right (AWS_ENDPOINT_URL), and "
                "does the cloud run there?"
            )
        case Kind.CONFIGURATION:
            return (
                f"AWS refuses {failed.operation}: {said}. Is the deployment there, with the prefix "
                f"'{prefix}', in this region and account, and may you use it?"
            )
        case Kind.THROTTLED:
            return f"AWS throttles {failed.operation}: {said}. Try again later."
        case Kind.IN_DOUBT:
            return f"{failed.operation} may or may not have happened: {said}. Look, then try again."
        case Kind.REFUSED:
            return f"AWS refuses {failed.operation}: {said}."
