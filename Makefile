# mailpipe: the one front door. `make` alone lists what there is.
SHELL := /bin/bash
.SHELLFLAGS := -euo pipefail -c
.DEFAULT_GOAL := help
# The distribution's own Python where it can make environments: built with optimisation, it needs up to
# a third less CPU than one that was compiled without (`make bench-simulator`: 235 us against 285).
PYTHON ?= $(shell /usr/bin/python3 -c 'import ensurepip, sys, venv; sys.exit(sys.version_info < (3, 11))' \
          2>/dev/null && echo /usr/bin/python3 || echo python3)
PY := .venv/bin/python
export PYTHONUNBUFFERED := 1

# What `make run` and `make demo` listen on; 0 takes a free port.
INGEST_PORT ?= 8080
CLOUD_PORT ?= 4566
SES_PORT ?= 4579
RECEIVER_PORT ?= 8090
ADMIN_PORT ?= 9101
PORTS := --ingest-port $(INGEST_PORT) --cloud-port $(CLOUD_PORT) --ses-port $(SES_PORT) \
         --receiver-port $(RECEIVER_PORT) --admin-port $(ADMIN_PORT)

# The demo: how many mails, how fast, SES's quota (0 = four times the rate), and the seed of its choices.
EMAILS ?= 200
RATE ?= 50
QUOTA ?= 0
SEED ?= 1

# The proofs: mails a second, SIGTERMs to each service, seconds of kills, share of the usual durations.
DRAIN_RATE ?= 200
SIGTERMS ?= 10
KILL_RATE ?= 100
SECONDS ?= 120
SCALE ?= 1
# Of prove-once: events flow, processors away, events withheld, answers cut, senders standing still.
CASES ?= a,b,c,d,e
# Of prove-quota: recipients a second.
QUOTAS ?= 14,100,300

# A file of tests in one process, several processes; each has a local cloud of its own. Proofs mostly wait.
SIDE_BY_SIDE := -n auto --maxprocesses 4 --dist loadfile

.PHONY: help setup run demo synth bench-simulator prove-simulator bench-transport \
        prove-drain prove-kills prove-once prove-quota prove-priority prove-faults simulate-quota prove-idempotency \
        prove-doors prove-suppression prove-pause prove-schedule fuzz-api bench-ingest bench-sender bench-processor bench-notifier prove \
        test test-again check format unit integration acceptance lock clean

help: ## List the targets
	@awk -F':.*## ' '/^[a-z-]+:.*## /{printf "  make %-17s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

setup: .venv/.ready .venv-cloud/.ready ## Make the two virtual environments (every other target does it by itself)

run: setup ## Start the whole system on this machine and send sample mails; Ctrl-C ends it
	@$(PY) -m infra.local.run $(PORTS)

demo: setup ## Send EMAILS=200 at RATE=50 through both doors and check every one against outside logs
	@$(PY) -m infra.local.demo --emails $(EMAILS) --rate $(RATE) --quota $(QUOTA) --seed $(SEED)

synth: .venv-cdk/.ready ## Make infra/templates/data.json from infra/stacks (needs Node 20 or newer)
	@command -v node >/dev/null || { echo "make synth: the CDK needs Node 20 or newer: apt-get install nodejs"; exit 1; }
	@JSII_SILENCE_WARNING_END_OF_LIFE_NODE_VERSION=18,20 .venv-cdk/bin/python -m infra.stacks infra/templates/data.json

bench-simulator: setup ## The SES simulator's CPU per send (SENDS=10000 a round)
	@$(PY) -m loadtest.bench_simulator --sends $(or $(SENDS),10000)

prove-simulator: setup .venv-cli/.ready ## Documented requests and their answers, by boto3 and by the AWS CLI
	@$(PY) -m loadtest.prove_simulator

bench-transport: setup ## CPU per call to AWS, of our transport and of botocore
	@$(PY) -m loadtest.bench_transport

bench-ingest: setup ## CPU of both doors per mail, latency at half load, memory with 100 MB of uploads in flight
	@$(PY) -m loadtest.bench_ingest

prove-drain: setup ## SIGTERMS=10 to each service at DRAIN_RATE=200 mails a second: nothing lost, doubled or left in flight
	@$(PY) -m loadtest.prove_drain --sigterms $(SIGTERMS) --rate $(DRAIN_RATE) --seed $(SEED)

prove-quota: setup ## 1, 8, 3 senders at QUOTAS=14,100,300 recipients a second, with kills and a SIGSTOP: never exceeded, never wasted
	@$(PY) -m loadtest.prove_quota --quotas $(QUOTAS) --seed $(SEED)

prove-kills: setup ## kill -9 of random replicas for SECONDS=120 at KILL_RATE=100 mails a second: nothing lost (SCALE=1: usual durations)
	@$(PY) -m loadtest.prove_kills --seconds $(SECONDS) --rate $(KILL_RATE) --scale $(SCALE) --seed $(SEED)

prove-once: setup ## kill -9 each second at exact instants (CASES=a,b,c,d,e): 3,000 mails each, none lost, none twice where events flow
	@$(PY) -m loadtest.prove_once --cases $(CASES) --scale $(SCALE) --seed $(SEED)

prove-faults: setup ## Identity revoked for FAULT_SECONDS=60, set removed, account paused, day used up, slots deleted, DynamoDB throttled: nothing fails
	@$(PY) -m loadtest.prove_faults --seconds $(or $(FAULT_SECONDS),60) --rate $(or $(FAULT_RATE),20) --scale $(SCALE) --seed $(SEED)

prove-priority: setup ## Urgent mail beside 5,000 queued, a small tenant beside a large one, below and above the rate
	@$(PY) -m loadtest.prove_priority

