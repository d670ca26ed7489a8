# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The reload of monit, the checks that are monitored again, and the errors when monit does not obey."""

from __future__ import annotations

import http.server
import os
import socketserver
import threading
import time

import pytest

from ansible_collections.lifeline.fleet.plugins.module_utils._monit import daemon as monit_daemon
from ansible_collections.lifeline.fleet.plugins.module_utils._monit.daemon import Daemon, DaemonError, Options
from ansible_collections.lifeline.fleet.plugins.module_utils._monit.status import parse
from paths import BOXES

RECORDED = (BOXES / "monit" / "bookworm.xml").read_bytes()


class Monit:
    """Reports what real monits reported, changed by the commands that it gets."""

    def __init__(self, host, folder):
        self.control = folder / "monitrc"
        (folder / "d").mkdir()
        (folder / "d" / "crawler").write_text("check system x\n")
        self.control.write_text(f'set httpd unixsocket "{folder}/monit.sock" allow localhost\ninclude {folder}/d/*\n')
        self.monitored, self.answers, self.obeys = {}, [], True
        # It has read its configuration after the last change.
        self.incarnation = int(time.time()) + 10
        self.host = host
        host.programs["monit"] = "/usr/bin/monit"
        host.answer("/usr/bin/monit -c", then=self.command)

    def command(self, argv):
        verb, *names = argv[3:]
        if self.obeys:
            self.incarnation = int(time.time()) + 10 if verb == "reload" else self.incarnation
            self.monitored.update(dict.fromkeys(names, "yes"))

    def ask(self, path):
        assert path.endswith("/monit.sock")
        if self.answers:
            answer = self.answers.pop(0)
            if isinstance(answer, Exception):
                raise answer
        status = parse(RECORDED)
        status["incarnation"] = self.incarnation
        for name, word in self.monitored.items():
            status["checks"][name].update(monitored=word)
        return status

    def run(self, *checks, check_mode=False, timeout=0):
        return Daemon(self.host.commands, Options(str(self.control), checks, timeout), check_mode, self.ask).run()

    def commands(self):
        return [call.split(" ", 3)[3] for call in self.host.calls]


@pytest.fixture
def monit(host, tmp_path):
    return Monit(host, tmp_path)


def test_a_monit_that_polls_at_another_time_is_reloaded_and_then_named_with_the_line(monit, tmp_path):
    (tmp_path / "d" / "crawler").write_text("check system x\nset daemon 120\n")
    poll = parse(RECORDED)["poll_seconds"]
    options = Options(str(monit.control), [], 0, poll + 1)
    with pytest.raises(DaemonError) as raised:
        Daemon(monit.host.commands, options, False, monit.ask).run()
    assert str(raised.value) == (
        f"monit polls every {poll} s instead of {poll + 1}: {tmp_path}/d/crawler:2 says so; remove the statement"
    )
    assert monit.commands() == ["reload"]
    options = Options(str(monit.control), [], 0, poll)
    assert not Daemon(monit.host.commands, options, False, monit.ask).run()["changed"]


def test_a_monit_that_runs_with_the_present_files_is_left_alone(monit):
    result = monit.run("lifeline_sshd")
    assert (result["changed"], result["reloaded"], result["monitored_again"]) == (False, False, [])
    assert (result["version"], monit.commands()) == ("5.33.0", [])
    assert result["checks"]["lifeline_sshd"]["monitored"] == "yes"


@pytest.mark.parametrize("path", ["monitrc", "d/crawler", "d"])
def test_a_file_or_folder_that_is_newer_makes_monit_reload(monit, tmp_path, path):
    past = time.time() - 1000
    for name in ("monitrc", "d/crawler", "d"):
        os.utime(tmp_path / name, (past, past))
    os.utime(tmp_path / path, (past + 500, past + 500))
    monit.incarnation = int(past + 400)
    result = monit.run("lifeline_sshd")
    assert (result["reloaded"], result["changed"], monit.commands()) == (True, True, ["reload"])
    monit.incarnation = int(past + 600)
    assert not monit.run()["reloaded"]


