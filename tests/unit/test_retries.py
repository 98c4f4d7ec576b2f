"""What is repeated, how often, and what never is."""

from typing import Any

import pytest

from mailpipe.aws import sqs_operations as sqs
from mailpipe.aws.retries import call_again
from mailpipe.outcomes import CallFailed, Kind

REQUEST = sqs.GetQueueUrl(queue_name="q")


class Failing:
    """Fails as scripted, then answers."""

    def __init__(self, *script: Kind) -> None:
        self.script = list(script)
        self.calls = 0

    async def call(self, operation: Any, _: Any, **__: Any) -> Any:
        self.calls += 1
        if self.script:
            raise CallFailed(self.script.pop(0), "Code", operation=operation.name)
        return sqs.QueueUrlAnswer(queue_url="u")


async def test_the_first_attempt_is_plain() -> None:
    client = Failing()
    assert (await call_again(client, sqs.GET_QUEUE_URL, REQUEST)).queue_url == "u"
    assert client.calls == 1


@pytest.mark.parametrize("kind", [Kind.THROTTLED, Kind.NOTHING_HAPPENED, Kind.IN_DOUBT])
async def test_what_will_pass_is_tried_again(kind: Kind) -> None:
    client = Failing(kind, kind)
    assert (await call_again(client, sqs.GET_QUEUE_URL, REQUEST)).queue_url == "u"
    assert client.calls == 3


@pytest.mark.parametrize("kind", [Kind.REFUSED, Kind.CONFIGURATION])
async def test_what_will_not_pass_is_not(kind: Kind) -> None:
    client = Failing(kind)
    with pytest.raises(CallFailed) as failed:
        await call_again(client, sqs.GET_QUEUE_URL, REQUEST)
    assert (failed.value.kind, client.calls) == (kind, 1)


async def test_it_ends_with_the_last_failure() -> None:
    client = Failing(*[Kind.THROTTLED] * 9)
    with pytest.raises(CallFailed):
        await call_again(client, sqs.GET_QUEUE_URL, REQUEST)
    assert client.calls == 5


@pytest.mark.parametrize(
    ("last", "kind"),
    [
        (Kind.THROTTLED, Kind.IN_DOUBT),
        (Kind.NOTHING_HAPPENED, Kind.IN_DOUBT),
        (Kind.REFUSED, Kind.REFUSED),
    ],
)
async def test_that_nothing_happened_is_not_said_of_a_call_that_may_have_arrived_before(
    last: Kind, kind: Kind
) -> None:
    client = Failing(Kind.IN_DOUBT, *[last] * 4)
    with pytest.raises(CallFailed) as failed:
        await call_again(client, sqs.GET_QUEUE_URL, REQUEST)
    assert failed.value.kind is kind
