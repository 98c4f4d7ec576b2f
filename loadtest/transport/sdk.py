"""A producer that sends mails through the SDK and prints its CPU per mail, in microseconds.

`python -m loadtest.transport.sdk MAILS ROUNDS`; the environment names the AWS.
"""

import statistics
import sys
import time

import uvloop

from mailpipe import Accepted, Email, Producer


def mail(number: int) -> Email:
    """A mail of 1.2 KB."""
    return Email(
        to=[f"customer-{number}@shop-{number % 50}.example"],
        from_="Shop <noreply@example.com>",
        subject=f"Your order {number} is on its way",
        body_text="It will be with you by tomorrow evening. " * 12,
        body_html="<p>It will be with you by tomorrow evening.</p>" * 8,
        metadata={"order": str(number), "customer": number},
        tags={"campaign": "orders"},
    )


async def _measure(mails: int, rounds: int) -> float:
    found = []
    async with Producer() as producer:
        for _ in range(rounds):
            emails = [mail(number) for number in range(mails)]
            begun = time.process_time_ns()
            fates = [fate async for fate in producer.send_many(emails)]
            found.append((time.process_time_ns() - begun) / 1000 / mails)
            if not all(isinstance(fate, Accepted) for fate in fates):
                raise SystemExit("a mail was refused")
    return statistics.median(found)


if __name__ == "__main__":
    print(uvloop.run(_measure(int(sys.argv[1]), int(sys.argv[2]))))
