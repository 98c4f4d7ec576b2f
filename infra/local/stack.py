"""The whole system on this machine: local cloud, SES simulator, receiver, the four services."""

import asyncio
import base64
import hashlib
import json
import sys
import time
from dataclasses import dataclass, field
from pathlib import Path
from types import TracebackType
from typing import Self

from infra.local.children import Child, ChildFailed, environment
from infra.local.cloud import (
    DeploymentFailed,
    add_endpoint,
    address_hash_key,
    bodies_bucket,
    deploy,
    mirror,
)
from infra.local.template import REGION

ROOT = Path(__file__).resolve().parents[2]
SERVICES = ("ingest", "sender", "processor", "notifier")
DRAIN_S = 6.0
STOP_S = 9.0
"""Everything must have ended 10 seconds after Ctrl-C."""


@dataclass(frozen=True, kw_only=True)
class Plan:
    """What to start, and where it listens (0 = a free port). `cloud_host`: `host:port` of a cloud
    that runs already (LocalStack or alike), used instead of our own. `log_writes`: the proxy logs
    every write to a table. `own`: more of the environment of a replica, by its name.
    """

    name: str
    ingest_port: int = 0
    cloud_port: int = 0
    ses_port: int = 0
    receiver_port: int = 0
    admin_port: int = 0
    services: tuple[str, ...] = SERVICES
    replicas: dict[str, int] = field(default_factory=dict)
    rate: float = 14.0
    daily: float = 50_000.0
    seed: int = 1
    prefix: str = "mailpipe-"
    stores_proxy: bool = False
    log_writes: bool = False
    cloud_host: str | None = None
    endpoints: dict[str, list[str]] = field(default_factory=lambda: {"sample": []})
    settings: dict[str, str] = field(default_factory=dict)
    own: dict[str, dict[str, str]] = field(default_factory=dict)


