#!/bin/sh
# SPDX-License-Identifier: GPL-3.0-or-later
# Sets up, below .cache, what a target of the Makefile needs: "health" wants Ansible, "test" wants the test tools as well.
# Packages of the system that are missing are installed by root on Debian and Ubuntu, and named to everybody else.
set -eu
cd "$(dirname "$0")/.."
purpose=$1

say() { printf '==> %s\n' "$*"; }

need() {
    # need PROGRAM PACKAGE: what is missing is collected, to be installed or named in one go
    command -v "$1" > /dev/null 2>&1 || packages="${packages:-} $2"
}

packages=
need python3 python3
need ssh openssh-client
python3 -c 'import ensurepip, venv' 2> /dev/null || packages="$packages python3-venv"
if [ "$purpose" = test ]; then
    need git git
    need podman podman
    need runc runc
    need mmdebstrap mmdebstrap
    need busybox busybox
    need lsof lsof
    need ps procps
    need shellcheck shellcheck
    need qemu-system-x86_64 qemu-system-x86
    need apt-ftparchive apt-utils
    need java openjdk-17-jre-headless
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
fi

if [ -n "$packages" ]; then
    # shellcheck disable=SC2086 # one word a package
    set -- $packages
    if [ "$(id -u)" -eq 0 ] && command -v apt-get > /dev/null 2>&1; then
        say "installing $*"
        apt-get update -qq
        DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends "$@" > /dev/null
    else
        say "this needs packages that are not installed: $*" >&2
        say "as root: apt-get install $*" >&2
        exit 1
    fi
fi

mkdir -p .cache/collections/ansible_collections/lifeline
# Ansible finds a collection by where it lies: give it this folder under that name.
ln -sfn ../../../.. .cache/collections/ansible_collections/lifeline/fleet

say "setting up .cache/tools for $purpose, with $(python3 --version)"
python3 -m venv .cache/tools
requirements=requirements.txt
[ "$purpose" = health ] || requirements=tests/requirements.txt
.cache/tools/bin/pip install --quiet --disable-pip-version-check --requirement "$requirements"
if [ "$purpose" = test ] && [ ! -d .cache/collections/ansible_collections/amazon/aws ]; then
    say "unpacking amazon.aws, which the package ansible carries"
    .cache/tools/bin/pip download --quiet --disable-pip-version-check --no-deps --dest .cache/aws 'ansible>=12'
    .cache/tools/bin/python -c '
import glob, zipfile
wheel = zipfile.ZipFile(glob.glob(".cache/aws/ansible-*.whl")[0])
wheel.extractall(".cache/collections", [name for name in wheel.namelist() if name.startswith("ansible_collections/amazon/")])'
    rm -rf .cache/aws
fi
say "ready: $(.cache/tools/bin/ansible --version | sed -n 1p)"