def test_a_check_that_is_out_of_monitoring_is_monitored_again(monit):
    monit.monitored["lifeline_sshd"] = "no"
    result = monit.run("lifeline_sshd", "motd")
    assert (result["monitored_again"], result["changed"]) == (["lifeline_sshd"], True)
    assert monit.commands() == ["monitor lifeline_sshd"]
    assert result["checks"]["lifeline_sshd"]["monitored"] == "yes"


def test_check_mode_sends_no_command(monit):
    monit.incarnation, monit.monitored["lifeline_sshd"] = 1, "no"
    result = monit.run("lifeline_sshd", check_mode=True)
    assert (result["reloaded"], result["monitored_again"], monit.commands()) == (True, ["lifeline_sshd"], [])


def test_a_monit_that_starts_is_waited_for(monit, monkeypatch):
    monkeypatch.setattr(time, "sleep", lambda seconds: None)
    monit.answers = [ConnectionRefusedError(111, "Connection refused"), ValueError("monit's status is not XML")]
    assert not monit.run("lifeline_sshd", timeout=60)["changed"]


def test_a_monit_that_does_not_answer_is_an_error(monit, tmp_path):
    monit.answers = [ConnectionRefusedError(111, "Connection refused")] * 9
    with pytest.raises(DaemonError) as raised:
        monit.run()
    assert str(raised.value) == (
        f"after 0 s monit does not answer at {tmp_path}/monit.sock: [Errno 111] Connection refused"
    )


def test_a_monit_that_keeps_its_old_configuration_is_an_error(monit):
    monit.obeys, monit.incarnation = False, 1
    with pytest.raises(DaemonError, match="^after 0 s monit still runs with the previous configuration$"):
        monit.run()


def test_a_reload_that_fails_is_told_in_monits_words(monit):
    monit.incarnation = 1
    monit.host.fail("/usr/bin/monit -c", "/etc/monit/monitrc:3: syntax error 'x'")
    with pytest.raises(DaemonError, match="^monit reload failed: /etc/monit/monitrc:3: syntax error 'x'$"):
        monit.run()


def test_checks_that_are_not_monitored_are_named_with_the_reason(monit):
    monit.monitored.update(lifeline_sshd="initializing", motd="waiting")
    with pytest.raises(DaemonError) as raised:
        monit.run("lifeline_sshd", "motd", "unknown")
    said = str(raised.value)
    assert said.startswith("after 0 s check lifeline_sshd: it is still initializing")
    assert "; check motd: it waits for a check that it depends on" in said
    assert said.endswith("; check unknown: monit does not know it")


def test_what_is_missing_is_named(monit, tmp_path):
    del monit.host.programs["monit"]
    with pytest.raises(DaemonError, match="^monit is not installed on this host; install the package monit$"):
        monit.run()
    monit.control.write_text("set daemon 10\n")
    with pytest.raises(DaemonError) as raised:
        monit.run()
    assert str(raised.value) == (
        f"{tmp_path}/monitrc has no 'set httpd unixsocket', so monit cannot be asked; add the statement"
    )
    monit.control.unlink()
    with pytest.raises(DaemonError, match=f"^{tmp_path}/monitrc cannot be read: No such file or directory$"):
        monit.run()


@pytest.fixture
def served(tmp_path):
    """Return a function that serves an answer to HTTP through a socket; returns the socket's path."""
    servers = []

    def serve(status, body):
        class Handler(http.server.BaseHTTPRequestHandler):
            def do_GET(self):
                self.send_response(status, "Word")
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, *arguments):
                pass

            def address_string(self):
                return ""

        path = str(tmp_path / "s")
        server = socketserver.UnixStreamServer(path, Handler)
        threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True).start()
        servers.append(server)
        return path

    yield serve
    for server in servers:
        server.shutdown()
        server.server_close()


def test_monit_is_asked_through_its_socket(served):
    assert monit_daemon.ask(served(200, RECORDED))["version"] == "5.33.0"


def test_an_answer_that_refuses_is_an_error(served):
    with pytest.raises(ValueError, match="^it answers 401 Word$"):
        monit_daemon.ask(served(401, b""))


def test_a_socket_without_a_server_is_an_error(tmp_path):
    with pytest.raises(OSError):
        monit_daemon.ask(str(tmp_path / "none"))
