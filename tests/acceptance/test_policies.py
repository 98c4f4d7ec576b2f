"""Least privilege: each service's policy allows what it was seen to call, and nothing else."""

import asyncio
import json
from datetime import UTC, datetime, timedelta
from typing import Any

import aiohttp

from infra.local.cloud import LOCAL_KEY, clients, template
from infra.local.mails import Doors, mail_to
from infra.local.stack import ROOT, SERVICES, Stack
from infra.local.template import REGION
from infra.stacks.policies import FOR_404, GRANTS, Grant
from mailpipe import resources
from mailpipe.messages import new_email_id
from tests.acceptance.test_pipeline import eventually

Uses = dict[str, set[tuple[str, str]]]
"""By service: IAM action and name of the resource."""

QUEUES = [
    *(resources.MAIL_TRANSACTIONAL, resources.MAIL_BULK, resources.SES_EVENTS, resources.WEBHOOKS)
]
ORPHAN = {
    "eventType": "Send",
    "send": {},
    "mail": {
        "messageId": "0100-none",
        "timestamp": "2026-11-24T10:00:00.000Z",
        "destination": ["a@example.net"],
        "tags": {"email_id": ["none"], "attempt": ["1"]},
    },
}


def allowed(prefix: str) -> Uses:
    """By the policies of the template; SES's resources are left out, since no call names them."""
    found: Uses = {}
    for policy in template(prefix).resources("AWS::IAM::ManagedPolicy"):
        name = policy.properties["ManagedPolicyName"]
        service = name.removeprefix(prefix).removesuffix(f"-{REGION}")
        pairs = set[tuple[str, str]]()
        for statement in policy.properties["PolicyDocument"]["Statement"]:
            assert statement["Effect"] == "Allow"
            for action in _listed(statement["Action"]):
                for arn in _listed(statement["Resource"]):
                    name = "" if action.startswith("ses:") else arn.rpartition(":")[2]
                    name = name.removeprefix("table/")
                    for bodies in resources.BODY_PREFIXES:
                        name = name.removesuffix(f"/{bodies}*")
                    pairs.add((action, name))
        found[service] = pairs
    return found


def _listed(value: Any) -> list[str]:
    return value if isinstance(value, list) else [value]


async def called(stack: Stack) -> Uses:
    """By the logs of the proxy and of the simulator; each service has its own access key id."""
    found: Uses = {service: set() for service in SERVICES}
    async with aiohttp.ClientSession() as session:
        for url in (stack.stores_url, stack.ses_url):
            async with session.get(f"{url}/_control/calls") as answer:
                for one in (await answer.json())["calls"]:
                    if one["caller"] in found:
                        found[one["caller"]].add((one["action"], one.get("resource", "")))
    return found


def bounce_of(email_id: str) -> dict[str, Any]:
    """SES's word that it came back; said twice, the second finds the address suppressed."""
    recipient = {"emailAddress": "bounce+policy@simulator.amazonses.com"}
    at = "2026-11-24T10:00:00.000Z"
    return {
        "eventType": "Bounce",
        "bounce": {
            "bounceType": "Permanent",
            "bounceSubType": "General",
            "bouncedRecipients": [recipient],
            "timestamp": at,
        },
        "mail": {
            "messageId": "0100-bounced",
            "timestamp": at,
            "destination": [recipient["emailAddress"]],
            "tags": {"email_id": [email_id], "attempt": ["1"]},
        },
    }


def enqueue(stack: Stack, queue: str, message: dict[str, Any]) -> None:
    """Put a message on a queue, as nobody of ours would."""
    sqs = clients(stack.cloud_url)("sqs")
    url = sqs.get_queue_url(QueueName=resources.physical(stack.plan.prefix, queue))["QueueUrl"]
    sqs.send_message(QueueUrl=url, MessageBody=json.dumps(message))


def example(name: str) -> dict[str, Any]:
    """The contract's example with an id of its own."""
    message = json.loads((ROOT / "tests" / "data" / "contract" / f"{name}.json").read_text())
    return {**message, "emailId": new_email_id()}


async def use_lists(stack: Stack, http: aiohttp.ClientSession) -> None:
    """Every route that reads or changes lists."""
    url, headers = stack.ingest_url, {"X-API-Key": LOCAL_KEY}

    async def ask(method: str, path: str, **body: Any) -> Any:
        async with http.request(method, url + path, json=body or None, headers=headers) as answer:
            assert answer.ok, await answer.text()
            return await answer.json()

    await ask("GET", "/emails")
    await ask("GET", "/emails?recipient=success%2Bpolicy@simulator.amazonses.com")
    for scope in ("bulk", "all"):
        await ask("POST", "/suppression/add", email="policy@example.net", scope=scope)
    await ask("GET", "/suppression")
    await ask("DELETE", "/suppression/policy@example.net")
    made = await ask("POST", "/webhooks", url=f"{stack.receiver_url}/hooks/policy")
    await ask("GET", "/webhooks")
    await ask("DELETE", f"/webhooks/{made['id']}")


async def recall(stack: Stack, http: aiohttp.ClientSession, email_id: str, hours: float) -> None:
    """The mail goes at another time; 0: never."""
    path, body = ("cancel", None) if not hours else ("reschedule", {"sendAt": in_hours(hours)})
    url = f"{stack.ingest_url}/emails/{email_id}/{path}"
    async with http.post(url, json=body, headers={"X-API-Key": LOCAL_KEY}) as answer:
        assert answer.ok, await answer.text()


