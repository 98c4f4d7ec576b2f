"""Fixtures for all tests. The local cloud is started once, on free ports."""

import os
from collections.abc import AsyncIterator

import pytest

from infra.local.stack import Plan, Stack

pytest_plugins = ["mailpipe.pytest_plugin"]  # where mailpipe is installed, pytest finds it itself


@pytest.fixture(scope="session")
async def cloud() -> AsyncIterator[Stack]:
    """ministack with our resources, and nothing else; each worker of pytest-xdist has its own."""
    worker = os.environ.get("PYTEST_XDIST_WORKER", "alone")
    stack = Stack(Plan(name=f"test-cloud-{worker}"))
    try:
        await stack.start_cloud()
        yield stack
    finally:
        await stack.stop()


@pytest.fixture
def aws(cloud: Stack, monkeypatch: pytest.MonkeyPatch) -> Stack:
    """This process's AWS environment points at the local cloud."""
    for name, value in cloud.aws_environment().items():
        monkeypatch.setenv(name, value)
    return cloud
