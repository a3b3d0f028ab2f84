# Each target is a line or two over ordinary commands, which the README gives, too.

PYTHON ?= python3
BASE ?= main
INSTALLED = .venv/installed
export PATH := $(CURDIR)/.venv/bin:$(PATH)

.PHONY: help install demo repro new try search study cards share repair test torture audit verify verify-all emulate review comment lint format bench bench-pytorch pictures lock clean

help: ## what each target does
	@awk -F ':.*## ' '/^[a-z-]+:.*## / {printf "make %-13s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

install: $(INSTALLED) ## what the other targets do first: the locked packages, in .venv

demo: $(INSTALLED) ## the whole pipeline on the small data set: no data to download, under a minute
	python -m verify.repair --quick
	dvc repro evaluate@digits
	dvc metrics show metrics/digits.json
	dvc plots show plots/confusion/digits.csv plots/history/digits.csv

repro: $(INSTALLED) ## the whole pipeline: what changed, and nothing else; JOBS=2 runs two data sets at a time
	python -m verify.repair --quick
	$(if $(JOBS),-dvc stage list --name-only | grep ^evaluate@ | xargs -P "$(JOBS)" -n 1 dvc repro)
	dvc repro

new: $(INSTALLED) ## a data set of your own: NAME=letters FROM=folder, address or .npz file; writes params.yaml
	@$(if $(and $(NAME),$(FROM)),,$(error expected make new NAME=letters FROM=folder, address or .npz file))
	python -m add "$(NAME)" "$(FROM)"

try: $(INSTALLED) ## a network that params.yaml has under a name: DATASET=digits CONFIGURATION=best
	@$(if $(and $(DATASET),$(CONFIGURATION)),,$(error expected make try DATASET=digits CONFIGURATION=best))
	python -m search.configuration "$(DATASET)" "$(CONFIGURATION)"

search: $(INSTALLED) ## better hyperparameters for DATASET=digits, from TRIALS=50 of the space in params.yaml
	@$(if $(DATASET),,$(error expected make search DATASET=digits, or another key of datasets in params.yaml))
	python -m search "$(DATASET)" --trials $(or $(TRIALS),50)

study: $(INSTALLED) ## docs/accuracy.md: each configuration, trained with five seeds; five hours, goes on after a stop
	python -m study

cards: $(INSTALLED) ## a model card of each network, in cards/
	python -m predict.card

share: $(INSTALLED) ## data and models to REMOTE=folder, s3://bucket/project or ssh://host/folder, for dvc pull
	@$(if $(REMOTE),,$(error expected make share REMOTE=folder, s3://bucket/project or ssh://host/folder))
	dvc remote modify storage url "$(REMOTE)" 2> /dev/null || dvc remote add --default storage "$(REMOTE)"
	dvc push

repair: $(INSTALLED) ## after a broken disk: remove what is no longer what it was, for make repro to make again
	python -m verify.repair

test: $(INSTALLED) ## the test suite
	python -m pytest

verify: $(INSTALLED) ## whether the committed results of the small data set come out again, to the bit
	python -m verify digits

verify-all: $(INSTALLED) ## whether those of every data set do; needs the raw files
	python -m verify

emulate: $(INSTALLED) ## whether other processors give the same bits, as qemu-user emulates them; takes an hour
	python -m verify.operations
	python -m verify.processors digits
	python -m verify.processors mnist --images 1024
	python -m verify.processors fashion_mnist --images 1024

torture: $(INSTALLED) ## kills, full disks, rot, bad mirrors and bad input, many of each; 18 minutes
	python -m pytest tests/faults --torture

audit: $(INSTALLED) ## whether a package of the lock file is known to be vulnerable; asks a database
	python -m verify.audit

review: $(INSTALLED) ## what changed since BASE=main, as review/report.html; SEEDS=5 trains both with 5 seeds
	python -m compare "$(BASE)" $(if $(SEEDS),--seeds $(SEEDS))

comment: ## post review/report.md on its pull request, in a GitHub workflow
	$(PYTHON) -m compare.comment

lint: $(INSTALLED) ## style and types
	ruff check
	ruff format --check
	mypy

format: $(INSTALLED) ## mend the style
	ruff check --fix
	ruff format

bench: $(INSTALLED) ## benchmarks/results.md: speed and memory, beside the machine's and other programs'; 25 minutes
	dvc repro
	python -m benchmarks --reach mnist=0.98 --reach fashion_mnist=0.89

bench-pytorch: $(INSTALLED) ## what `make bench` needs to compare with PyTorch, too: 5 GB
	python -m pip install --quiet --disable-pip-version-check --require-hashes -r benchmarks/pytorch.lock

pictures: $(INSTALLED) ## the README's pictures and its example of a review
	python -m docs.pictures fashion_mnist
	docs/example.sh fashion_mnist network.dropout 0.1

lock: ## renew requirements.lock from pyproject.toml, and what follows from it; needs uv
	uv pip compile pyproject.toml --group dev --universal --fork-strategy fewest --python-version 3.11 \
		--generate-hashes --no-annotate --no-header --upgrade --quiet --output-file requirements.lock
	uv pip compile --group pyproject.toml:pytorch --universal --fork-strategy fewest --python-version 3.11 \
		--generate-hashes --no-annotate --no-header --upgrade --quiet --constraint requirements.lock \
		--output-file benchmarks/pytorch.lock
	awk -F '==|: | ' 'NR == FNR { version[$$1] = $$2; next } /^#/ { print; next } { print $$1 ": \047" version[$$1] "\047" }' \
		requirements.lock versions.yaml > versions.new
	mv versions.new versions.yaml

clean: ## remove the environment; data, models and DVC's cache stay
	rm -rf .venv dvc_plots review

$(INSTALLED): requirements.lock
	@$(PYTHON) -c 'import sys; v = sys.version_info; sys.exit(not (3, 11) <= v < (3, 14) and \
		f"error: expected Python 3.11 to 3.13, found {v[0]}.{v[1]}; name another: make PYTHON=python3.12")'
	$(PYTHON) -m venv --clear .venv
	@echo "Installing TensorFlow, DVC and the rest into .venv: 2 GB, a few minutes"
	.venv/bin/python -m pip install --quiet --disable-pip-version-check --require-hashes --no-compile -r requirements.lock
	-.venv/bin/python -m compileall -q -j 0 -x '/tests?/' .venv/lib # on all processors, as pip does not
	.venv/bin/python -m compare.offline
	@touch $(INSTALLED)