bench-sender: setup ## The sender's CPU per mail, and its memory, at 100 to 20,000 mails of backlog
	@$(PY) -m loadtest.bench_sender

bench-processor: setup ## The processor's CPU per event
	@$(PY) -m loadtest.bench_processor

bench-notifier: setup ## The notifier's CPU per webhook
	@$(PY) -m loadtest.bench_notifier

prove-idempotency: setup ## 20 posts at once under each of 50 idempotency keys, kill -9 of ingest in between: one mail per key
	@$(PY) -m loadtest.prove_idempotency --seed $(SEED)

prove-doors: setup ## One corpus of inputs through REST, SDK and queue: equal verdicts, no server error, nothing stored
	@$(PY) -m loadtest.prove_doors --seed $(SEED)

prove-suppression: setup ## RACES=1000 suppressions against mail to the same address: what is claimed after the answer is not sent
	@$(PY) -m loadtest.prove_suppression --races $(or $(RACES),1000) --seed $(SEED)

prove-pause: setup ## Six days of waiting in virtual time: account paused, set gone, a day's quota too small: nothing lost
	@$(PY) -m loadtest.prove_pause

prove-schedule: setup ## Mail for later at 200 due/s (500 in virtual time), cancelled and moved around its instant, senders killed
	@$(PY) -m loadtest.prove_schedule --seed $(SEED)

simulate-quota: setup ## Senders around one item of send slots, in virtual time: no second above the quota, nothing wasted
	@$(PY) -m loadtest.simulate_quota --seed $(SEED)

fuzz-api: setup ## schemathesis: EXAMPLES=100 random requests of every operation of the API's description, and its edges
	@$(PY) -m loadtest.fuzz_api --examples $(or $(EXAMPLES),100) --seed $(SEED)

prove: demo prove-doors prove-idempotency fuzz-api prove-simulator bench-simulator bench-transport bench-ingest bench-sender bench-processor bench-notifier simulate-quota prove-pause prove-quota prove-priority prove-suppression prove-schedule prove-faults prove-drain prove-kills prove-once ## Run every proof there is (each writes build/<target>.json)

test: check unit integration acceptance ## Everything that must pass before a change lands

test-again: AGAIN := --last-failed --last-failed-no-failures all
test-again: test ## After a failed `make test`: what failed, and what it kept from running

check: .venv/.ready .venv-cdk/.ready ## Format, lint, types, import rules, the template
	@.venv/bin/ruff format --check --quiet . || { echo "make check: run 'make format'"; exit 1; }
	@.venv/bin/ruff check --quiet .
	@.venv/bin/mypy
	@.venv-cdk/bin/cfn-lint infra/templates/data.json
	@$(PY) -m pytest -q tests/unit/test_imports.py

format: .venv/.ready ## Format the code and mend what lint can mend
	@.venv/bin/ruff format .
	@.venv/bin/ruff check --fix .

unit: .venv/.ready ## Rules as values: no network, no sleep
	@$(PY) -m pytest -q $(SIDE_BY_SIDE) $(AGAIN) tests/unit

integration: setup .venv-cdk/.ready ## One part against the local cloud
	@$(PY) -m pytest -q $(SIDE_BY_SIDE) $(AGAIN) tests/integration

acceptance: setup .venv-cli/.ready ## The whole pipeline, real processes and signals
	@$(PY) -m pytest -q $(SIDE_BY_SIDE) $(AGAIN) tests/acceptance

lock: .venv/.ready ## Renew requirements/*.txt (hashes, no registry addresses)
	@for name in runtime dev cloud cdk cli; do \
	  .venv/bin/uv pip compile --quiet --upgrade --python-version 3.11 --generate-hashes --no-header \
	    --no-emit-index-url --no-emit-find-links requirements/$$name.in -o requirements/$$name.txt; \
	done

clean: ## Remove what was built (the virtual environments too)
	@rm -rf .venv .venv-cloud .venv-cdk .venv-cli build dist .mypy_cache .ruff_cache .pytest_cache .hypothesis

# --- set-up -----------------------------------------------------------------------------------
.venv/.ready: requirements/dev.txt
	@$(call make_venv,.venv,requirements/dev.txt)

.venv-cloud/.ready: requirements/cloud.txt
	@$(call make_venv,.venv-cloud,requirements/cloud.txt)

.venv-cdk/.ready: requirements/cdk.txt
	@$(call make_venv,.venv-cdk,requirements/cdk.txt)

.venv-cli/.ready: requirements/cli.txt
	@$(call make_venv,.venv-cli,requirements/cli.txt)

define make_venv
command -v $(PYTHON) >/dev/null || { echo "mailpipe needs Python 3.11 or newer: apt-get install python3 python3-venv"; exit 1; }; \
$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { echo "mailpipe needs Python 3.11 or newer; '$(PYTHON)' is older: make PYTHON=python3.11 ..."; exit 1; }; \
$(PYTHON) -c 'import ensurepip, venv' 2>/dev/null || { echo "mailpipe needs Python's venv module: apt-get install python3-venv"; exit 1; }; \
echo "setting up $(1) from $(2) (once; about half a minute)"; \
rm -rf $(1); $(PYTHON) -m venv $(1); \
$(1)/bin/python -m pip install --quiet --disable-pip-version-check --require-hashes -r $(2) 2>$(1)/pip.log \
  || { cat $(1)/pip.log; echo "pip could not install $(2): see above; is PyPI reachable?"; exit 1; }; \
echo "$(CURDIR)" > "$$($(1)/bin/python -c 'import sysconfig; print(sysconfig.get_path("purelib"))')/mailpipe-checkout.pth"; \
touch $(1)/.ready
endef
