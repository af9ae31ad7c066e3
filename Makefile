# Every target brings what it needs: uv if there is none (into .uv), the locked packages (into .venv), Kafka (into the
# user's cache, when it is first used). A target's line after `##` is what `make` prints.

UV := $(or $(shell command -v uv),.uv/bin/uv)
RUN := $(UV) run --no-sync
SHIPPED := revocast revocast-issuer revocast-streams
PACKAGES := schemas issuer streams sdk cli testing dev

.DEFAULT_GOAL := help
.PHONY: help sync demo test test-long test-containers fuzz lint fmt bench bench-full bench-sync audit sbom docs clean

help:
	@awk -F ' *## *' '/^[a-z-]+:.*##/ { sub(":.*", "", $$1); printf "  make %-15s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

demo: sync ## start the whole system on a real Kafka and show what it does (ARGS=--once: then exit)
	$(RUN) python -m revocast.dev.demo $(ARGS)

test: sync ## run the tests on a real Kafka and print coverage (ARGS=... goes to pytest)
	$(RUN) coverage erase
	$(RUN) coverage run -m pytest -n 3 --dist loadfile $(ARGS)
	$(RUN) coverage combine --quiet
	$(RUN) coverage report

test-long: sync ## what takes long: fail-overs, restores, kill loops, cold starts, truncated logs, a simulated year (ARGS=... goes to pytest)
	$(RUN) pytest -n 3 --dist loadfile -m long $(ARGS)

test-containers: sync ## the same for images and Compose files, where a Docker engine answers (ARGS=... goes to pytest)
	@{ docker info && docker compose version; } >/dev/null 2>&1 || { echo >&2 "No Docker engine with Compose v2 answers:\
	start one, or name it in DOCKER_HOST. On Debian, as root: .ci/containers gets one and ends it."; exit 1; }
	$(RUN) pytest -m containers tests/containers tests/integration $(ARGS)

fuzz: sync ## fuzz what reads bytes from outside, FUZZ_SECONDS=60 a target (ARGS=... names targets); needs a wheel of atheris
	@$(UV) sync --quiet --locked --all-packages --all-extras --all-groups || { echo >&2 "atheris could not be installed:\
	there is no wheel of it for this Python or system."; exit 1; }
	FUZZ_SECONDS=$(FUZZ_SECONDS) $(RUN) python -m fuzz $(ARGS)

lint: sync ## check style, types, import rules, the locked packages, generated schemas and docs; change nothing
	$(UV) lock --check
	$(RUN) ruff check
	$(RUN) ruff format --check
	$(RUN) mypy $(PACKAGES:%=--package revocast.%)
	$(RUN) mypy tests benchmarks examples fuzz
	$(RUN) lint-imports --no-logo
	$(RUN) python -m revocast.dev.audit
	$(RUN) python -m revocast.dev.schemas --check
	$(RUN) python -m revocast.dev.docs --check
	$(RUN) python -m benchmarks.page --check

fmt: sync ## format, and fix what can be fixed
	$(RUN) ruff check --fix
	$(RUN) ruff format

bench: bench-sync ## measure everything beside its peers, in minutes, and write docs/benchmarks.md (ARGS=... names rows)
	$(RUN) python -m benchmarks $(ARGS)

bench-full: bench-sync ## the same, more often and at full size: an hour at most
	$(RUN) python -m benchmarks --full $(ARGS)

bench-sync: $(filter .uv/bin/uv,$(UV))
	@$(UV) sync --quiet --locked --all-packages --all-extras --all-groups --no-group fuzz

audit: sync ## ask the network whether a locked package is known to be vulnerable
	$(UV) audit --locked

sbom: sync ## write dist/sbom.cdx.json, the CycloneDX bill of materials of what is shipped, from the lock file
	@mkdir -p dist
	$(UV) export --quiet --locked $(SHIPPED:%=--package %) --all-extras --no-dev --format cyclonedx1.5 --output-file dist/sbom.cdx.json

docs: sync ## write the generated documents and schemas anew, and check every link in the docs
	$(RUN) python -m revocast.dev.schemas
	$(RUN) python -m benchmarks.page
	$(RUN) python -m revocast.dev.docs

clean: ## remove what make put here: .venv, .uv and caches (Kafka's jars stay in the user's cache)
	rm -rf .venv .uv .fuzz .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache .coverage .coverage.* dist
	find . -name __pycache__ -type d -prune -exec rm -rf {} +

sync: $(filter .uv/bin/uv,$(UV))
	@$(UV) sync --quiet --locked --all-packages --all-extras --all-groups --no-group fuzz --no-group bench

# A venv where Python can make one, else a plain folder: Debian ships Python without ensurepip.
.uv/bin/uv:
	@echo "No uv found: installing it into .uv"
	@{ python3 -m venv .uv && .uv/bin/python -m pip install --quiet uv; } 2>/dev/null \
		|| python3 -m pip install --quiet --target .uv uv
