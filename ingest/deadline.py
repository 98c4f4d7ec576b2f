"""How long a request may wait for the stores: then it is answered with 503, whatever is under way.

A call to a store is repeated by itself a few times; together that may take a minute, in which
requests would pile up. What was under way may still happen: nothing was promised, and mail under an
idempotency key is the same mail when it comes again. It ends with the queue's yes to an e-mail
alone, and before those of a batch go onto the queue (`lifted`). From then on the desk keeps the
time: what the queue has taken is not answered with 503.
"""

import asyncio
from collections.abc import Iterator
from contextlib import contextmanager

from aiohttp import web

_DEADLINE = web.RequestKey("deadline", asyncio.Timeout)


def started(request: web.Request, timeout_s: float) -> asyncio.Timeout:
    """The request's deadline, to be entered; its end raises TimeoutError."""
    request[_DEADLINE] = deadline = asyncio.timeout(timeout_s)
    return deadline


def of(request: web.Request) -> asyncio.Timeout:
    """The deadline that was started."""
    return request[_DEADLINE]


def lifted(request: web.Request) -> float:
    """The request is not cut any more; when it would have been, on the loop's clock."""
    deadline = of(request)
    due_s = deadline.when()
    deadline.reschedule(None)
    return asyncio.get_running_loop().time() if due_s is None else due_s


def half_s(request: web.Request) -> float:
    """When half of the time is over that is left, on the loop's clock."""
    now_s = asyncio.get_running_loop().time()
    return (now_s + (of(request).when() or now_s)) / 2


@contextmanager
def paused(request: web.Request) -> Iterator[None]:
    """What happens in the body does not count; afterwards what was left goes on."""
    clock, deadline = asyncio.get_running_loop().time, request[_DEADLINE]
    due_s, begun_s = deadline.when(), clock()
    deadline.reschedule(None)
    yield
    deadline.reschedule(None if due_s is None else due_s + clock() - begun_s)
