#!/bin/sh
# SPDX-License-Identifier: GPL-3.0-or-later
# The loop before each commit: format, lint and types, then the unit tests.
set -eu
cd "$(dirname "$0")/.."
run() { printf '==> %s\n' "$*"; "$@"; }

run ruff format --check
run ruff check
run mypy
run yamllint --strict .
run ansible-lint
run python tests/unit.py --plays
