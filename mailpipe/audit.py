"""Who changed what: entries of the `Ledger`, kept for ever.

An entry never holds a key, an address or anything else that a reader of the ledger must not know.
"""

import secrets
from collections.abc import Callable, Sequence

import msgspec

from mailpipe import resources
from mailpipe.aws.client import Client
from mailpipe.aws.together import Changed, Remove, Save, write_together
from mailpipe.records import Attributes
from mailpipe.timing import iso, now_ms


class NotDone(Exception):
    """The change cannot be made; the text says why, in a sentence."""


def partition(day: str) -> str:
    """Where the entries of a day are (`2026-11-24`)."""
    return f"audit#{day}"


def entry(who: str, action: str, on: str, *, at_ms: int, what: Attributes) -> Attributes:
    """An entry; those of a day sort by time. `action` is like `key.revoked`."""
    at = iso(at_ms)
    return {
        "kind": partition(at[:10]),
        "id": f"{at}#{secrets.token_hex(4)}",
        "who": who,
        "action": action,
        "on": on,
        "what": msgspec.json.encode(what).decode(),
    }


class Audited:
    """Writes changes of one person, each in one transaction with its entry."""

    def __init__(
        self, client: Client, prefix: str, *, who: str, wall_ms: Callable[[], int] = now_ms
    ) -> None:
        self._client = client
        self._prefix = prefix
        self._who = who
        self.wall_ms = wall_ms

    async def write(
        self,
        action: str,
        on: str,
        writes: Sequence[Save | Remove] = (),
        *,
        what: Attributes,
        otherwise: str = "Somebody else has changed it at the same moment: look, and try again.",
    ) -> None:
        """The writes and their entry, or nothing; without writes the entry alone.

        Raises CallFailed, and NotDone with the text `otherwise` when an item is not as was thought.
        """
        made = entry(self._who, action, on, at_ms=self.wall_ms(), what=what)
        try:
            together = [*writes, Save(resources.LEDGER, made)]
            await write_together(self._client, self._prefix, together)
        except Changed:
            raise NotDone(otherwise) from None
