#!/bin/sh
# SPDX-License-Identifier: GPL-3.0-or-later
# The boxes of the lab that are up now, as podman knows them.
exec python3 "$(dirname "$0")/../../tests/lab/lab.py" inventory
