"""Settings: every fault is named at once, with what was expected."""

import importlib
import os
import subprocess
import sys
from pathlib import Path

import pytest

from ingest.settings import IngestSettings
from mailpipe.settings import SettingsError, load, table
from notifier.settings import NotifierSettings
from processor.settings import ProcessorSettings
from sender.settings import SenderSettings

KEY = {"MAILPIPE_ADDRESS_HASH_KEY": "k" * 32, "MAILPIPE_SENDER_TRUSTED_PRINCIPALS": "A" * 21}
ALL = {
    "ingest": IngestSettings,
    "sender": SenderSettings,
    "processor": ProcessorSettings,
    "notifier": NotifierSettings,
}
ROOT = Path(__file__).parents[2]


def test_defaults_need_only_the_secret_and_the_sender_whom_to_trust() -> None:
    for service, kind in ALL.items():
        assert load(kind, service, KEY).prefix == "mailpipe-"


def test_variables_become_typed_fields() -> None:
    settings = load(
        SenderSettings, "sender", {**KEY, "MAILPIPE_SENDER_SHARE": "0.5", "MAILPIPE_LOCAL": "1"}
    )
    assert settings.share == 0.5
    assert settings.local is True
    assert settings.lease_s == settings.ses_timeout_s + settings.lease_margin_s


def test_every_fault_is_named_at_once() -> None:
    with pytest.raises(SettingsError) as refused:
        load(
            SenderSettings,
            "sender",
            {
                "MAILPIPE_SENDER_SHARE": "2",
                "MAILPIPE_SENDER_CONCURRENCY": "many",
                "MAILPIPE_SENDER_SES_TIMOUT_S": "3",
            },
        )
    text = "\n".join(refused.value.faults)
    assert len(refused.value.faults) == 4
    assert "MAILPIPE_ADDRESS_HASH_KEY is missing: expected text of at least 32 characters" in text
    assert "MAILPIPE_SENDER_SHARE='2': expected a number greater than 0 up to 1" in text
    assert "MAILPIPE_SENDER_CONCURRENCY='many': expected a whole number" in text
    assert "did you mean MAILPIPE_SENDER_SES_TIMEOUT_S?" in text


def test_a_wrong_secret_is_not_shown() -> None:
    with pytest.raises(SettingsError) as refused:
        load(IngestSettings, "ingest", {"MAILPIPE_ADDRESS_HASH_KEY": "short-secret"})
    assert "short-secret" not in str(refused.value)


def test_fields_that_contradict_each_other_are_refused() -> None:
    with pytest.raises(SettingsError, match=r"MAILPIPE_DRAIN_S=5\.0 must be"):
        load(SenderSettings, "sender", {**KEY, "MAILPIPE_DRAIN_S": "5"})


def test_a_spread_that_clocks_and_lateness_use_up_is_refused() -> None:
    away = {**KEY, "MAILPIPE_SENDER_TRUST_SENDER_ID": "0"}
    assert load(SenderSettings, "sender", away).spread_s == 0.05
    wide = {"MAILPIPE_SENDER_CLOCK_BUDGET_S": "0.016"}
    with pytest.raises(SettingsError, match=r"MAILPIPE_SENDER_SPREAD_S=0\.05 must be"):
        load(SenderSettings, "sender", {**away, **wide})


@pytest.mark.parametrize("service", ALL)
def test_a_process_with_a_wrong_configuration_says_so_and_exits_2(service: str) -> None:
    environment = {"PATH": os.environ["PATH"], "PYTHONPATH": str(ROOT), "MAILPIPE_DRAIN_S": "no"}
    ended = subprocess.run(
        [sys.executable, "-m", service],
        env=environment,
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=30,
        check=False,
    )
    assert ended.returncode == 2
    assert "MAILPIPE_ADDRESS_HASH_KEY is missing" in ended.stderr
    assert "MAILPIPE_DRAIN_S='no'" in ended.stderr


@pytest.mark.parametrize("service", ALL)
def test_the_configuration_page_is_true(service: str) -> None:
    page = (ROOT / "docs" / "configuration.md").read_text()
    kind = getattr(
        importlib.import_module(f"{service}.settings"), f"{service.capitalize()}Settings"
    )
    for row in table(kind, service).splitlines():
        assert row in page, f"docs/configuration.md lacks or misstates: {row}"
