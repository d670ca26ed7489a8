#!/bin/sh
# SPDX-License-Identifier: GPL-3.0-or-later
# Check the tree without running it: format, types, YAML, shell, roles, changelog, documentation, licenses.
set -eu
cd "$(dirname "$0")/.."
run() { printf '==> %s\n' "$*"; "$@"; }

run ruff format --check
run ruff check
run mypy
run yamllint --strict .
# Find shell scripts by their first line, because not all have a name that ends in .sh.
# shellcheck disable=SC2046 # each script is one word
run shellcheck $(git grep --untracked --line-number '^#!/bin/sh' | sed -n 's/:1:.*//p')
run ansible-lint
run antsibull-changelog lint
# It writes its log to HOME.
run env HOME="$PWD/.cache" antsibull-docs lint-collection-docs --plugin-docs --skip-rstcheck .
missing=$(git ls-files -co --exclude-standard | grep -Ev '(\.md$|^LICENSE$|^tests/boxes/|^tests/fuzz/corpus/|\.(svg|png)$|^changelogs/changelog.yaml$|^CHANGELOG.rst$)' |
    xargs grep -L 'SPDX-License-Identifier: GPL-3.0-or-later' || true)
if [ -n "$missing" ]; then
    printf 'without an SPDX line:\n%s\n' "$missing" >&2
    exit 1
fi
