# Each target is a line or two over ordinary commands.

PYTHON ?= python3
BASE ?= main
INSTALLED = .venv/installed
CHECKER := $(dir $(lastword $(MAKEFILE_LIST)))tools/common/environment.py
ADD = python -m pip install --quiet --disable-pip-version-check --require-hashes -r
# The value of a variable as the user gave it, for the shell: $ and quotes in it mean nothing.
quote = '$(subst ','\'',$(value $(1)))'
# The same of each word in a variable, behind an option.
quote_each = $(foreach word,$(value $(2)),$(1) '$(subst ','\'',$(word))')
# The data set with the smallest raw files: digits, in the project as it is shipped. It is looked up once, when needed.
SMALLEST = $(eval SMALLEST := $(or $(shell PATH="$(PATH)" python -m tools.common.smallest),$(error \
	expected the name of a data set from params.yaml, found none)))$(SMALLEST)
export PATH := $(CURDIR)/.venv/bin:$(PATH)

.PHONY: help demo repro explore review merge test lint verify new refresh remove try search experiments study share bench
.PHONY: ready install repair audit coverage mutants torture emulate pictures comment lock

help:
	@awk -F ':.*## ' '/^[a-z-]+:.*## / {printf "make %-7s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

demo: ready ## the whole pipeline on the smallest data set; as shipped, nothing to download, and under a minute
	python -m tools.repair --quick
	dvc repro evaluate@$(SMALLEST)
	dvc metrics show metrics/$(SMALLEST).json
	dvc plots show plots/confusion/$(SMALLEST).csv plots/history/$(SMALLEST).csv
	@echo "To look at the mistakes, and to try the network: make explore DATASET=$(SMALLEST)"

repro: ready ## the whole pipeline: what changed, and nothing else; JOBS=2 runs two data sets at a time
	python -m tools.repair --quick
	$(if $(JOBS),-dvc stage list --name-only | grep ^evaluate@ | xargs -P "$(JOBS)" -n 1 sh -c 'dvc repro "$$0" || exit 1')
	dvc repro
	@rm -f models/.*.checkpoint.npz # of trainings that were given up

# BASE has a default for make review alone.
explore: ready ## mistakes of DATASET=digits to look at, and the network to try, as explore/digits.html; BASE=main
	@$(if $(DATASET),,$(error expected make explore DATASET=digits))
	python -m tools.explore $(call quote,DATASET) $(if $(filter file,$(origin BASE)),,--base $(call quote,BASE))

# With CODE=../base, the code of the review is that of another checkout, so that a change does not judge itself.
# NATIVE=1 lets the trainings use all of the machine, with other bits; so does NATIVE=1 make search.
# REMOVED=NAME accepts that a data set is gone, NEW_IMAGES=NAME that it has other images, or other names of classes.
# Several names stand in quotes: REMOVED="letters pets".
review: ready ## what changed since BASE=main, as review/report.html; SEEDS=3, SPLIT=test, REMOVED=NAME, NEW_IMAGES=NAME
	@$(if $(CODE),PYTHONPATH="$(abspath $(CODE))" python -P,python) -m tools.review $(call quote,BASE) \
		$(call quote_each,,LATER) $(if $(SEEDS),--seeds $(call quote,SEEDS)) $(if $(SPLIT),--split $(call quote,SPLIT)) \
		$(if $(NATIVE),--native) $(call quote_each,--removed,REMOVED) $(call quote_each,--new-images,NEW_IMAGES)

merge: ready ## after git merge, rebase or cherry-pick: settle dvc.lock and results, and run what must be
	python -m tools.merge

test: ready ## the test suite; ALL=1 with the slowest tests, as CI runs it
	python -m pytest $(if $(ALL),,-m "not slow")

lint: ready ## style and types; FIX=1 mends the style
	ruff check $(if $(FIX),--fix)
	ruff format $(if $(FIX),,--check)
	mypy

verify: ready ## whether the results of the smallest data set at HEAD come out again, to the bit; ALL=1 of every one
	python -m tools.verify $(if $(ALL),,--smallest)

new: ready ## a data set of your own: NAME=letters FROM=folder, .zip, address or .npz file
	@$(if $(and $(NAME),$(FROM)),,$(error expected make new NAME=letters FROM=folder, .zip, address or .npz file))
	@python -m tools.new $(call quote,NAME) $(call quote,FROM) $(if $(GROUPS),--groups $(call quote,GROUPS))

refresh: ready ## NAME=letters as its source is now: after other pictures, or another height in params.yaml
	@$(if $(NAME),,$(error expected make refresh NAME=letters))
	python -m tools.new.refresh $(call quote,NAME)

remove: ready ## take NAME=letters out, with its results; TO=characters renames it instead
	@$(if $(NAME),,$(error expected make remove NAME=letters))
	python -m tools.new.remove $(call quote,NAME) $(if $(filter undefined,$(origin TO)),,--rename-to $(call quote,TO))

try: ready ## a network that tools.yaml has under a name: DATASET=mnist CONFIGURATION=best
	@$(if $(and $(DATASET),$(CONFIGURATION)),,$(error expected make try DATASET=mnist CONFIGURATION=best))
	python -m tools.search.configuration "$(DATASET)" "$(CONFIGURATION)"

search: ready ## better hyperparameters for DATASET=digits, from TRIALS=50 of the space in tools.yaml
	@$(if $(DATASET),,$(error expected make search DATASET=digits, or another key of datasets in params.yaml))
	python -m tools.search "$(DATASET)" --trials $(or $(TRIALS),50) $(if $(NATIVE),--native)

experiments: ready ## the experiments of DATASET=digits, the best on the validation images first
	@$(if $(DATASET),,$(error expected make experiments DATASET=digits, or another key of datasets in params.yaml))
	@python -m tools.search.experiments "$(DATASET)"

