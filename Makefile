# make repro: the whole study from nothing.   make test: lint, types, import contract and tests, from nothing.
# make bench: shoal beside its peers (slow).   make bench-quick: two minutes of it.   make fcnet: see bench/fcnet.py.
# make accuracy: its predictions beside scikit-learn's.   make soak MINUTES=10: random networks, configurations, kills.
# make audit: known weaknesses of the pinned packages, by pip-audit, which asks the network.
PYTHON ?= python3
VENV := .venv
export PATH := $(CURDIR)/$(VENV)/bin:$(PATH)
export MLFLOW_DISABLE_TELEMETRY := true
# Sources are compiled once, whatever the shell asks for: by each process of the tests it takes a minute in all.
unexport PYTHONDONTWRITEBYTECODE

.PHONY: repro test kernels lint fuzz bench bench-quick fcnet accuracy lock readme clean coverage-check bench-tracking
.PHONY: coverage kills fuzz-tables soak audit

repro: $(VENV)/installed
	shoal check
	dvc repro
	shoal track --if-elsewhere

# Kernels are compiled beside the lint, whose longest part has one process. Then two processes, a file of tests each at a
# time, in the order of conftest.py; NumPy's threads would only wait there.
test: $(VENV)/installed
	$(MAKE) --jobs=2 lint kernels
	OPENBLAS_NUM_THREADS=1 pytest -n 2 --dist loadfile --no-loadscope-reorder

kernels: $(VENV)/installed
	python -m tests.every_kernel

lint: $(VENV)/installed
	ruff check .
	ruff format --check .
	mypy
	lint-imports

# Versions and files are pinned by the lock file; the build backend is one of them, so nothing else is resolved. pip would
# compile all that it installs, which takes a minute; Python compiles what is imported, less than half, when it first is.
$(VENV)/installed: requirements.lock pyproject.toml
	$(PYTHON) -m venv $(VENV)
	$(VENV)/bin/python -m pip install --quiet --no-compile --require-hashes --requirement requirements.lock
	$(VENV)/bin/python -m pip install --quiet --no-deps --no-build-isolation --editable .
	touch $@

# Everything that docs/benchmarks.md shows, measured and written there; or a part of it, printed, in two minutes.
bench: $(VENV)/bench
	python -m bench

bench-quick: $(VENV)/bench
	python -m bench --quick

# A published table of 6,912 networks, trained anew: a quarter of an hour. bench/fcnet.py says what the two files are.
fcnet: $(VENV)/bench
	python -m bench.fcnet $(DATA) $(TABLE)

# Predictions of the study that `shoal init` writes beside scikit-learn's, written to docs/accuracy.md: some minutes for
# each split of a table; `python -m bench.accuracy --first 4 ...` goes on after the fourth. TABLES are files whose last
# column is the target, or diabetes, breast_cancer or digits.
TABLES ?= diabetes breast_cancer digits
SPLITS ?= 10
accuracy: $(VENV)/bench
	python -m bench.accuracy --splits $(SPLITS) $(TABLES)

# The versions alone: with hashes pip would ask for those of the peers too, and of shoal itself.
$(VENV)/versions.txt: requirements.lock $(VENV)/installed
	sed -n 's/^\([^ #]*==[^ ;]*\).*/\1/p' requirements.lock > $@

$(VENV)/bench: $(VENV)/versions.txt
	python -m pip install --quiet --constraint $(VENV)/versions.txt --no-build-isolation --editable .[bench]
	touch $@

# The tests whose examples are drawn, with others than the suite has: a new draw each time, printed where it fails.
fuzz: $(VENV)/installed
	HYPOTHESIS_PROFILE=fuzz pytest

# Sweeps killed at N moments, dvc with its stage at 0.4 N, long networks at 0.3 N, Ctrl-C in every command, and what comes
# out after the next run; some minutes. SEED=... has the moments of a run again; `python -m tests.kills dvc` is a part.
kills: $(VENV)/installed
	N=$(or $(N),50) python -m tests.kills

# Damaged tables through `shoal init`, check and the data stage: some minutes; N= and SEED= for others.
fuzz-tables: $(VENV)/installed
	N=$(or $(N),500) SEED=$(SEED) python -W ignore -m tests.fuzz_tables

# Random rounds against the oracle, each with its seed: `python -m tests.soak 0 SEED` repeats one.
MINUTES ?= 10
soak: $(VENV)/installed
	python -m tests.soak $(MINUTES) $(SEED)

# In an environment of its own, as the lock file does not have pip-audit.
audit:
	$(PYTHON) -m venv $(VENV)-audit
	$(VENV)-audit/bin/python -m pip install --quiet pip-audit
	$(VENV)-audit/bin/pip-audit --no-deps --disable-pip --requirement requirements.lock

# How often the intervals hold the truth, in a long simulation (some minutes; the tests have a short one).
coverage-check: $(VENV)/installed
	python -m tests.coverage

# How often prediction intervals hold new values, over 500 tables with choice and early stopping; some minutes.
coverage: $(VENV)/installed
	python -m tests.interval_coverage

# Renew the pinned versions from pyproject.toml, with the hashes of all files of each: a quarter of an hour where the index
# does not tell them.
lock: $(VENV)/installed
	python -m pip install --quiet pip-tools
	pip-compile --quiet --upgrade --generate-hashes --allow-unsafe --extra dev --strip-extras --no-annotate --no-header \
	    --no-emit-index-url --no-emit-trusted-host --no-emit-find-links --output-file requirements.lock pyproject.toml

# Put the table that the report stage measured into the README.
readme: $(VENV)/installed
	python -m shoal.pipeline.terminal.readme

# What tracking costs, beside MLflow's fluent API; a minute.
bench-tracking: $(VENV)/installed
	python -m bench.tracking

clean:
	rm -rf $(VENV) $(VENV)-audit
