"""`make prove-simulator`: asks the simulator what AWS documents, by clients that are not ours.

Every row by boto3 (or as bytes), a few by the AWS CLI too, all against a running simulator; each
documented error must be seen at least once.
"""

import argparse
import asyncio
import json
import os
import re
import sys
from collections import Counter
from typing import Any

import aiohttp
import boto3
import botocore.exceptions
from botocore.config import Config
from rich.console import Console

from infra.local.children import ChildFailed
from infra.local.stack import Plan, Stack
from loadtest import proof
from loadtest.corpus import DOCUMENTED, ROWS
from loadtest.corpus.row import Row
from loadtest.processes import ROOT, run

AWS = ROOT / ".venv-cli" / "bin" / "aws"
MAX_CLI_ROWS = 12
CLI_ERROR = re.compile(
    r"An error occurred \((?P<code>\w+)\) when calling the \w+ operation"
    r"(?: \(reached max retries: \d+\))?: (?P<text>.*)"
)
CLI_ENVIRONMENT = {
    "AWS_ACCESS_KEY_ID": "test",
    "AWS_SECRET_ACCESS_KEY": "test",
    "AWS_DEFAULT_REGION": "us-east-1",
    "AWS_MAX_ATTEMPTS": "1",
    "AWS_PAGER": "",
}


class Asker:
    """Asks the rows of the simulator at `url`."""

    def __init__(self, url: str, session: aiohttp.ClientSession) -> None:
        self._url, self._session = url, session
        self._boto3: Any = boto3.client(
            "sesv2",
            endpoint_url=url,
            region_name="us-east-1",
            aws_access_key_id="test",
            aws_secret_access_key="test",  # noqa: S106 - nobody checks it
            config=Config(retries={"mode": "standard", "total_max_attempts": 1}),
        )

    async def ask(self, row: Row, client: str) -> dict[str, str]:
        """One row by one client: what was expected and what was got."""
        before = await self._control("GET", "account")
        if row.switches:
            await self._control("PUT", "account", row.switches)
        if row.faults:
            await self._control("PUT", "faults", {"faults": row.faults})
        got = await self._asked(row, client)
        if row.faults:
            await self._control("DELETE", "faults")
        if row.switches:
            await self._control("PUT", "account", before)
        # The CLI prints no HTTP status of an error.
        expected = row.expected
        if client == "aws-cli" and not expected.startswith("200"):
            expected = expected.partition(" ")[2]
        found = {"source": row.source, "operation": row.operation, "client": client}
        return {**found, "expected": expected, "got": got}

    async def _asked(self, row: Row, client: str) -> str:
        if row.raw is not None:
            return await self._by_bytes(*row.raw)
        if client == "aws-cli":
            return await self._by_cli(row)
        return await asyncio.to_thread(self._by_boto3, row)

    async def _control(self, method: str, name: str, body: Any = None) -> Any:
        url = f"{self._url}/_control/{name}"
        async with self._session.request(method, url, json=body) as answer:
            answer.raise_for_status()
            return await answer.json()

    def _by_boto3(self, row: Row) -> str:
        method = _snake(row.operation)
        try:
            answer = getattr(self._boto3, method)(**row.params)
        except botocore.exceptions.ClientError as error:
            status = error.response["ResponseMetadata"]["HTTPStatusCode"]
            said = error.response["Error"]
            return f"{status} {said['Code']}: {said['Message']}"
        return _found(answer, row.expected)

    async def _by_bytes(self, method: str, path: str, body: bytes) -> str:
        async with self._session.request(method, self._url + path, data=body or None) as answer:
            code = answer.headers.get("x-amzn-ErrorType", "no x-amzn-ErrorType")
            text = await answer.json()
        if answer.status == 200:
            return "200"
        return f"{answer.status} {code}: {text['message']}"

    async def _by_cli(self, row: Row) -> str:
        command = "-".join(_snake(row.operation).split("_"))
        # The CLI's first version takes binary members as they are, and encodes them itself.
        asked = json.dumps(row.params, default=bytes.decode)
        code, said = await run(
            [str(AWS), "sesv2", command, "--cli-input-json", asked],
            **{**CLI_ENVIRONMENT, "AWS_ENDPOINT_URL_SESV2": self._url},
        )
        if code == 0:
            return _found(json.loads(said or "{}"), row.expected)
        told = CLI_ERROR.search(said)
        return f"{told['code']}: {told['text']}" if told else said.strip()


