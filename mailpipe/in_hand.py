"""The mails that a producer has taken and whose fate is not known yet. Pure bookkeeping."""

import asyncio

from mailpipe.aws.queue import Fault


class Held:
    """One of them; `fate` is None until it is placed on its queue."""

    __slots__ = ("email_id", "fate")

    def __init__(self, email_id: str) -> None:
        self.email_id = email_id
        self.fate: asyncio.Future[Fault] | None = None

    @property
    def accepted(self) -> bool:
        """Whether it is durable."""
        fate = self.fate
        return (
            fate is not None
            and fate.done()
            and not fate.cancelled()
            and fate.exception() is None
            and fate.result() is None
        )


class InHand:
    """All of a producer's, from when they are taken until who gave them has heard their fate."""

    def __init__(self) -> None:
        self._held = dict[Held, None]()  # in order

    def __len__(self) -> int:
        return len(self._held)

    def take(self, email_id: str) -> Held:
        """One more."""
        held = Held(email_id)
        self._held[held] = None
        return held

    def drop(self, held: Held) -> None:
        """Its giver knows, or no longer waits."""
        self._held.pop(held, None)

    def leave(self, held: Held) -> None:
        """Its giver has gone: it is in hand until its fate is known, and nobody is told."""
        if held.fate is None:
            self.drop(held)
        else:
            held.fate.add_done_callback(lambda _: self.drop(held))

    def snapshot(self) -> list[Held]:
        """Those of now."""
        return list(self._held)