async def explained(stack: Stack, http: aiohttp.ClientSession, email_id: str, state: str) -> None:
    """Why the mail waits, asked for until that is its state."""

    async def look() -> bool:
        return bool((await explanation(stack, http, email_id))["state"] == state)

    await eventually(look)


async def explanation(stack: Stack, http: aiohttp.ClientSession, email_id: str) -> Any:
    """The API's word on why the mail stands as it does."""
    url, headers = f"{stack.ingest_url}/emails/{email_id}/explain", {"X-API-Key": LOCAL_KEY}
    async with http.get(url, headers=headers) as answer:
        return await answer.json()


def in_hours(hours: float) -> str:
    """So far from now."""
    return (datetime.now(UTC) + timedelta(hours=hours)).isoformat()


async def exercise(stack: Stack, doors: Doors, http: aiohttp.ClientSession) -> None:
    """Every path that calls AWS: mail by both doors and lanes while SES throttles, several bounces
    of one address, mail that breaks a rule, poison on every queue, events without a record, an
    account that is paused for a moment, an endpoint that fails once, a notifier whose table fails
    for a while; mail that goes by S3.
    """
    for queue in QUEUES:
        enqueue(stack, queue, {"type": "nonsense"})
    enqueue(stack, resources.SES_EVENTS, ORPHAN)
    broken = example("email.v1")
    broken["email"]["to"] = ["nobody"]
    enqueue(stack, resources.MAIL_TRANSACTIONAL, broken)
    for queue in resources.LANES.values():  # goes back to its queue for a while
        gone = {"s3Key": "bodies/default/gone", "size": 1, "sha256": "0" * 64}
        enqueue(stack, queue, example("email.v1") | {"body": gone})
    enqueue(stack, resources.SES_EVENTS, example("event.v1"))
    lost = {"kind": "error", "operation": "dynamodb.Query", "match": "notifier ", "count": 40}
    await http.post(f"{stack.stores_url}/_control/faults", json={"faults": [lost]})
    account = f"{stack.ses_url}/_control/account"
    await http.put(account, json={"maxSendRate": 0})
    await http.put(f"{stack.receiver_url}/control/one", json={"status": 500, "times": 1})
    acks = [await doors.send("sdk", mail_to("success+policy", 1))]
    for stream in resources.LANES:
        for number in range(4):
            mail = dict(mail_to("bounce+policy", number), stream=stream)
            acks.append(await doors.send("rest", mail))
    large = dict(mail_to("success+policy", 3), bodyText="x" * 60_000)
    acks.append(await doors.send("rest", large))
    await asyncio.sleep(0.3)
    await http.put(account, json={"maxSendRate": stack.plan.rate})
    await doors.statuses(ack["emailId"] for ack in acks)
    for _ in range(2):
        enqueue(stack, resources.SES_EVENTS, bounce_of(acks[1]["emailId"]))
    await http.put(account, json={"sendingEnabled": False})
    acks = []
    for stream in resources.LANES:  # too large for an item of the table where it waits
        waits = dict(mail_to("success+policy", 4), stream=stream, bodyText="x" * 5_000)
        acks.append(await doors.send("rest", waits))
    for ack in acks:
        await explained(stack, http, ack["emailId"], "paused")
    await http.put(account, json={"sendingEnabled": True})
    await doors.statuses(ack["emailId"] for ack in acks)


def test_who_reads_bodies_is_told_when_one_is_missing() -> None:
    for service, grants in GRANTS.items():
        reads = any(grant.bodies and "s3:GetObject" in grant.actions for grant in grants)
        assert reads == (Grant((FOR_404,), bucket=True) in grants), service


async def test_policies_allow_what_is_called_and_nothing_else(
    stack: Stack, doors: Doors, http: aiohttp.ClientSession
) -> None:
    later = dict(mail_to("success+policy", 5), sendAt=in_hours(1), bodyText="x" * 5_000)
    waits = await doors.send("rest", later)
    await exercise(stack, doors, http)
    await use_lists(stack, http)
    (processor,) = stack.services["processor"]
    await processor.stop(timeout_s=30)  # it takes its figures away
    await stack.restart_one(processor)
    for hours in (3, 0.01, 0):  # what waits is moved, sent to its queue, and forgotten
        await recall(stack, http, waits["emailId"], hours)
    wanted = {
        service: {one for one in pairs if one[0] != FOR_404}
        for service, pairs in allowed(stack.plan.prefix).items()
    }
    assert wanted.keys() == set(SERVICES)
    deadline = asyncio.get_running_loop().time() + 30
    while (seen := await called(stack)) != wanted:
        too_little = {name: sorted(seen[name] - wanted[name]) for name in SERVICES}
        too_much = {name: sorted(wanted[name] - seen[name]) for name in SERVICES}
        assert not any(too_little.values()), f"called and not allowed: {too_little}"
        late = asyncio.get_running_loop().time() > deadline
        assert not late, f"allowed and never called: {too_much}"
        await doors.send("sdk", mail_to("success+policy", 2))
        bulk = await doors.send("rest", dict(mail_to("success+policy", 3), stream="bulk"))
        await explanation(stack, http, bulk["emailId"])  # before a sender has had it
        await asyncio.sleep(2)  # polls come back empty, too
