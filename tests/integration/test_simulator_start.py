"""The simulator starts whatever configuration sets the cloud has."""

import sys

from infra.local.children import Child, environment
from infra.local.provision import clients
from infra.local.stack import Stack


async def test_a_configuration_set_without_destinations_does_not_stop_it(aws: Stack) -> None:
    clients(aws.cloud_url)("sesv2").create_configuration_set(ConfigurationSetName="bare")
    log = aws.folder / "ses-start.jsonl"
    argv = [sys.executable, "-m", "infra.local.ses", "--port", "0", "--cloud", aws.cloud_url]
    child = Child(
        "ses-start",
        [*argv, "--log", str(log)],
        environment=environment(),
        log=aws.folder / "ses-start.log",
    )
    await child.start()
    assert await child.stop(timeout_s=5) == 0
