# Every target does its own set-up and needs nothing before it. `make serve PORT=18080` takes another port.
PORT ?= 8080
BIN := .venv/bin
export TIDEGAUGE_PORT := $(PORT)

SCRIPTS := apache/serve apache/install apache/host.sh apache/packages.sh apache/httpd-foreground apache/reload tests/setup .ci/run
PYTEST := env -u TIDEGAUGE_PORT $(BIN)/pytest -q -rs -n 2 --dist loadgroup --no-loadscope-reorder

.PHONY: serve stop reload install develop contenders lint check test bench torture soak docs screenshots lock

serve: ## the product without Docker: a real Apache on this host
	@apache/serve start

stop:
	@apache/serve stop

reload: ## take changed code, dashboards and packages, without a failed request
	@apache/serve reload

install: ## code, packages and the systemd unit, without starting: for tidegauge@$(PORT) and for an Apache you have
	@apache/install unit

develop: ## what the tests need, in .venv
	@tests/setup

contenders: ## that, and what `make bench` measures beside Tidegauge
	@tests/setup contenders

lint:
	$(BIN)/ruff format --check --quiet .
	$(BIN)/ruff check --quiet .
	$(BIN)/mypy
	$(BIN)/lint-imports --no-cache >/dev/null
	$(BIN)/codespell
	$(BIN)/hadolint Dockerfile cluster/nats.Dockerfile
	$(BIN)/shellcheck -x $(SCRIPTS)

check: develop lint ## lint, types, contracts, unit and http tests, in two minutes
	@$(PYTEST) --hypothesis-profile=quick tests/unit tests/http

test: develop lint docs ## every check and every test that can run here; pytest's closing line is the last
	@$(PYTEST)

bench: contenders ## the measured comparisons, over an hour; writes bench/results.json, and the README's table and chart
	@env -u TIDEGAUGE_PORT PYTHONPATH=tests $(BIN)/python -m bench

torture: develop ## attacks, kills and faults in their long form, an hour and a half; writes docs/torture.json and SECURITY.md's table
	@env -u TIDEGAUGE_PORT PYTHONPATH=.:tests $(BIN)/python -m torture

soak: develop ## two hours of everything at once
	@env -u TIDEGAUGE_PORT PYTHONPATH=.:tests $(BIN)/python -m torture soak

docs: develop ## the manual, in docs/_build
	@$(BIN)/sphinx-build --quiet --fail-on-warning --keep-going docs docs/_build

screenshots: develop ## the README's pictures, anew
	@env -u TIDEGAUGE_PORT PYTHONPATH=.:tests $(BIN)/python docs/screenshots.py

lock: develop ## pin every package anew, with its hash
	$(BIN)/pip install --quiet uv
	$(BIN)/uv pip compile --quiet --universal --python-version 3.11 --generate-hashes --no-annotate --no-header --group build -o requirements/build.txt
	$(BIN)/uv pip compile --quiet --universal --python-version 3.13 --generate-hashes --no-annotate --no-header --group sbom -o requirements/sbom.txt
	$(BIN)/uv pip compile --quiet --universal --python-version 3.11 --generate-hashes --no-annotate --no-header pyproject.toml --all-extras -o requirements/serve.txt
	$(BIN)/uv pip compile --quiet --universal --python-version 3.11 --generate-hashes --no-annotate --no-header pyproject.toml --all-extras --group dev -o requirements/dev.txt