class Stack:
    """Starts everything in order, and ends everything it started."""

    def __init__(self, plan: Plan) -> None:
        self.plan = plan
        self.folder = ROOT / "build" / plan.name
        self.children = list[Child]()
        self.services = dict[str, list[Child]]()
        self.cloud_url = ""
        self.stores_url = ""
        self.ses_url = ""
        self.receiver_url = ""
        self.bodies_bucket = ""
        self._address_hash_key = ""

    @property
    def ingest_url(self) -> str:
        """The REST door (the first replica's)."""
        return self.ingest_urls[0]

    @property
    def ingest_urls(self) -> list[str]:
        """The REST door of each replica."""
        return [f"http://127.0.0.1:{child.port}" for child in self.services["ingest"]]

    @property
    def ses_log(self) -> Path:
        """The simulator's log: what really was sent."""
        return self.folder / "ses.jsonl"

    @property
    def receiver_log(self) -> Path:
        """The receiver's log: which webhooks really arrived."""
        return self.folder / "receiver.jsonl"

    async def __aenter__(self) -> Self:
        try:
            await self.start()
        except BaseException:
            await self.stop()
            raise
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, _: TracebackType | None
    ) -> None:
        await self.stop()

    async def start_cloud(self) -> None:
        """Only the local cloud with its resources. Raises ChildFailed."""
        self.folder.mkdir(parents=True, exist_ok=True)
        for old in (*self.folder.glob("*.log"), *self.folder.glob("*.jsonl")):
            old.unlink()
        self.cloud_url = f"http://{self.plan.cloud_host or await self._start_ministack()}"
        try:
            await asyncio.to_thread(deploy, self.cloud_url, self.plan.prefix)
        except DeploymentFailed as error:
            raise ChildFailed(str(error)) from None
        made = self.cloud_url, self.plan.prefix
        self._address_hash_key = await asyncio.to_thread(address_hash_key, *made)
        self.bodies_bucket = await asyncio.to_thread(bodies_bucket, *made)

    async def _start_ministack(self) -> str:
        cloud_python = str(ROOT / ".venv-cloud" / "bin" / "python")
        server = [cloud_python, "-m", "infra.local.ministack_server", str(self.plan.cloud_port)]
        cloud = await self._child("ministack", server)
        return f"127.0.0.1:{cloud.port}"

    async def start(self) -> None:
        """Everything. Raises ChildFailed when something does not start; then call `stop`."""
        await self.start_cloud()
        plan = self.plan
        _, _, receiver = await asyncio.gather(
            self._start_proxy(), self.start_ses(), self._child("receiver", self._receiver_argv())
        )
        self.receiver_url = f"http://127.0.0.1:{receiver.port}"
        for name, types in plan.endpoints.items():
            await asyncio.to_thread(
                add_endpoint,
                self.cloud_url,
                plan.prefix,
                name=name,
                url=f"{self.receiver_url}/hooks/{name}",
                secret=secret(name),
                types=types,
            )
        await asyncio.gather(*(self.start_service(name) for name in plan.services))

    async def _start_proxy(self) -> None:
        """Between the services and their stores, when the plan asks for it."""
        self.stores_url = self.cloud_url
        if self.plan.stores_proxy:
            argv = [sys.executable, "-m", "infra.local.stores", "--port", "0"]
            more = ["--upstream", self.cloud_url, "--seed", str(self.plan.seed)]
            log = ["--log", str(self.folder / "stores.jsonl")]
            writes = ["--writes"] if self.plan.log_writes else []
            proxy = await self._child("stores", [*argv, *more, *log, *writes])
            self.stores_url = f"http://127.0.0.1:{proxy.port}"

    async def start_ses(self) -> None:
        """The simulator, with the cloud's configuration sets and identities."""
        ses = await self._child("ses", self._ses_argv())
        self.ses_url = f"http://127.0.0.1:{ses.port}"
        await asyncio.to_thread(mirror, self.cloud_url, self.ses_url)

    def _ses_argv(self) -> list[str]:
        plan = self.plan
        return [
            *(sys.executable, "-m", "infra.local.ses", "--port", str(plan.ses_port)),
            *("--cloud", self.cloud_url, "--log", str(self.ses_log), "--rate", str(plan.rate)),
            *("--daily", str(plan.daily), "--seed", str(plan.seed), "--region", REGION),
        ]

    def _receiver_argv(self) -> list[str]:
        secrets = json.dumps({name: secret(name) for name in self.plan.endpoints})
        return [
            *(sys.executable, "-m", "infra.local.receiver", "--port", str(self.plan.receiver_port)),
            *("--log", str(self.receiver_log), "--endpoints", secrets),
        ]

    async def start_service(self, name: str) -> None:
        """Start one service's replicas (again)."""
        count = self.plan.replicas.get(name, 1)
        argv = [sys.executable, "-m", name]
        self.services[name] = [
            await self._child(name if count == 1 else f"{name}-{index + 1}", argv)
            for index in range(count)
        ]

    async def restart_one(self, ended: Child, **more: str) -> Child:
        """Start a replica again that was stopped or killed, with this in its environment; ingest
        listens where it did before.
        """
        service = ended.name.partition("-")[0]
        if service == "ingest":
            more["MAILPIPE_INGEST_PORT"] = str(ended.port)
        self.children.remove(ended)
        started = await self._child(ended.name, [sys.executable, "-m", service], **more)
        started.ready = started.ready or ended.ready  # it may have died again, before it said so
        replicas = self.services[service]
        replicas[replicas.index(ended)] = started
        return started

    async def add_one(self, service: str) -> Child:
        """Start one more replica of a service that has several."""
        replicas = self.services[service]
        taken = {child.name for child in self.children}
        number = next(n for n in range(1, len(taken) + 2) if f"{service}-{n}" not in taken)
        started = await self._child(f"{service}-{number}", [sys.executable, "-m", service])
        replicas.append(started)
        return started

    async def take_away(self, ended: Child) -> int:
        """Drain a replica for good; its exit code."""
        self.services[ended.name.partition("-")[0]].remove(ended)
        code = await ended.stop(timeout_s=STOP_S)
        self.children.remove(ended)
        return code

    async def _child(self, name: str, argv: list[str], **more: str) -> Child:
        child = Child(
            name,
            argv,
            environment=self._environment(name) | self.plan.own.get(name, {}) | more,
            log=self.folder / f"{name}.log",
        )
        self.children.append(child)
        await child.start()
        return child

    def aws_environment(self) -> dict[str, str]:
        """What points an AWS SDK at the local cloud."""
        return {
            "AWS_ACCESS_KEY_ID": "test",
            "AWS_SECRET_ACCESS_KEY": "test",
            "AWS_DEFAULT_REGION": REGION,
            "AWS_EC2_METADATA_DISABLED": "true",
            "AWS_ENDPOINT_URL": self.cloud_url,
            "AWS_ENDPOINT_URL_SESV2": self.ses_url,
            "MAILPIPE_BODIES_BUCKET": self.bodies_bucket,
        }

    def command_line_environment(self) -> dict[str, str]:
        """What points `python -m mailpipe` at the local cloud."""
        return {
            **self.aws_environment(),
            "MAILPIPE_PREFIX": self.plan.prefix,
            "MAILPIPE_BODIES_BUCKET": self.bodies_bucket,
            "MAILPIPE_ADDRESS_HASH_KEY": self._address_hash_key,
        }

    def _environment(self, name: str) -> dict[str, str]:
        plan = self.plan
        admin_port = plan.admin_port
        if admin_port and name in SERVICES:
            admin_port += SERVICES.index(name)
        ours = {
            "MAILPIPE_LOCAL": "1",
            "MAILPIPE_PREFIX": plan.prefix,
            "MAILPIPE_ADDRESS_HASH_KEY": self._address_hash_key,
            "MAILPIPE_DRAIN_S": str(DRAIN_S),
            "MAILPIPE_ADMIN_PORT": str(admin_port),
            "MAILPIPE_INGEST_PORT": str(plan.ingest_port),
            "MAILPIPE_SENDER_SES_TIMEOUT_S": "5",
            "MAILPIPE_SENDER_TRUST_SENDER_ID": "0",  # everybody is the same account here
            "MAILPIPE_SENDER_QUOTA_REFRESH_S": "5",
            "MAILPIPE_SENDER_CLOCK_BUDGET_S": "2",  # one machine has one clock: bulk goes at once
            "MAILPIPE_NOTIFIER_TIMEOUT_S": "5",
        }
        polls = {f"MAILPIPE_{one.upper()}_POLL_S": "1" for one in SERVICES if one != "ingest"}
        # Each service has credentials of its own: the logs then say who called what.
        service = name.partition("-")[0]
        own = {"AWS_ACCESS_KEY_ID": service, "AWS_ENDPOINT_URL": self.stores_url}
        aws = {**self.aws_environment(), **(own if service in SERVICES else {})}
        return environment(**{**aws, **ours, **polls, **plan.settings})

    def died(self) -> str | None:
        """A sentence about the first child that has ended by itself."""
        return next((said for child in self.children if (said := child.died())), None)

    async def stop(self) -> dict[str, int]:
        """Drain the services, then end the rest; exit codes by name."""
        begun = time.monotonic()
        codes = await self._stop([one for some in self.services.values() for one in some], begun)
        # The simulator still has events to publish, so the cloud goes last.
        clouds = [one for one in self.children if one.name in ("ministack", "stores")]
        codes |= await self._stop([one for one in self.children if one not in clouds], begun)
        codes |= await self._stop(clouds, begun)
        self.children, self.services = [], {}
        return codes

    async def _stop(self, children: list[Child], begun: float) -> dict[str, int]:
        started = [child for child in children if child.started]
        left_s = max(0.5, STOP_S - (time.monotonic() - begun))
        codes = await asyncio.gather(*(child.stop(timeout_s=left_s) for child in started))
        return {child.name: code for child, code in zip(started, codes, strict=True)}


def secret(endpoint: str) -> str:
    """A webhook secret for the local cloud, the same at every start."""
    return "whsec_" + base64.b64encode(hashlib.sha256(endpoint.encode()).digest()).decode()
