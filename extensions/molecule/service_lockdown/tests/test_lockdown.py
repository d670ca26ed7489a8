# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Test a locked-down box through a reboot and new installations, until everything is reverted.

The tests depend on each other, in this order.
"""

from __future__ import annotations

import re

import pytest

testinfra_hosts = ["ansible://service_lockdown"]

DAEMONS = [
    "apache2",
    "apache-htcacheclean",
    "memcached",
    "exim4",
    "exim4-base.timer",
    "varnish",
    "varnishncsa",
    "vinyl-cache",
]
PLANTED = ["lab-own", "lab-behind", "lab-many@a", "lab-many@b", "lab-stubborn", "lab-activated", "lab-activated.socket"]
SUDO = {"become": True, "extra_vars": {"ansible_user": "ops"}}
STATE = "/var/lib/lifeline/service_lockdown/state.json"


def listening(host):
    """Return the programs that listen, by their names in ss."""
    return {line.split('"')[1] for line in host.check_output("ss -Hltunp").splitlines() if '"' in line}


def start_links(host):
    return host.check_output("find /etc/systemd/system /etc/rc[2-5].d -type l -printf '%p %l\\n' | sort")


def test_the_requested_services_are_off(host, unit):
    for name in DAEMONS + PLANTED:
        assert unit(name) == "inactive", name
        assert host.run(f"systemctl is-enabled {name}").stdout.strip() not in ("enabled", "enabled-runtime"), name
    assert listening(host) <= {"sshd", "systemd", "redis-server", "python3"}


def test_the_requested_units_are_masked(host, unit):
    varnish = "vinyl-cache" if unit("vinyl-cache", "LoadState") != "not-found" else "varnish"
    for name in (varnish, "lab-own"):
        assert unit(name, "LoadState") == "masked"
        assert host.run(f"systemctl start {name}").rc != 0
    assert unit("apache2", "LoadState") == "loaded"


def test_the_queue_of_the_worker_keeps_running(host, unit, lockdown):
    assert unit("redis-server") == "active"
    assert host.check_output("systemctl is-enabled redis-server") == "enabled"
    assert {one["unit"]: one["needed_by"] for one in lockdown()["spared"]}["redis-server.service"] == "sidekiq.service"


def test_a_second_run_changes_nothing(lockdown):
    answer = lockdown()
    assert not answer["changed"], answer["changes"]


def test_everything_stays_off_after_a_reboot(host, unit, reboot):
    reboot()
    for name in DAEMONS + PLANTED:
        assert unit(name) == "inactive", name
    assert listening(host) <= {"sshd", "systemd", "redis-server", "python3"}
    assert unit("redis-server") == "active"


def test_protected_units_are_an_error_and_nothing_is_changed(host, refused):
    names = [
        "sshd",
        "ssh.socket",
        "dbus",
        "systemd-journald",
        "networking",
        "cloud-init",
        "monit",
        "fail2ban",
        "sidekiq",
    ]
    links = start_links(host)
    said = refused(stopped=[{"name": name} for name in ["cron", *names]])
    assert [
        name for name in names if not re.search(rf"(^|[ ;]){re.escape(name)}( \(\S+\))? may not be stopped", said)
    ] == []
    assert "cron" not in said
    assert said.endswith("; nothing was changed")
    assert start_links(host) == links
    assert host.check_output("systemctl is-active cron") == "active"


def test_units_of_the_connection_are_an_error_under_any_name(host, refused):
    host.check_output(
        "ln -sf $(systemctl show --property FragmentPath --value ssh.service) /etc/systemd/system/lab-door.service && "
        "systemctl daemon-reload"
    )
    try:
        assert "(ssh.service) may not be stopped" in refused(stopped=[{"name": "lab-door"}])
        assert host.check_output("systemctl is-active ssh") == "active"
    finally:
        host.check_output("rm /etc/systemd/system/lab-door.service && systemctl daemon-reload")


def test_masking_the_queue_of_the_worker_is_an_error(refused, unit):
    said = refused(stopped=[{"name": "redis", "masked": True}])
    assert "sidekiq.service needs redis-server.service" in said
    assert unit("redis-server") == "active"


def test_all_wrong_names_are_reported_at_once(refused):
    names = ["no such unit", "multi-user.target", "", "a/b"]
    said = refused(stopped=[{"name": name} for name in names])
    assert [name for name in names if repr(name) not in said] == []


def test_a_unit_that_refuses_to_stop_is_killed(lockdown, unit):
    assert not lockdown(stopped=[{"name": "lab-refuses"}], timeout=3)["failed"]
    assert unit("lab-refuses") == "inactive"


def test_a_unit_that_restarts_at_once_is_named_and_stays_enabled(host, lockdown, unit):
    said = lockdown(stopped=[{"name": "lab-undying"}], timeout=3)["msg"]
    assert said.startswith("still running after SIGKILL: lab-undying.service;")
    assert unit("lab-undying") == "active"
    assert host.check_output("systemctl is-enabled lab-undying") == "enabled"


def test_concurrent_runs_wait_for_each_other(host, lockdown):
    host.check_output("systemd-run --quiet --unit lab-lock flock /run/lifeline-service_lockdown.lock sleep 3")
    assert not lockdown()["failed"]
    assert host.run("systemctl is-active lab-lock").stdout.strip() != "active"


def test_no_user_but_root_can_hold_the_lock(host, lockdown):
    assert not lockdown()["failed"]
    assert host.run("runuser -u nobody -- flock -n /run/lifeline-service_lockdown.lock true").rc != 0


def test_a_user_with_sudo_can_run_it(lockdown, unit):
    assert not lockdown(way=SUDO)["failed"]
    said = lockdown(way=SUDO, stopped=[{"name": "ssh"}])["msg"]
    assert "ssh may not be stopped" in said
    assert unit("ssh") == "active"


def test_newly_installed_services_do_not_start(host, unit):
    # sendmail waits up to a minute for the box's full host name.
    host.check_output(
        'sed "1i 127.0.1.1 $(hostname).lab.test $(hostname)" /etc/hosts > /run/hosts && cat /run/hosts > /etc/hosts'
    )
    host.check_output(
        "DEBIAN_FRONTEND=noninteractive apt-get -qq --yes --no-install-recommends install sendmail tinyproxy 2>&1"
    )
    assert unit("sendmail") == "inactive"
    assert host.run("systemctl is-enabled tinyproxy").stdout.strip() == "disabled"
    if host.system_info.codename == "bullseye":
        # If a package also has an init script, invoke-rc.d of this release checks only whether that is enabled.
        host.check_output("systemctl stop tinyproxy; systemctl reset-failed")
    assert unit("tinyproxy") == "inactive"
    assert listening(host) <= {"sshd", "systemd", "redis-server", "python3"}
    assert not host.file("/usr/sbin/policy-rc.d").exists


def test_newly_installed_services_do_not_start_after_a_reboot(host, unit, reboot):
    reboot()
    assert unit("tinyproxy") == "inactive"
    assert not {"tinyproxy", "sendmail-mta"} & listening(host)


def test_the_cron_job_of_sendmail_is_disabled_too(host, lockdown):
    assert host.file("/etc/cron.d/sendmail").exists
    assert not lockdown()["failed"]
    assert not host.file("/etc/cron.d/sendmail").exists
    assert not lockdown()["changed"]


def test_an_alias_still_leads_to_its_unit(host, lockdown, unit):
    host.check_output("systemctl start lab-behind")
    assert "lab-behind.service: stopped" in lockdown()["changes"]
    assert unit("lab-behind") == "inactive"


def test_check_mode_reports_and_changes_nothing(host, lockdown, unit):
    host.check_output("systemctl start apache2")
    answer = lockdown(check=True)
    assert "apache2.service: stopped" in answer["changes"]
    assert unit("apache2") == "active"
    assert "apache2.service: stopped" in lockdown()["changes"]
    assert unit("apache2") == "inactive"


def test_everything_is_reverted(host, lockdown, unit):
    answer = lockdown(state="reverted")
    assert not answer["failed"], answer["msg"]
    for name in PLANTED + ["apache2", "memcached"]:
        assert unit(name) == "active", name
    varnish = "vinyl-cache" if unit("vinyl-cache", "LoadState") != "not-found" else "varnish"
    assert unit(varnish) == "active"
    assert host.file("/etc/systemd/system/lab-own.service").is_file
    for name in (
        "apache2",
        "memcached",
        "lab-own",
        "lab-behind",
        "lab-nickname",
        "lab-many@a",
        "lab-activated.socket",
        varnish,
    ):
        assert host.run(f"systemctl is-enabled {name}").stdout.strip() in ("enabled", "alias"), name
    assert host.file("/etc/cron.d/sendmail").exists
    assert not host.file(STATE).exists
    assert host.run("grep -rl lifeline.fleet.service_lockdown /etc/systemd").stdout == ""
    assert not lockdown(state="reverted")["changed"]


def test_a_full_disk_changes_nothing(host, lockdown, unit):
    host.check_output(
        "mkdir -p /var/lib/lifeline && mount -t tmpfs -o size=4k lab /var/lib/lifeline && "
        "head -c 4096 /dev/zero > /var/lib/lifeline/full"
    )
    links = start_links(host)
    try:
        answer = lockdown()
        assert answer["failed"]
        assert "state.json cannot be written (No space left on device); nothing was changed" in answer["msg"]
        assert unit("apache2") == "active"
        assert start_links(host) == links
        assert not host.file("/etc/systemd/system-preset/95-lifeline-lockdown.preset").exists
    finally:
        host.check_output("umount /var/lib/lifeline")


def test_health_reports_unexpected_services_if_the_expected_ones_are_set(health):
    named = health([{"name": "apache2"}], max_sidekiq_memory="100 MB")
    assert {"memcached.service", "lab-unasked.service", "lab-activated.service"} <= set(named)
    # The worker's queue, the expected services, and a socket that waits for its first connection.
    assert not {"redis-server.service", "apache2.service", "lab-waiting.socket", "ssh.service"} & set(named)
    assert any("has a cache of up to 1.0G, and is not expected here" in message for message in named.values())
    assert "redis-server.service" in health([{"name": "apache2"}])
    assert health([]) == {}


def test_health_reports_no_service_whose_process_it_cannot_see(health):
    assert health([{"name": "apache2"}], ansible_user="ops", ansible_become=False) == {}


def test_exactly_the_unexpected_services_are_found(listeners, unit):
    facts = listeners("ssh.service", "redis-server.service")
    found = {service["unit"]: service for service in facts["unexpected"]}
    varnish = "vinyl-cache.service" if unit("vinyl-cache", "LoadState") != "not-found" else "varnish.service"
    assert set(found) == {
        "apache2.service",
        "memcached.service",
        varnish,
        "lab-unasked.service",
        "lab-activated.service",
        "lab-waiting.socket",
    }
    assert found[varnish]["cache_bytes"] == 1 << 30
    assert found[varnish]["memory_bytes"] > 1 << 20
    assert "has a cache of up to 1.0G" in found[varnish]["text"]
    assert found["apache2.service"]["unit_package"] == "apache2"
    assert facts["unreadable"] == 0


def test_every_socket_of_ss_is_found(host, listeners):
    def ss():
        return {
            (line.split()[0], int(line.split()[4].rpartition(":")[2]))
            for line in host.check_output("ss -Hltun").splitlines()
        }

    before, facts, after = ss(), listeners(), ss()
    told = {(one["protocol"], one["port"]) for one in facts["listeners"]}
    assert before & after <= told <= before | after


def test_without_privileges_it_reports_what_it_cannot_see(host):
    login = {"ansible_user": "ops", "ansible_become": False}
    answer = host.ansible("lifeline.fleet.listener_facts", check=False, extra_vars=login)
    facts = answer["ansible_facts"]["lifeline_listeners"]
    assert facts["unreadable"] == facts["listeners_total"] > 0


def test_unexpected_services_are_stopped_on_request_but_protected_ones_stay(lockdown, listeners, unit):
    units = [
        service["unit"]
        for service in listeners("redis-server.service", "lab-activated", "lab-waiting.socket")["unexpected"]
    ]
    assert "ssh.service" in units
    answer = lockdown(unexpected=units)
    assert not answer["failed"], answer["msg"]
    assert [one["unit"] for one in answer["left"]] == ["ssh.service"]
    assert unit("lab-unasked") == "inactive"
    assert unit("ssh") == "active"
    assert listeners("ssh.service", "redis-server.service", "lab-activated", "lab-waiting.socket")["unexpected"] == []


def test_a_box_without_a_worker_needs_no_queue(lockdown, unit):
    answer = lockdown(stopped=[{"name": "redis"}], workers=[], worker_needs=[])
    assert "redis-server.service: stopped, disabled" in answer["changes"]
    assert unit("redis-server") == "inactive"


def test_a_second_revert_changes_nothing(lockdown, unit):
    assert not lockdown(state="reverted")["failed"]
    assert unit("lab-unasked") == unit("redis-server") == unit("apache2") == "active"


def test_the_role_reports_or_stops_unexpected_services(converge, health, unit):
    expected = [{"name": "lab-activated"}, {"name": "lab-waiting.socket"}]
    ran, output = converge(service_lockdown_expected=expected)
    assert ran, output
    assert "lab-unasked.service" in output
    assert unit("lab-unasked") == "active"
    assert list(health(expected, max_sidekiq_memory="100 MB")) == ["lab-unasked.service"]
    ran, output = converge(service_lockdown_expected=expected, service_lockdown_unexpected="stop")
    assert ran, output
    assert unit("lab-unasked") == "inactive"
    assert unit("ssh") == unit("redis-server") == "active"
    assert health(expected, max_sidekiq_memory="100 MB") == {}
    assert "changed=0" in converge(service_lockdown_expected=expected, service_lockdown_unexpected="stop")[1]
    ran, output = converge(service_lockdown_state="reverted")
    assert ran, output
    assert unit("lab-unasked") == unit("apache2") == "active"


@pytest.mark.parametrize(
    ("variables", "words"),
    [
        ({"service_lockdown_stopped": [{"name": "ssh"}]}, "stopped: ssh may not be stopped: "),
        ({"service_lockdown_expected": [{"name": "tcp/99999"}]}, "tcp/99999"),
        ({"service_lockdown_unexpected": "kill"}, "value of service_lockdown_unexpected must be one of: report, stop"),
    ],
)
def test_wrong_settings_of_the_role_are_an_error(converge, unit, variables, words):
    ran, output = converge(**variables)
    assert not ran
    assert words in output
    assert unit("apache2") == unit("ssh") == "active"
