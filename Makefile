# SPDX-License-Identifier: GPL-3.0-or-later
# Each target sets up what it needs below .cache, and nothing elsewhere. "make" alone lists the targets.

SHELL = /bin/sh
CACHE = $(CURDIR)/.cache
TOOLS = $(CACHE)/tools/bin
UNIT_TOOLS = $(CACHE)/unit-tools/bin
SYSTEM_PATH := $(PATH)
export PATH := $(TOOLS):$(SYSTEM_PATH)
export ANSIBLE_CONFIG := $(CURDIR)/ansible.cfg
export ANSIBLE_COLLECTIONS_PATH := $(CACHE)/collections

.PHONY: help health unit check test test-all lint sanity unit-all servers hostile fuzz report molecule lab lab-down drill drill-test \
    forecast verdicts bench clean

help: ## show this list
	@sed -n 's/^\([a-z-]*\):.*## /  make \1@/p' Makefile | column -t -s @

# Nothing is written to the home directory.
health unit check verdicts: export ANSIBLE_HOME := $(CACHE)/ansible

health: $(CACHE)/health.ready ## is this machine about to die? its line of the table
	@ansible all -m lifeline.fleet.health

unit: export PATH := $(UNIT_TOOLS):$(SYSTEM_PATH)
unit: $(CACHE)/unit.ready ## unit tests that start no Ansible, without root; FILE=tests/unit/... runs any file or folder
	@python tests/unit.py $(FILE)

check: export PATH := $(UNIT_TOOLS):$(SYSTEM_PATH)
check: $(CACHE)/check.ready ## format, lint, types and unit tests, without root: the loop before each commit
	@tests/check.sh

test: $(CACHE)/test.ready ## all tests but the drill; KEEP_GOING=yes goes on after a failure
	@python tests/everything.py

test-all: export LAB_SUITES = bullseye,bookworm,trixie,forky
test-all: test drill-test ## all tests on Debian 11 to 14, and the drill's

lint: $(CACHE)/test.ready ## every linter, and the documentation
	@tests/lint.sh

sanity: $(CACHE)/test.ready ## ansible-test sanity on every ansible-core that this machine's Pythons can run
	@python tests/sanity.py

unit-all: $(CACHE)/test.ready ## unit tests on every Python that this machine has
	@python tests/unit.py --plays
	@python tests/unit.py --others

servers: $(CACHE)/test.ready ## the modules that ask Redis and databases, against real ones
	PYTHONPATH=$(CACHE)/collections python -m pytest -q --numprocesses 4 --dist loadfile tests/servers

hostile: $(CACHE)/test.ready ## hosts whose users forge, block and hide, against the real scripts; needs root
	PYTHONPATH=$(CACHE)/collections python -m pytest -q tests/hostile

fuzz: $(CACHE)/test.ready ## texts that a host may send, made up for SECONDS=60 a group; GROUP="probe disks" chooses
	PYTHONPATH=tests:$(CACHE)/collections python -m fuzz $(GROUP) $(if $(SECONDS),--seconds $(SECONDS)) $(if $(filter yes,$(KEEP)),--keep)

report: $(CACHE)/test.ready ## the HTML report in Chromium: sorting, filtering, accessibility, size
	PYTHONPATH=$(CACHE)/collections python -m pytest -q tests/report

molecule: $(CACHE)/test.ready ## scenarios on real boxes; SCENARIO="monit facts" SUITES=trixie choose, KEEP=yes keeps the boxes
	@python tests/scenarios.py $(SCENARIO) $(if $(SUITES),--suites "$(SUITES)") $(if $(filter yes,$(KEEP)),--keep)

lab: $(CACHE)/test.ready ## boot a few real boxes, some of them ill; then: ansible all -i inventories/lab -m lifeline.fleet.health
	@python tests/lab/lab.py up

lab-down: ## remove the lab
	@python3 tests/lab/lab.py down

drill: $(CACHE)/drill.ready ## the same leak on the same box, with and without the collection; LEAK="fast slow" SWAP=no|yes|both choose
	@PYTHONPATH=tests python -m drill $(LEAK) $(if $(SWAP),--swap $(SWAP))

drill-test: $(CACHE)/drill.ready ## the drill's own tests: boxes with a kernel of their own, for about ten minutes
	@molecule test --scenario-name drill

forecast: $(CACHE)/test.ready ## how good the forecasts are, on simulated and recorded traces
	PYTHONPATH=tests:$(CACHE)/collections python -m forecast

verdicts: export PATH := $(UNIT_TOOLS):$(SYSTEM_PATH)
verdicts: $(CACHE)/unit.ready ## how well the verdict agrees with operators, on hosts that they have judged
	@PYTHONPATH=tests:$(CACHE)/collections python -m verdicts

bench: $(CACHE)/test.ready ## how fast it is, measured side by side with what Ansible brings; and what a history costs
	python tests/bench/run.py
	python tests/bench/history.py

clean: lab-down ## remove the lab and everything that was set up
	rm -rf .cache

$(CACHE)/health.ready: requirements.txt
$(CACHE)/unit.ready: requirements.txt tests/requirements-unit.txt
$(CACHE)/check.ready: requirements.txt tests/requirements-unit.txt tests/requirements-check.txt
$(CACHE)/test.ready: requirements.txt tests/requirements-unit.txt tests/requirements-check.txt tests/requirements.txt
$(CACHE)/drill.ready: $(CACHE)/test.ready
$(CACHE)/%.ready: tests/setup.sh
	@tests/setup.sh $*
	@touch $@
