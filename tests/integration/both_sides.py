"""Every call through both sides of `call`, and the answers must be equal."""

from typing import Any

from mailpipe.aws.botocore_client import BotocoreClient
from mailpipe.aws.client import Client, Measured
from mailpipe.aws.transport import TypedClient
from mailpipe.outcomes import CallFailed

KINDS = {"typed": TypedClient, "botocore": BotocoreClient}


class Both:
    """Every call goes through both sides; the first one's answer is returned, if they agree."""

    def __init__(self, sides: dict[str, dict[str, Client]]) -> None:
        self._sides = sides

    async def __call__(self, operation: Any, *requests: Any) -> Any:
        """One request for both sides, or one each where a second call would see the first's."""
        answers = []
        for (side, clients), request in zip(self._sides.items(), requests * 2, strict=False):
            client = clients[operation.service]
            assert isinstance(client, Measured)
            assert isinstance(client._client, KINDS[side])
            try:
                answers.append(await client.call(operation, request))
            except CallFailed as failed:
                answers.append((failed.kind, failed.code, failed.text, failed.item, failed.reasons))
        assert answers[0] == answers[1]
        return answers[0]

    async def each(self, operation: Any, request: Any) -> list[Any]:
        """The two answers, where they must differ (ids)."""
        return [
            await clients[operation.service].call(operation, request)
            for clients in self._sides.values()
        ]
