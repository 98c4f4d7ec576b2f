"""`/_control/faults`: see, set and take away faults while the process runs.

GET lists them with their hits; POST adds a script `{"faults": [...]}`; PUT replaces all by it;
DELETE takes one (`/_control/faults/<id>`) or all away. A wrong script changes nothing: 400, and the
text names the field.
"""

import time
from typing import Any

import msgspec
from aiohttp import web

from infra.local.chaos.faults import FaultError, Faults

PATH = "/_control/faults"


class Control:
    """The handlers."""

    def __init__(self, faults: Faults) -> None:
        self._faults = faults

    def routes(self) -> list[web.RouteDef]:
        """For an application's router."""
        return [
            web.get(PATH, self._list),
            web.post(PATH, self._add),
            web.put(PATH, self._replace),
            web.delete(PATH, self._clear),
            web.delete(PATH + "/{id}", self._remove),
        ]

    async def _list(self, _: web.Request) -> web.Response:
        return answer({"faults": self._faults.described()})

    async def _add(self, request: web.Request) -> web.Response:
        return self._set(await request.read())

    async def _replace(self, request: web.Request) -> web.Response:
        script, before = await request.read(), self._faults.described()
        answered = self._set(script)
        if answered.status == 200:
            for one in before:
                self._faults.remove(one["id"])
        return answered

    async def _remove(self, request: web.Request) -> web.Response:
        name = request.match_info["id"]
        if not self._faults.remove(name):
            return answer({"message": f"there is no fault {name}"}, status=404)
        return answer({"faults": self._faults.described()})

    async def _clear(self, _: web.Request) -> web.Response:
        self._faults.clear()
        return answer({"faults": []})

    def _set(self, script: bytes) -> web.Response:
        try:
            return answer({"ids": self._faults.add(script, time.monotonic())})
        except FaultError as error:
            return answer({"message": str(error)}, status=400)


def answer(body: Any, *, status: int = 200) -> web.Response:
    """JSON."""
    return web.Response(
        body=msgspec.json.encode(body), status=status, content_type="application/json"
    )
