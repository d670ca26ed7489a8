#!/bin/sh
# SPDX-License-Identifier: GPL-3.0-or-later
# Set up, below .cache, what a target of the Makefile needs:
#   health   Ansible, in .cache/tools
#   unit     what the unit tests need, in .cache/unit-tools
#   check    the linters as well, in .cache/unit-tools
#   test     everything but the drill's, in .cache/tools
#   drill    system packages for the drill
# Missing system packages are installed by root on Debian and Ubuntu, and named to everyone else.
set -eu
cd "$(dirname "$0")/.."
purpose=$1

case $purpose in
health) tools=.cache/tools requirements=requirements.txt ;;
unit | check) tools=.cache/unit-tools requirements=tests/requirements-$purpose.txt ;;
test | drill) tools=.cache/tools requirements=tests/requirements.txt ;;
esac

say() { printf '==> %s\n' "$*"; }

packages=
need() { # need PROGRAM PACKAGE: remember the package if the program is missing
    command -v "$1" > /dev/null 2>&1 || packages="$packages $2"
}

need_for_tests() {
    need git git
    need podman podman
    need runc runc
    need mmdebstrap mmdebstrap
    need busybox busybox
    need lsof lsof
    need ps procps
    need shellcheck shellcheck
    need java default-jre-headless
    need redis-check-rdb redis-tools
    need /usr/sbin/mariadbd mariadb-server-core
    need my_print_defaults mariadb-client-core
    need openssl openssl
    need /usr/bin/chromium chromium
    need /usr/bin/chromedriver chromium-driver
    ls /usr/lib/postgresql/*/bin/postgres > /dev/null 2>&1 || packages="$packages postgresql"
    ls /usr/share/fonts/truetype/dejavu/*.ttf > /dev/null 2>&1 || packages="$packages fonts-dejavu-core"
    /usr/bin/python3 -c 'import pymysql' 2> /dev/null || packages="$packages python3-pymysql"
    /usr/bin/python3 -c 'import psycopg2' 2> /dev/null || packages="$packages python3-psycopg2"
}

need python3 python3
python3 -c 'import ensurepip, venv' 2> /dev/null || packages="$packages python3-venv"
[ "$purpose" = unit ] || [ "$purpose" = check ] || need ssh openssh-client
[ "$purpose" != test ] || need_for_tests
[ "$purpose" != drill ] || need qemu-system-x86_64 qemu-system-x86

if [ -n "$packages" ]; then
    # shellcheck disable=SC2086 # one word a package
    set -- $packages
    if [ "$(id -u)" -eq 0 ] && command -v apt-get > /dev/null 2>&1; then
        say "installing $*"
        apt-get update -qq
        DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends "$@" > /dev/null
    else
        say "missing packages: $*" >&2
        say "as root: apt-get install $*" >&2
        exit 1
    fi
fi

mkdir -p .cache/collections/ansible_collections/lifeline
# Ansible finds a collection by its path: give it this folder under that name.
ln -sfn ../../../.. .cache/collections/ansible_collections/lifeline/fleet

say "setting up $tools for $purpose, with $(python3 --version)"
python3 -m venv "$tools"
"$tools/bin/pip" install --quiet --disable-pip-version-check --requirement "$requirements"
if [ "$purpose" = test ]; then
    if [ ! -d .cache/collections/ansible_collections/amazon/aws ]; then
        say "unpacking amazon.aws from the PyPI package ansible"
        "$tools/bin/pip" download --quiet --disable-pip-version-check --no-deps --dest .cache/aws 'ansible>=12'
        "$tools/bin/python" -c '
import glob, zipfile
wheel = zipfile.ZipFile(glob.glob(".cache/aws/ansible-*.whl")[0])
wheel.extractall(".cache/collections", [name for name in wheel.namelist() if name.startswith("ansible_collections/amazon/")])'
        rm -rf .cache/aws
    fi
    PYTHONPATH=tests "$tools/bin/python" -m metrics.promtool
fi
say "ready: $("$tools/bin/ansible" --version | sed -n 1p)"
