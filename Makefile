# make lab        install into .venv and open the lessons in JupyterLab
# make test       install the test tools too, and run every test
# make notebooks  rebuild notebooks/*.ipynb from their text sources notebooks/*.py
# make mutate     break every entry of the table of derivatives: a test must notice each time
# make fuzz       20,000 random programs on both engines; the smallest ones that differ are shown
# make colab, oldest, newest, torchless   the tests with other versions, see tools/profiles.py
# make torch TORCH=2.6.0 (or newest)   the twin cells with another PyTorch, which it downloads
# make flake      every test but the notebooks three times, in random order
# make bare       every test without a network, the home folder read-only, and in odd places (Linux)
# make dist TAG=v1.2.3   build sdist and wheel into dist/, and try the wheel by itself
# make bench      speed and memory beside PyTorch, HIPS autograd, MyGrad and micrograd
# make lint       ruff and codespell
# make site       write the course as a site to build/site, to be read without a network
# make differences  rewrite docs/differences.md from the tests
# make badges REPO=owner/name  let badges and install lines point to a fork
#
# PYTHON       the interpreter .venv is made with (3.11 or newer)
# TORCH_INDEX  an index with CPU builds of PyTorch, to spare Linux the CUDA download (see README.md)
# TORCH        for make torch: a release of PyTorch, or newest
# TAG          for make dist: the tag of the release, which must be the version
# PROGRAMS     for make fuzz: how many (SEED: the first seed, to see a difference again)
# TESTS        for make flake and make bare: paths, instead of every test
# LAB_ARGS     arguments for JupyterLab, such as --no-browser
# REPO         a fork on GitHub, as owner/name

PYTHON ?= python3
TORCH_INDEX ?=
TORCH ?=
TAG ?=
PROGRAMS ?= 20000
SEED ?=
TESTS ?=
LAB_ARGS ?=
REPO ?=
VENV := .venv
PY := $(VENV)/bin/python
# Dozens of kernels and servers are started: compiled modules load in half the time.
export PYTHONDONTWRITEBYTECODE :=
# --constraint: the whole set of versions is fixed, whatever is newest today.
INSTALL = $(PY) -m pip install --constraint constraints.txt \
	$(if $(TORCH_INDEX),--extra-index-url "$(TORCH_INDEX)")

.PHONY: lab test notebooks mutate fuzz differences badges bench lint site clean \
	colab oldest newest torchless torch flake bare dist

lab: $(VENV)/lab-installed $(VENV)/trusted
	$(PY) -m jupyterlab --ServerApp.root_dir=notebooks \
		--LabApp.default_url=/lab/tree/00_start_here.ipynb $(LAB_ARGS)

# Four keep two cores busy while browsers are waited for. The order is that of tests/conftest.py.
test: lint
	$(PY) -m pytest -n 4 --dist loadfile --no-loadscope-reorder

notebooks: $(VENV)/test-installed
	$(PY) tools/notebooks.py notebooks/*.py

mutate: $(VENV)/test-installed
	$(PY) tools/mutate.py

fuzz: $(VENV)/test-installed
	$(PY) tests/fuzz --programs $(PROGRAMS) $(if $(SEED),--seed $(SEED))

differences: $(VENV)/test-installed
	$(PY) tools/differences.py

# pip reads the index from its environment, in whichever environment it runs.
colab oldest newest torchless torch: \
	export PIP_EXTRA_INDEX_URL := $(or $(TORCH_INDEX),$(PIP_EXTRA_INDEX_URL))
colab oldest newest torchless:
	$(PYTHON) tools/profiles.py $@

torch:
	$(PYTHON) tools/profiles.py torch --torch "$(TORCH)"

# The cells of a notebook have an order, and what a file of tests does on one page of the browser;
# all else must not. Each round prints its seed.
flake: $(VENV)/test-installed
	for round in 1 2 3; do \
		$(PY) -m pytest -n 4 --dist loadfile --no-loadscope-reorder --random-order \
			$(or $(TESTS),tests autogradlab) || exit 1; \
	done

bare: $(VENV)/test-installed
	$(PY) tools/bare.py $(TESTS)

dist: $(VENV)/test-installed
	$(PY) tools/dist.py --tag "$(TAG)"

badges:
	$(PYTHON) tools/badges.py $(REPO)

bench: $(VENV)/bench-installed
	$(PY) -m benchmarks

lint: $(VENV)/test-installed
	$(PY) -m ruff check .
	$(PY) -m codespell_lib

site: $(VENV)/site-installed
	$(PY) -m sphinx -q -W --keep-going -c docs/site -d build/doctrees . build/site

clean:
	rm -rf $(VENV) build dist

$(PY):
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { \
		echo 'autogradlab needs Python 3.11 or newer: for example make lab PYTHON=python3.12'; \
		exit 1; }
	$(PYTHON) -m venv $(VENV) || { rm -rf $(VENV); exit 1; }

$(VENV)/lab-installed: pyproject.toml constraints.txt | $(PY)
	@$(SAY_SIZE)
	$(INSTALL) --editable '.[lab]'
	@touch $@

# The test extra contains the lab and the site extra, so one download serves all.
$(VENV)/test-installed: pyproject.toml constraints.txt | $(PY)
	@$(SAY_SIZE)
	$(INSTALL) --editable '.[test]'
	@touch $@ $(VENV)/lab-installed $(VENV)/site-installed

$(VENV)/bench-installed: pyproject.toml constraints.txt | $(PY)
	$(INSTALL) --editable '.[benchmark]'
	@touch $@ $(VENV)/test-installed $(VENV)/lab-installed $(VENV)/site-installed

$(VENV)/site-installed: pyproject.toml constraints.txt | $(PY)
	$(INSTALL) --editable '.[site]'
	@touch $@

# JupyterLab shows a stored picture only in a notebook it trusts.
$(VENV)/trusted: notebooks/*.ipynb | $(VENV)/lab-installed
	$(PY) -m jupyter trust notebooks/*.ipynb
	@touch $@

SAY_SIZE := echo 'Installing the versions of constraints.txt, about 1.5 GB on disk.'; \
	if [ "$$(uname)" = Linux ] && [ -z "$(TORCH_INDEX)" ]; then \
		echo 'On Linux PyTorch usually comes with CUDA: several GB more to download.'; \
		echo 'Its CPU build is enough for all of this: make lab TORCH_INDEX=… (see README.md).'; \
	fi
