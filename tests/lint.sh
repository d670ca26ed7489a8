#!/bin/sh
# SPDX-License-Identifier: GPL-3.0-or-later
# All that can be said of the tree without running it.
set -eu
cd "$(dirname "$0")/.."
run() { printf '==> %s\n' "$*"; "$@"; }

run ruff check
run yamllint --strict .
run ansible-lint
run antsibull-changelog lint
run antsibull-docs lint-collection-docs --plugin-docs --skip-rstcheck .
missing=$(git ls-files -co --exclude-standard | grep -Ev '(\.md$|^LICENSE$|^tests/boxes/|\.(svg|png)$|^changelogs/changelog.yaml$|^CHANGELOG.rst$)' |
    xargs grep -L 'SPDX-License-Identifier: GPL-3.0-or-later' || true)
if [ -n "$missing" ]; then
    printf 'without an SPDX line:\n%s\n' "$missing" >&2
    exit 1
fi
