"""BatchGetItem may leave any of its keys: what was read is kept, the rest is asked for again."""

import random
from typing import Any

from mailpipe import resources
from mailpipe.aws import dynamodb_operations as aws
from mailpipe.aws.table import Tables
from mailpipe.records import Attributes

NAME = resources.physical("t-", resources.EMAIL_TRACKING)


class Leaving:
    """DynamoDB that leaves a twentieth of the keys of each call."""

    def __init__(self) -> None:
        self.asked = list[int]()
        self._chance = random.Random(7)

    async def call(self, _: object, request: Any, *, gate: object = None) -> Any:
        keys = request.request_items[NAME].keys
        self.asked.append(len(keys))
        left = [key for key in keys if self._chance.random() < 0.05]
        return aws.BatchGetAnswer(
            responses={NAME: [key for key in keys if key not in left]},
            unprocessed_keys={NAME: aws.KeysAndAttributes(keys=left)} if left else {},
        )


async def test_of_many_keys_only_those_that_were_left_are_read_again() -> None:
    client = Leaving()
    tables = Tables(client, "t-")  # type: ignore[arg-type]
    keys: list[Attributes] = [{"emailId": f"m{number}"} for number in range(100)]
    assert len(await tables.get_all(resources.EMAIL_TRACKING, keys)) == 100
    assert client.asked[0] == 100
    assert sum(client.asked[1:]) < 20


async def test_who_wants_nothing_asks_for_nothing() -> None:
    client = Leaving()
    assert await Tables(client, "t-").get_all(resources.EMAIL_TRACKING, []) == []  # type: ignore[arg-type]
    assert client.asked == []
