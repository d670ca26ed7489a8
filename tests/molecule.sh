#!/bin/sh
# SPDX-License-Identifier: GPL-3.0-or-later
# Every molecule scenario, on real boxes.
set -eu
cd "$(dirname "$0")/.."
export ANSIBLE_INJECT_FACT_VARS=false
# Molecule remembers boxes that may be long gone.
molecule reset --scenario-name default
exec molecule test --all