study: ready ## docs/accuracy.md: several seeds of each network; four hours, goes on after a stop; DASK_SCHEDULER=
	python -m tools.study

share: ready ## data and models to REMOTE=folder, s3://bucket/project or ssh://host/folder, for dvc pull
	@$(if $(REMOTE),,$(error expected make share REMOTE=folder, s3://bucket/project or ssh://host/folder))
	@python -m tools.share $(call quote,REMOTE)

REACH ?= mnist:quick=0.985 fashion_mnist:quick=0.9
bench: ready ## docs/benchmarks.md: speed and memory, beside other programs'; REACH=NAME=0.9; PYTORCH=1 installs it: 5 GB
	$(if $(PYTORCH),$(ADD) tools/benchmarks/pytorch.lock)
	dvc repro
	python -m tools.benchmarks $(call quote_each,--reach,REACH)

# Seldom wanted, or done by the targets above.

# What the other targets do first: the locked packages, in .venv, and whether they are still there. (Without .venv, the
# environment is another one, of a developer who has said -o .venv/installed.)
CHECK = test ! -e $(INSTALLED) || { .venv/bin/python -c "" 2> /dev/null || { echo "error: .venv: expected a Python that" \
	"starts, found none; mend it: make install" >&2; exit 2; } && .venv/bin/python "$(CHECKER)"; }
ready: $(INSTALLED)
	@$(CHECK)
# With CUDA=1, TensorFlow with kernels for graphics cards takes the place of tensorflow-cpu; 5 GB.
install: $(INSTALLED)
	@$(CHECK) || { rm $(INSTALLED) && $(MAKE) --no-print-directory $(INSTALLED); }
ifdef CUDA
	@test "$$(uname -sm)" = "Linux x86_64" || { echo "error: CUDA: expected Linux on x86-64, for which TensorFlow has" \
		"kernels for graphics cards, found $$(uname -sm); leave CUDA=1 out" >&2; exit 2; }
	python -m pip uninstall --quiet --yes tensorflow-cpu
	$(ADD) requirements-cuda.lock
endif

# After a broken disk: remove files with other checksums than they had, for make repro to make again.
repair: ready
	python -m tools.repair

# Whether a package of the lock file is known to be vulnerable; asks a database.
audit: ready
	python -m tools.verify.audit

# How good the tests are, docs/tests.md: the lines and branches of stages/ that no test runs, and the small faults
# that no test notices; a quarter of an hour each.
coverage: ready
	$(ADD) tests/quality.lock
	coverage erase
	coverage run -m pytest
	coverage combine --quiet
	coverage report
mutants: ready
	$(ADD) tests/quality.lock
	mutmut run
	mutmut results

# Kills, full disks, rot, bad mirrors and bad input, many of each; ten minutes.
torture: ready
	python -m pytest tests/faults --torture

# Whether other processors give the same bits, as qemu-user emulates them; takes an hour.
emulate: ready
	python -m tools.verify.operations
	python -m tools.verify.processors digits
	python -m tools.verify.processors mnist --images 1024
	python -m tools.verify.processors fashion_mnist --images 1024
	python -m tools.verify.processors mnist --images 1024 --configuration convolutional
	python -m tools.verify.processors fashion_mnist --images 1024 --configuration convolutional

# The README's pictures and its example of a review.
pictures: ready
	python -m tools.plots.pictures fashion_mnist
	python -m tools.explore fashion_mnist
	chromium --headless --no-sandbox --disable-gpu --hide-scrollbars --virtual-time-budget=5000 --window-size=1300,760 \
		--screenshot=docs/explore.png "file://$(CURDIR)/explore/fashion_mnist.html"
	docs/example.sh fashion_mnist network.batch_normalization false

# Post review/report.md on its pull request, in a GitHub workflow.
comment:
	$(PYTHON) -m tools.review.comment

# Renew requirements.lock from pyproject.toml, and what follows from it; needs uv.
COMPILE := uv pip compile --universal --fork-strategy fewest --python-version 3.11 --generate-hashes --no-annotate \
	--no-header --upgrade --quiet
lock:
	$(COMPILE) pyproject.toml --group dev --output-file requirements.lock
	$(COMPILE) --group pyproject.toml:cuda --constraint requirements.lock --output-file requirements-cuda.lock
	$(COMPILE) --group pyproject.toml:pytorch --constraint requirements.lock --output-file tools/benchmarks/pytorch.lock
	$(COMPILE) --group pyproject.toml:quality --constraint requirements.lock --output-file tests/quality.lock
	awk -F '==|: | ' 'NR == FNR { version[$$1] = $$2; next } /^#/ { print; next } { print $$1 ": \047" version[$$1] "\047" }' \
		requirements.lock versions.yaml > versions.new
	mv versions.new versions.yaml

$(INSTALLED): requirements.lock
	@$(PYTHON) -c 'import sys; v = sys.version_info; sys.exit(not (3, 11) <= v < (3, 14) and \
		f"error: expected Python 3.11 to 3.13, found {v[0]}.{v[1]}; name another: make PYTHON=python3.12")'
	@! test -L .venv || { echo "error: .venv: expected a folder of this project alone, found a link to another" \
		"environment, which would be emptied; remove the link" >&2; exit 2; }
	$(PYTHON) -m venv --clear .venv
	@echo "Installing TensorFlow, DVC and the rest into .venv: 2 GB, a few minutes"
	.venv/bin/python -m pip install --quiet --disable-pip-version-check --require-hashes --no-compile -r requirements.lock
	-.venv/bin/python -m compileall -q -j 0 -x '/tests?/' .venv/lib # on all processors, as pip does not
	.venv/bin/python -m tools.plots.page
	@touch $(INSTALLED)
