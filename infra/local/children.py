"""Child processes: started, awaited until ready, watched, drained. Their output goes to files."""

import asyncio
import contextlib
import json
import os
import signal
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

EXIT_PORT_IN_USE = 3


class ChildFailed(Exception):
    """A child did not start or has died; the text is a sentence that says what to do."""


class Child:
    """One process. Its stdout is its log; a line with `"event":"ready"` says that it serves."""

    def __init__(
        self, name: str, argv: list[str], *, environment: dict[str, str], log: Path
    ) -> None:
        self.name = name
        self.log = log
        self.ready: dict[str, Any] = {}
        self._argv = argv
        self._environment = environment
        self._process: asyncio.subprocess.Process | None = None
        self._asked_to_end = False
        self._doomed = bool(environment.get("MAILPIPE_FAILPOINT"))

    @property
    def started(self) -> bool:
        """Whether there ever was a process."""
        return self._process is not None

    @property
    def pid(self) -> int:
        """The process's id."""
        assert self._process is not None  # noqa: S101 - only asked of a started child
        return self._process.pid

    @property
    def exit_code(self) -> int | None:
        """None while it runs; below 0: the signal that ended it."""
        return None if self._process is None else self._process.returncode

    @property
    def port(self) -> int:
        """What it listens on."""
        return int(self.ready["port"])

    @property
    def admin_port(self) -> int:
        """Where its metrics are."""
        return int(self.ready["admin_port"])

    async def start(self, *, timeout_s: float = 30.0) -> None:
        """Start it and wait until it is ready, or has died at its failpoint, which may come before.
        Raises ChildFailed.
        """
        self.log.parent.mkdir(parents=True, exist_ok=True)
        begun_at = self.log.stat().st_size if self.log.exists() else 0
        with self.log.open("ab") as output:
            # A session of its own: Ctrl-C reaches the launcher alone, which then drains in order.
            self._process = await asyncio.create_subprocess_exec(
                *self._argv,
                env=self._environment,
                stdin=asyncio.subprocess.DEVNULL,
                stdout=output,
                stderr=output,
                start_new_session=True,
            )
        deadline = asyncio.get_running_loop().time() + timeout_s
        while asyncio.get_running_loop().time() < deadline:
            for line in self._lines(begun_at):
                if '"ready"' in line and (said := _json(line)).get("event") == "ready":
                    self.ready = said
                    return
            if self._process.returncode is not None:
                if self._died_at_failpoint:
                    return
                raise ChildFailed(self._why(begun_at))
            await asyncio.sleep(0.02)
        await self.kill()
        raise ChildFailed(f"{self.name} was not ready within {timeout_s:.0f} s; see {self.log}")

    def died(self) -> str | None:
        """A sentence if the process has ended and nobody had asked it to, nor its failpoint."""
        if self.exit_code is None or self._asked_to_end or self._died_at_failpoint:
            return None
        return (
            f"{self.name} has ended by itself with exit code {self.exit_code}; "
            f"its last lines are in {self.log}"
        )

    @property
    def _died_at_failpoint(self) -> bool:
        return self._doomed and self.exit_code == -signal.SIGKILL

    async def stop(self, *, timeout_s: float) -> int:
        """SIGTERM, wait, SIGKILL if that takes too long; the exit code (0 after a drain)."""
        assert self._process is not None  # noqa: S101 - only asked of a started child
        if self._process.returncode is None:
            self._asked_to_end = True
            # Not by the process object: it would reap one that is just ending, and lose its code.
            with contextlib.suppress(ProcessLookupError):
                os.kill(self._process.pid, signal.SIGTERM)
            try:
                await asyncio.wait_for(self._process.wait(), timeout_s)
            except TimeoutError:
                await self.kill()
        return int(self._process.returncode or 0)

    async def kill(self) -> None:
        """SIGKILL."""
        assert self._process is not None  # noqa: S101 - only asked of a started child
        if self._process.returncode is None:
            self._asked_to_end = True
            # See `stop`: one that ends at this moment keeps its own code.
            with contextlib.suppress(ProcessLookupError):
                os.kill(self._process.pid, signal.SIGKILL)
            await self._process.wait()

    @contextlib.asynccontextmanager
    async def frozen(self) -> AsyncIterator[None]:
        """Stopped as by SIGSTOP: it does nothing, and notices nothing."""
        os.kill(self.pid, signal.SIGSTOP)
        try:
            yield
        finally:
            with contextlib.suppress(ProcessLookupError):
                os.kill(self.pid, signal.SIGCONT)

    def _lines(self, begun_at: int) -> list[str]:
        with self.log.open("rb") as log:
            log.seek(begun_at)
            return log.read().decode(errors="replace").splitlines()

    def _why(self, begun_at: int) -> str:
        assert self._process is not None  # noqa: S101 - it has just ended
        last = "\n  ".join(self._lines(begun_at)[-8:])
        if self._process.returncode == EXIT_PORT_IN_USE:
            return (
                f"{self.name} cannot listen: its port is in use. Stop what uses it, or choose "
                f"another (0 takes a free one), for example `make run INGEST_PORT=0 CLOUD_PORT=0 "
                f"SES_PORT=0 RECEIVER_PORT=0 ADMIN_PORT=0`.\n  {last}"
            )
        return (
            f"{self.name} ended with exit code {self._process.returncode} before it was ready "
            f"(log: {self.log}):\n  {last}"
        )


def _json(line: str) -> dict[str, Any]:
    try:
        said = json.loads(line)
    except ValueError:
        return {}
    return said if isinstance(said, dict) else {}


def environment(**more: str) -> dict[str, str]:
    """This process's environment without its AWS account, so that nothing local can reach it."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith("AWS_")}
    return {**kept, **more}
