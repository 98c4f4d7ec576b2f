"""The simulator as a process: its files, a full disk, what it mirrors."""

import asyncio
from pathlib import Path

import aiohttp
import pytest

from infra.local.children import Child, ChildFailed, environment
from infra.local.cloud import clients, mirror, ses_client
from infra.local.stack import Stack
from loadtest.checker import read_log
from tests.integration.simulator.conftest import SET, argv


async def test_faults_and_profile_come_from_files_and_a_wrong_one_is_named(
    aws: Stack, tmp_path: Path
) -> None:
    faults, profile = tmp_path / "faults.json", tmp_path / "profile.json"
    faults.write_text('{"faults": [{"kind": "throttle", "share": 2}]}')
    profile.write_text('{"bounce": 0.1}')
    more = ["--faults", str(faults), "--profile", str(profile)]
    child = Child(
        "ses-files",
        argv(aws.cloud_url, tmp_path / "log.jsonl", *more),
        environment=environment(),
        log=tmp_path / "ses.log",
    )
    with pytest.raises(ChildFailed, match=r"\$\.faults\[0\]\.share"):
        await child.start()
    faults.write_text('{"faults": [{"kind": "throttle", "share": 0.5}]}')
    profile.write_text('{"bounces": 0.1}')
    with pytest.raises(ChildFailed, match="bounces"):
        await child.start()
    profile.write_text('{"bounce": 0.1}')
    await child.start()
    assert await child.stop(timeout_s=5) == 0


async def test_a_full_disk_ends_it_loudly_and_nothing_is_answered(aws: Stack) -> None:
    child = Child(
        "ses-full",
        argv(aws.cloud_url, Path("/dev/full")),
        environment=environment(),
        log=aws.folder / "ses-full.log",
    )
    await child.start()
    url = f"http://127.0.0.1:{child.port}/v2/email/outbound-emails"
    async with aiohttp.ClientSession() as http:
        with pytest.raises(aiohttp.ClientError):
            await http.post(url, data=b"{}")
    assert await child.stop(timeout_s=5) == 74
    assert "/dev/full cannot be written" in child.log.read_text()


async def test_events_that_cannot_be_published_are_told(aws: Stack, tmp_path: Path) -> None:
    log = tmp_path / "log.jsonl"
    child = Child(
        "ses-lost", argv(aws.cloud_url, log), environment=environment(), log=tmp_path / "ses.log"
    )
    await child.start()
    ses = ses_client(f"http://127.0.0.1:{child.port}")
    topic = "arn:aws:sns:us-east-1:000000000000:no-such-topic"
    ses.create_configuration_set(ConfigurationSetName="test")
    ses.create_configuration_set_event_destination(
        ConfigurationSetName="test",
        EventDestinationName="gone",
        EventDestination={
            "Enabled": True,
            "MatchingEventTypes": ["SEND"],
            "SnsDestination": {"TopicArn": topic},
        },
    )
    assert await child.stop(timeout_s=8) == 4
    (told,) = [line for line in read_log(log) if line["kind"] == "unpublished"]
    assert (told["topic"], told["events"]) == (topic, 1)


async def test_the_clouds_sets_and_identities_are_mirrored(aws: Stack, tmp_path: Path) -> None:
    cloud = clients(aws.cloud_url)("sesv2")
    cloud.create_configuration_set(ConfigurationSetName="bare")
    child = Child(
        "ses-mirror",
        argv(aws.cloud_url, tmp_path / "log.jsonl"),
        environment=environment(),
        log=aws.folder / "ses-mirror.log",
    )
    await child.start()
    url = f"http://127.0.0.1:{child.port}"
    await asyncio.to_thread(mirror, aws.cloud_url, url)
    ses = ses_client(url)
    assert set(ses.list_configuration_sets()["ConfigurationSets"]) >= {SET, "bare"}
    for name in (SET, "bare"):
        ours = ses.get_configuration_set_event_destinations(ConfigurationSetName=name)
        theirs = cloud.get_configuration_set_event_destinations(ConfigurationSetName=name)
        assert ours["EventDestinations"] == theirs.get("EventDestinations", [])
    names = [one["IdentityName"] for one in ses.list_email_identities()["EmailIdentities"]]
    assert names == ["example.com"]
    assert await child.stop(timeout_s=8) == 0
    cloud.delete_configuration_set(ConfigurationSetName="bare")
