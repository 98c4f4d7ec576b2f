"""Mail of the corpus that a sender has, or has had, in hand, when its owner changes his mind."""

import asyncio
import time
from typing import Any

import aiohttp

from infra.local.asking import Asker
from infra.local.stack import Stack
from loadtest.checker import read_log

HELD, BACK = "+held", ("+back-1", "+back-2")
"""In the recipients of mail that SES answers for late, and that it throttles at first."""
HELD_S, THROTTLES = 1.2, 3
SHOWN = {"sending": "sending", "given back": "pending"}
"""What the API says of mail in this state."""
WITHIN_S, LOOK_S = 20.0, 0.1
FAULTS: list[dict[str, Any]] = [
    {"kind": "stall_after_accept", "match": HELD, "seconds": HELD_S},
    *({"kind": "throttle", "match": one, "count": THROTTLES} for one in BACK),
]


async def spoil(stack: Stack) -> None:
    """SES does so from now on."""
    url = f"{stack.ses_url}/_control/faults"
    async with aiohttp.ClientSession() as http, http.put(url, json={"faults": FAULTS}) as answer:
        answer.raise_for_status()


class Watching(Asker):
    """Sees from outside, too, how far a mail has come."""

    def __init__(self, stack: Stack) -> None:
        super().__init__(stack)
        self._log = stack.ses_log

    async def comes_to(self, email_id: str, state: str, key: str) -> bool:
        """Whether the mail was in this state within a while: `sending`, or `given back` after SES
        was asked.
        """
        end_s = time.monotonic() + WITHIN_S
        while time.monotonic() < end_s:
            tried = state != "given back" or email_id in self._throttled()
            if tried and (await self.status(email_id, key)).get("status") == SHOWN[state]:
                return True
            await asyncio.sleep(LOOK_S)
        return False

    def _throttled(self) -> set[str]:
        lines = [one for one in read_log(self._log) if one.get("verdict") == "throttled"]
        return {str(one["tags"].get("email_id")) for one in lines}
