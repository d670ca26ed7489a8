# SPDX-License-Identifier: GPL-3.0-or-later
# Every target does its own set-up, below .cache and nowhere else. "make" alone says what there is.

SHELL = /bin/sh
CACHE = $(CURDIR)/.cache
TOOLS = $(CACHE)/tools/bin
export PATH := $(TOOLS):$(PATH)
export ANSIBLE_CONFIG := $(CURDIR)/ansible.cfg
export ANSIBLE_COLLECTIONS_PATH := $(CACHE)/collections

.PHONY: help health test test-all behind side-by-side apart lint sanity unit servers report molecule lab lab-down drill forecast bench clean

help: ## what there is to make
	@sed -n 's/^\([a-z-]*\):.*## /  make \1@/p' Makefile | column -t -s @

health: export ANSIBLE_HOME := $(CACHE)/ansible
health: $(CACHE)/health.ready ## is this machine about to die? its line of the table
	@ansible all -m lifeline.fleet.health

test: $(CACHE)/test.ready ## all tests
	@$(MAKE) --no-print-directory --jobs 2 unit servers report
	@$(MAKE) --no-print-directory --jobs 2 behind side-by-side
	@$(MAKE) --no-print-directory apart
	@echo "all tests passed"

# What only computes has no part in how fast the boxes answer.
behind:
	@nice $(MAKE) --no-print-directory lint sanity

side-by-side apart: $(CACHE)/test.ready
	python tests/scenarios.py --$@

test-all: export LAB_SUITES = bullseye,bookworm,trixie,forky
test-all: test ## all tests, on boxes of Debian 11 to 14 instead of 12 and 13

lint: $(CACHE)/test.ready ## ansible-lint, yamllint, ruff, shellcheck, and the documentation
	tests/lint.sh

sanity: $(CACHE)/test.ready ## ansible-test sanity on every ansible-core that this machine's Pythons can run
	python tests/sanity.py

unit: export PATH := $(CACHE)/unit-tools/bin:$(PATH)
unit: $(CACHE)/unit.ready ## unit tests, without root; FILE=tests/unit/... chooses a file or folder
	@python tests/unit.py $(FILE)

unit-all: $(CACHE)/test.ready ## unit tests, with every Python that this machine has
	python tests/unit.py
	python tests/unit.py --others

check: export PATH := $(CACHE)/unit-tools/bin:$(PATH)
check: $(CACHE)/check.ready ## format, lint, types and unit tests, without root: the loop before each commit
	@tests/check.sh

servers: $(CACHE)/test.ready ## the modules that ask Redis and databases, against real ones
	PYTHONPATH=$(CACHE)/collections python -m pytest -q --numprocesses 4 --dist loadfile tests/servers

report: $(CACHE)/test.ready ## the HTML report in Chromium: sorting, filtering, accessibility, size
	PYTHONPATH=$(CACHE)/collections python -m pytest -q tests/report

molecule: $(CACHE)/test.ready ## the modules and the roles on real boxes; SCENARIO="monit facts" chooses
	python tests/scenarios.py $(SCENARIO)

lab: $(CACHE)/test.ready ## boot a few real boxes, some of them ill; then: ansible all -i inventories/lab -m lifeline.fleet.health
	python tests/lab/lab.py up

lab-down: ## remove the lab
	python3 tests/lab/lab.py down

drill: $(CACHE)/test.ready ## the same leak on the same box, with and without the collection; LEAK="fast slow" SWAP=no|yes|both choose
	PYTHONPATH=tests python -m drill $(LEAK) $(if $(SWAP),--swap $(SWAP))

forecast: $(CACHE)/test.ready ## how good the forecasts are, on simulated and recorded traces
	PYTHONPATH=tests:$(CACHE)/collections python -m forecast

bench: $(CACHE)/test.ready ## how fast it is, measured side by side with what Ansible brings; and what a history costs
	python tests/bench/run.py
	python tests/bench/history.py

clean: lab-down ## remove the lab and everything that was set up
	rm -rf .cache

$(CACHE)/health.ready: requirements.txt
$(CACHE)/unit.ready: requirements.txt tests/requirements-unit.txt
$(CACHE)/check.ready: requirements.txt tests/requirements-unit.txt tests/requirements-check.txt
$(CACHE)/test.ready: requirements.txt tests/requirements-unit.txt tests/requirements-check.txt tests/requirements.txt
$(CACHE)/%.ready: tests/setup.sh
	@tests/setup.sh $*
	@touch $@
