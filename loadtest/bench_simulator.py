"""`make bench-simulator`: the simulator's CPU per send, its Send and Delivery events published.

The load is made of bytes built beforehand, on a few connections, so that it costs little; the CPU
is the simulator process's own, from the first send until the last event is out. Of three rounds
the median counts, since the machine is shared.
"""

import argparse
import asyncio
import json
import os
import sys
from pathlib import Path
from statistics import median
from typing import Any

import aiohttp

from infra.local.children import ChildFailed
from infra.local.stack import Plan, Stack
from loadtest import proof
from loadtest.checker import read_log

CONNECTIONS = 8
LIMIT_US = 250.0
WARM_UP = 500
ROUNDS = 3
LOOK_S = 0.1
ANSWER_TIMEOUT_S = 30.0


def request(number: int) -> bytes:
    """One SendEmail as it is on the wire, 1.2 KB of mail, to an address that is delivered."""
    body = json.dumps(
        {
            "FromEmailAddress": "Shop <noreply@example.com>",
            "Destination": {"ToAddresses": [f"user{number}@example.net"]},
            "Content": {
                "Simple": {
                    "Subject": {"Data": f"Order {number} has shipped", "Charset": "UTF-8"},
                    "Body": {
                        "Text": {"Data": "Thank you! " * 40, "Charset": "UTF-8"},
                        "Html": {"Data": "<p>Thank you!</p>" * 40, "Charset": "UTF-8"},
                    },
                    "Headers": [{"Name": "X-Email-Id", "Value": f"e{number}"}],
                }
            },
            "EmailTags": [
                {"Name": name, "Value": value}
                for name, value in (
                    *(("email_id", f"e{number}"), ("attempt", "1")),
                    *(("tenant", "default"), ("stream", "bulk")),
                )
            ],
            "ConfigurationSetName": "enterprise-email",
        }
    ).encode()
    head = (
        "POST /v2/email/outbound-emails HTTP/1.1\r\nHost: 127.0.0.1\r\n"
        "Content-Type: application/json\r\nAuthorization: AWS4-HMAC-SHA256 Credential=bench/"
        "20260101/us-east-1/ses/aws4_request, SignedHeaders=host, Signature=0\r\n"
        f"Content-Length: {len(body)}\r\n\r\n"
    )
    return head.encode() + body


async def send(port: int, requests: list[bytes]) -> int:
    """Send these one after another on one connection; how many were accepted."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    accepted = 0
    for one in requests:
        writer.write(one)
        head = await asyncio.wait_for(reader.readuntil(b"\r\n\r\n"), ANSWER_TIMEOUT_S)
        length = int(head.lower().split(b"content-length:")[1].split(b"\r\n")[0])
        await reader.readexactly(length)
        accepted += head.startswith(b"HTTP/1.1 200")
    writer.close()
    await writer.wait_closed()
    return accepted


def cpu_s(pid: int) -> float:
    """User and system time of a process (proc(5), fields 14 and 15 of `stat`)."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


async def measure(stack: Stack, first: int, count: int) -> dict[str, Any]:
    """Send `count` mails as fast as they are taken, wait for their events, read the CPU."""
    ses = next(child for child in stack.children if child.name == "ses")
    requests = [request(number) for number in range(first, first + count)]
    before, begun = cpu_s(ses.pid), asyncio.get_running_loop().time()
    accepted = await asyncio.gather(
        *(send(ses.port, requests[place::CONNECTIONS]) for place in range(CONNECTIONS))
    )
    took_s = asyncio.get_running_loop().time() - begun
    await _published(stack.ses_url)
    return {
        "us_per_send": round((cpu_s(ses.pid) - before) / count * 1e6, 1),
        "sends": count,
        "accepted": sum(accepted),
        "sends_per_s": round(count / took_s),
    }


async def _published(url: str) -> None:
    """Until the simulator has published every event."""
    async with aiohttp.ClientSession() as session:
        while True:
            async with session.get(f"{url}/_control/events") as answer:
                if (await answer.json())["outstanding"] == 0:
                    return
            await asyncio.sleep(LOOK_S)


async def bench(given: argparse.Namespace) -> int:
    """Run, print, write the proof."""
    stack = Stack(Plan(name=given.name, rate=1e9, daily=-1))
    try:
        await stack.start_cloud()
        await stack.start_ses()
        await measure(stack, 0, WARM_UP)
        rounds = [
            await measure(stack, WARM_UP + number * given.sends, given.sends)
            for number in range(ROUNDS)
        ]
    finally:
        codes = await stack.stop()
    events = [line for line in read_log(stack.ses_log) if line.get("kind") == "event"]
    each = [one["us_per_send"] for one in rounds]
    run = {
        "us_per_send": median(each),
        "us_per_send_of_each_round": each,
        "sends": sum(one["sends"] for one in rounds),
        "accepted": sum(one["accepted"] for one in rounds),
        "events_published": len(events) - 2 * WARM_UP,
        "sends_per_s": median(one["sends_per_s"] for one in rounds),
    }
    whole = run["accepted"] == run["sends"] and run["events_published"] == 2 * run["sends"]
    passed = whole and codes["ses"] == 0 and run["us_per_send"] <= given.limit_us
    path = proof.write(given.name, seed=1, runs=[run], passed=passed)
    print(f"simulator: {run['us_per_send']} us a send (at most {given.limit_us:g}), {run}")
    print(f"{'passed' if passed else 'FAILED'}: {path.relative_to(proof.ROOT)}")
    return 0 if passed else 1


def main() -> int:
    """The command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--sends", type=int, default=10_000)
    parser.add_argument("--limit-us", type=float, default=LIMIT_US)
    parser.add_argument("--name", default="bench-simulator", help="of build/<name>.json")
    try:
        return asyncio.run(bench(parser.parse_args()))
    except ChildFailed as error:
        sys.stderr.write(f"bench-simulator: {error}\n")
        return 1


if __name__ == "__main__":
    raise SystemExit(main())
