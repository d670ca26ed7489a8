# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The limits on time and memory hold whatever the body does, and leave nothing behind."""

from __future__ import annotations

import re
import signal
import subprocess
import threading
import time

import pytest
from ansible.errors import AnsibleConnectionFailure

from ansible_collections.lifeline.fleet.plugins.module_utils._errors import ProbeError
from ansible_collections.lifeline.fleet.plugins.plugin_utils._probe import answer, deadline as limits
from ansible_collections.lifeline.fleet.plugins.plugin_utils._probe.deadline import deadline, reading_limit


def test_a_body_in_time_is_left_alone():
    with deadline(60):
        time.sleep(0.3)
    assert signal.getitimer(signal.ITIMER_REAL) == (0.0, 0.0)


def test_a_host_that_is_silent_is_unreachable_and_down():
    with pytest.raises(AnsibleConnectionFailure) as caught, deadline(0.1):
        time.sleep(60)
    assert caught.value.message == "the box accepted the connection, and then said nothing for 0.1 s"
    assert answer.judge(caught.value.message)[0] == answer.DOWN


def test_a_host_that_began_to_answer_is_not_down():
    def connect():
        b_stdout = b"==> lifeline"
        time.sleep(60)
        return b_stdout

    with pytest.raises(ProbeError, match="began to answer, but did not finish within 0.1 s"), deadline(0.1):
        connect()


def test_retries_do_not_swallow_it():
    attempts = []

    def connect():
        for attempt in range(5):
            attempts.append(attempt)
            try:
                time.sleep(60)
            except Exception:
                continue

    with pytest.raises(AnsibleConnectionFailure), deadline(0.1):
        connect()
    assert attempts == [0]


def test_what_swallows_it_gets_it_again():
    def connect():
        try:
            time.sleep(60)
        except BaseException:
            time.sleep(60)

    with pytest.raises(AnsibleConnectionFailure), deadline(0.1):
        connect()


def test_the_client_is_killed():
    started = []

    def connect():
        client = subprocess.Popen(["sleep", "1000"])
        started.append(client)
        client.wait()

    with pytest.raises(AnsibleConnectionFailure), deadline(0.2):
        connect()
    assert started[0].returncode == -signal.SIGKILL


def test_an_answer_without_end_is_cut_off(monkeypatch):
    monkeypatch.setattr(limits, "_MOST_GROWTH", 64 << 20)
    client = []

    def connect():
        program = subprocess.Popen(["cat", "/dev/zero"], stdout=subprocess.PIPE)
        client.append(program)
        kept = []
        while True:
            kept.append(program.stdout.read(1 << 20))

    with pytest.raises(ProbeError, match="more than 64 MB"), deadline(60):
        connect()
    client[0].stdout.close()
    assert client[0].returncode == -signal.SIGKILL


def test_an_answer_that_is_slow_to_read_is_no_silence():
    with pytest.raises(ProbeError, match="took more than 0.1 s"), reading_limit(0.1):
        re.match(r"(a|aa|aaa)+$", "a" * 60 + "b")


def test_an_alarm_from_before_goes_on():
    rung = []
    handler = signal.signal(signal.SIGALRM, lambda *_: rung.append(True))
    try:
        signal.setitimer(signal.ITIMER_REAL, 0.4)
        with deadline(60):
            until = time.monotonic() + 0.6
            while time.monotonic() < until:
                pass
        until = time.monotonic() + 30
        while not rung and time.monotonic() < until:
            pass
        assert rung
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, handler)


def test_a_thread_has_no_limit():
    passed = []

    def body():
        with deadline(0.01):
            time.sleep(0.05)
        passed.append(True)

    thread = threading.Thread(target=body)
    thread.start()
    thread.join()
    assert passed == [True]


def test_an_error_of_the_body_is_passed_on():
    with pytest.raises(KeyError), deadline(60):
        raise KeyError