def _snake(operation: str) -> str:
    """`send_email` of `SendEmail`."""
    return "".join(f"_{one.lower()}" if one.isupper() else one for one in operation)[1:]


def _code(got: str) -> str:
    """`MessageRejected` of `400 MessageRejected: ...`."""
    return got.partition(" ")[2].partition(":")[0]


def _found(answer: dict[str, Any], expected: str) -> str:
    """`200` and the wanted member, if the answer has it."""
    member = expected.partition(" ")[2]
    return f"200 {member}".strip() if not member or member in answer else f"200 without {member}"


def chosen(limit_cli: int) -> list[tuple[Row, str]]:
    """The rows and by whom each is asked."""
    by_cli = [row for row in ROWS if row.cli][: min(limit_cli, MAX_CLI_ROWS)]
    asked = [(row, "bytes" if row.raw else "boto3") for row in ROWS]
    return [*asked, *((row, "aws-cli") for row in by_cli)]


def judge(runs: list[dict[str, str]]) -> tuple[list[dict[str, str]], list[str]]:
    """The runs that were answered otherwise, and the documented errors that nobody saw."""
    wrong = [one for one in runs if not one["got"].startswith(one["expected"])]
    seen = {_code(one["got"]) for one in runs if one["client"] != "aws-cli"}
    return wrong, sorted(DOCUMENTED - seen)


async def prove(given: argparse.Namespace) -> int:
    """Ask all, print what differs, write the proof."""
    stack = Stack(Plan(name=given.name, rate=10_000))
    runs = list[dict[str, str]]()
    try:
        await stack.start_cloud()
        await stack.start_ses()
        async with aiohttp.ClientSession() as session:
            asker = Asker(stack.ses_url, session)
            for row, client in chosen(given.cli_rows):
                runs.append(await asker.ask(row, client))
    finally:
        codes = await stack.stop()
    wrong, unseen = judge(runs)
    passed = not wrong and not unseen and codes["ses"] == 0
    path = proof.write(given.name, seed=1, runs=runs, passed=passed)
    _show(Console(), runs, wrong=wrong, unseen=unseen)
    print(f"{'passed' if passed else 'FAILED'}: {path.relative_to(ROOT)}")
    return 0 if passed else 1


def _show(
    console: Console, runs: list[dict[str, str]], *, wrong: list[dict[str, str]], unseen: list[str]
) -> None:
    counts = Counter(one["client"] for one in runs)
    asked = ", ".join(f"{count} by {client}" for client, count in counts.items())
    console.print(f"simulator: {len(runs)} requests ({asked}), {len(wrong)} answered otherwise")
    for one in wrong:
        console.print(f"  {one['operation']} by {one['client']} ({one['source']})", markup=False)
        console.print(f"    expected {one['expected']}\n    got      {one['got']}", markup=False)
    if unseen:
        console.print(f"  documented errors that were not seen: {', '.join(unseen)}")


def main() -> int:
    """The command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument(
        "--cli-rows", type=int, default=MAX_CLI_ROWS, choices=range(MAX_CLI_ROWS + 1)
    )
    parser.add_argument("--name", default="prove-simulator", help="of build/<name>.json")
    given = parser.parse_args()
    if given.cli_rows and not os.access(AWS, os.X_OK):
        parser.error("the AWS CLI is not there: `make prove-simulator` sets it up")
    try:
        return asyncio.run(prove(given))
    except ChildFailed as error:
        sys.stderr.write(f"prove-simulator: {error}\n")
        return 1


if __name__ == "__main__":
    raise SystemExit(main())
