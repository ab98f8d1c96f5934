# What can be done here. Each verb does all its own set-up: the tools go into .venv, as pinned in requirements.txt.
# There must be: Rust (rustup reads rust-toolchain.toml), Python 3.10 or later with venv, make, a C compiler.

SHELL := bash
.SHELLFLAGS := -euo pipefail -c
MAKEFLAGS += --no-print-directory
.DEFAULT_GOAL := help

PYTHON ?= python3
VENV := .venv
READY := $(VENV)/ready
TARGET ?= $(if $(CARGO_TARGET_DIR),$(CARGO_TARGET_DIR),target)
FLOWS := $(notdir $(wildcard functions/*))

export PATH := $(CURDIR)/$(VENV)/bin:$(PATH)
export SAM_CLI_TELEMETRY := 0
# Saves some 50 ms of each cold start.
export AWS_LC_SYS_NO_JITTER_ENTROPY := 1
LOCAL := PYTHONPATH=tools $(VENV)/bin/python -m local

.PHONY: help
help: ## list these verbs
	@grep -hE '^[a-z-]+:.*##' $(MAKEFILE_LIST) | awk -F ':.*## ' '{ printf "  make %-12s %s\n", $$1, $$2 }'

.PHONY: demo
demo: build ## run the flows on real files and messages, good and bad, and print what became of them
	@$(LOCAL) demo

.PHONY: test
test: lint ## everything that holds the rules: format, lints, template, unit, contract, simulation, end to end
	@printf '\nInstalled in this folder: $(VENV)/ (tools, as pinned), $(TARGET)/ and dist/ (builds), .local/ (state and logs).\n'
	@printf '\n== unit and contract tests\n'
	cargo test --workspace --exclude it --exclude simulation
	@printf '\n== simulation: ten thousand schedules, and the faults that they met\n'
	@# Of the whole workspace: alone it would have other features, and AWS's clients would be compiled again.
	cargo test --workspace --test schedules --test outage -- --nocapture
	@printf '\n== structure, template and examples\n'
	cargo test --workspace --test rules
	@$(MAKE) build
	@printf '\n== end-to-end tests\n'
	$(LOCAL) during env RUST_TEST_THREADS=16 cargo test --workspace --test platform

.PHONY: up
up: build ## start the local platform and keep it; DACS_URL=, DERMS_URL= for other neighbours, PARAMETERS="DacsRelease=25.10"
	@$(LOCAL) up --dacs-url '$(DACS_URL)' --derms-url '$(DERMS_URL)' --dacs-secret '$(DACS_SECRET)' --derms-secret '$(DERMS_SECRET)' $(PARAMETERS)

.PHONY: down
down: $(READY) ## stop the local platform and everything it started
	@$(LOCAL) down

.PHONY: invoke
invoke: $(READY) ## run one function under `cargo lambda watch` with its trigger; FLOW=dacs-derms-device-score
	@$(LOCAL) invoke '$(FLOW)'

.PHONY: drop
drop: $(READY) ## put a file into the outbox where a flow takes it; FLOW=dacs-derms-device-score FILE=scores.csv
	@$(LOCAL) drop '$(FLOW)' '$(FILE)'

.PHONY: look
look: $(READY) ## list the files dropped, delivered and rejected; AT=s3://bucket/key prints one
	@$(LOCAL) look '$(AT)'

.PHONY: token
token: $(READY) ## print an access token for the local API; SENDER=dacs, derms or operator
	@$(LOCAL) token '$(SENDER)'

.PHONY: env
env: $(READY) ## print the environment in which AWS tools talk to the local platform; FLOW= for a function's own
	@$(LOCAL) env $(if $(FLOW),--flow '$(FLOW)')

# Of one stack: the local platform's, or STACK= in the account of your AWS credentials.
OPERATOR = $(if $(STACK),,eval "$$($(LOCAL) env)";) STACK=$(or $(STACK),local) FLOWS='$(FLOW)' cargo run --quiet -p operator --

.PHONY: open
open: $(READY) ## list all that waits for a person or an answer, runs and messages; FLOW= of one flow, STACK= of an AWS account
	@$(OPERATOR) open

.PHONY: runs
runs: $(READY) ## list the latest file runs, with their books; FLOW= of one flow, STACK= of an AWS account
	@$(OPERATOR) runs

.PHONY: run
run: $(READY) ## show one file run; ID= as `make runs` and notices name it
	@$(OPERATOR) run '$(ID)'

.PHONY: release discard replay drop-answers
release: $(READY) ## deliver a held run without its rejected rows; ID=
	@$(OPERATOR) release '$(ID)'

discard: $(READY) ## do not deliver a held run, or leave one that was given up at that; ID=
	@$(OPERATOR) discard '$(ID)'

replay: $(READY) ## send what a run that was given up has not delivered; ID=
	@$(OPERATOR) replay '$(ID)'

drop-answers: $(READY) ## leave a delivered file whose acknowledgements do not come at that; ID=
	@$(OPERATOR) drop-answers '$(ID)'

.PHONY: messages message resend drop-message
messages: $(READY) ## list the messages that were refused, have failed, or wait for their answer; FLOW=, STACK=
	@$(OPERATOR) messages

message: $(READY) ## show one message, but its body; ID= as `make messages` and notices name it
	@$(OPERATOR) message '$(ID)'

resend: $(READY) ## send a message again that did not end well, or is not answered; ID=, FORCE=1 over a newer one of its order
	@$(OPERATOR) resend $(if $(FORCE),--force) '$(ID)'

drop-message: $(READY) ## leave a message that did not end well, or is not answered, at that; ID=
	@$(OPERATOR) drop-message '$(ID)'

.PHONY: supply-predecessor
supply-predecessor: $(READY) ## ask for the status that a stage's next one waits for; ID=<event>/<stage>
	@$(OPERATOR) supply-predecessor '$(ID)'

.PHONY: build
build: $(READY) ## build the flows and the sandbox for this machine, quick to compile
	@printf '== build\n'
	cargo build $(FLOWS:%=-p %) -p operator
	@# On its own: together they would share features, and building one flow alone would compile everything again.
	cargo build -p sandbox
	@for flow in $(FLOWS); do \
	    mkdir -p dist/$$flow; \
	    cp $(TARGET)/debug/$$flow dist/$$flow/bootstrap.new; \
	    strip --strip-debug dist/$$flow/bootstrap.new 2>/dev/null || true; \
	    mv dist/$$flow/bootstrap.new dist/$$flow/bootstrap; \
	done

.PHONY: deploy
deploy: $(READY) ## build for Lambda and deploy to an AWS account; ENV=prod names a section of infra/samconfig.toml
	@$(LOCAL) deploy --env '$(or $(ENV),prod)'

.PHONY: bench
bench: ## measure the shipped binaries against the bars of the architecture; BENCH="--only cold,files" or --quick
	cargo run --profile ship -p bench -- $(BENCH)

.PHONY: sim
sim: ## run the simulation: 10,000 fresh schedules; SEED= replays one with its story, FLOW= of one flow, HOURS= for longer
	@cargo run --quiet -p simulation -- $(if $(FLOW),--flow '$(FLOW)') $(if $(SEED),--seed '$(SEED)',$(if $(HOURS),--hours '$(HOURS)',--schedules 10000))

# SECONDS is a variable of bash too: only one that was given to make counts.
.PHONY: chaos
chaos: build ## the deployed platform under traffic while processes are killed, neighbours and S3 fail: do the books balance? SECONDS=120 SEED=
	@$(LOCAL) chaos $(if $(filter command line,$(origin SECONDS)),--seconds '$(SECONDS)') $(if $(SEED),--seed '$(SEED)')

.PHONY: lint
lint: $(READY) ## format, clippy and the template, without running anything
	@printf '== format\n'
	cargo fmt --all --check
	@printf '\n== clippy\n'
	cargo clippy --workspace --all-targets -- -D warnings
	@printf '\n== template\n'
	cfn-lint infra/template.yaml
	AWS_DEFAULT_REGION=us-east-1 sam validate --lint --template infra/template.yaml
	@printf '\n== schemas of messages\n'
	$(VENV)/bin/python tests/it/schemas.py

.PHONY: contract
contract: ## write docs/openapi.json and events/*/schema.json from what the doors read
	cargo run --quiet -p contract

# In an environment of its own: nothing else needs it.
.PHONY: api
api: build ## run schemathesis over the local API by docs/openapi.json, two minutes
	@test -x .venv-api/bin/st || { $(PYTHON) -m venv .venv-api && \
	    .venv-api/bin/python -m pip install --quiet --disable-pip-version-check schemathesis==4.32.5; }
	$(LOCAL) during tests/it/api.sh .venv-api/bin/st

.PHONY: fmt
fmt: ## format the code
	cargo fmt --all

$(READY): requirements.txt
	@$(PYTHON) -c 'import sys; sys.version_info >= (3, 10) or sys.exit("Python 3.10 or later is needed: make PYTHON=python3.12")'
	@printf '== tools into $(VENV), as pinned in requirements.txt: 0.6 GB, a minute or two\n' >&2
	@$(PYTHON) -m venv $(VENV)
	@$(VENV)/bin/python -m pip install --quiet --disable-pip-version-check --requirement requirements.txt
	@touch $(READY)
