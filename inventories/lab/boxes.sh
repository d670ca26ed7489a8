#!/bin/sh
# SPDX-License-Identifier: GPL-3.0-or-later
# Print the lab boxes that podman has running now.
exec python3 "$(dirname "$0")/../../tests/lab/lab.py" inventory
