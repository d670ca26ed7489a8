# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Test which files of a unit are foreign, and which settings of other drop-ins win."""

from __future__ import annotations

import pytest

from ansible_collections.lifeline.fleet.plugins.module_utils._adoption import unit_files

UNIT, ENVIRONMENT, LIMITS = unit_files.paths("sidekiq")
CAPISTRANO = "[Service]\nEnvironment=REDIS_URL=redis://:secret@10.0.0.1\nExecStart=/usr/bin/bundle exec sidekiq -q a\n"
OURS = "# Managed by Ansible (lifeline.fleet.sidekiq_watchdog).\n"


@pytest.fixture
def host(tmp_path):
    def write(path, text):
        place = tmp_path / path.lstrip("/")
        place.parent.mkdir(parents=True, exist_ok=True)
        place.write_text(text)
        return str(tmp_path)

    write(UNIT.replace("sidekiq.service", "other"), "")
    return write


def test_a_host_without_files_has_no_foreign_ones(tmp_path):
    assert unit_files.foreign("sidekiq", str(tmp_path)) == []


@pytest.mark.parametrize(
    ("files", "foreign"),
    [
        ({UNIT: CAPISTRANO}, [UNIT]),
        ({UNIT: CAPISTRANO, ENVIRONMENT: "A=b\n", LIMITS: "[Service]\n"}, [UNIT, ENVIRONMENT, LIMITS]),
        ({ENVIRONMENT: "A=b\n"}, [ENVIRONMENT]),
        ({UNIT: OURS, ENVIRONMENT: OURS, LIMITS: OURS}, []),
        ({UNIT: 'ExecStart=/bin/sh -c \'echo $$ > "$RUNTIME_DIRECTORY/sidekiq.pid"', ENVIRONMENT: "A=b\n"}, []),
    ],
)
def test_a_file_without_the_role_s_name_is_foreign(files, foreign, host):
    root = ""
    for path, text in files.items():
        root = host(path, text)
    assert unit_files.foreign("sidekiq", root) == foreign


def test_a_link_to_a_unit_is_foreign(host, tmp_path):
    root = host("/srv/app/sidekiq.service", CAPISTRANO)
    (tmp_path / UNIT.lstrip("/")).symlink_to(tmp_path / "srv/app/sidekiq.service")
    assert unit_files.foreign("sidekiq", root) == [UNIT]


def drop_in(folder, name):
    return f"{folder}/sidekiq.service.d/{name}"


def test_drop_ins_that_sort_after_the_role_s_are_read_in_systemd_s_order(host):
    places = [
        drop_in("/etc/systemd/system", "override.conf"),
        drop_in("/run/systemd/system", "override.conf"),
        drop_in("/usr/lib/systemd/system", "memory.conf"),
        drop_in("/etc/systemd/system", "10-first.conf"),
        drop_in("/etc/systemd/system", "z.txt"),
        LIMITS,
    ]
    for path in places:
        root = host(path, "[Service]\n")
    assert [path[len(root) :] for path in unit_files.drop_ins("sidekiq", root)] == [places[2], places[0]]


WANTED = {"MemoryMax": str(180 << 20), "LimitNOFILE": "16384", "OOMPolicy": "kill", "User": "app"}


@pytest.mark.parametrize(
    ("line", "wins"),
    [
        ("MemoryMax=4G", True),
        ("MemoryMax = infinity", True),
        ("MemoryMax=50%", True),
        ("MemoryMax=180M", False),
        ("MemoryMax=188743680", False),
        ("LimitNOFILE=1024", True),
        ("LimitNOFILE=16384:65536", False),
        ("OOMPolicy=Kill", False),
        ("User=root", True),
        ("ExecStart=", False),
        ("ExecStart=/usr/bin/sidekiq", True),
        ("Environment=A=b", False),
        ("#MemoryMax=4G", False),
    ],
)
def test_a_setting_with_another_value_wins(line, wins, host):
    root = host(drop_in("/etc/systemd/system", "override.conf"), f"[Unit]\nMemoryMax=1G\n[Service]\n{line}\n")
    found = unit_files.overriding(unit_files.settings(unit_files.drop_ins("sidekiq", root)), WANTED)
    assert [one.line for one in found] == ([4] if wins else [])
    if wins:
        assert found[0].told().startswith(f"{root}/etc/systemd/system/sidekiq.service.d/override.conf:4 (")
        assert unit_files.without("a\nb\nc\nd\n", [4]) == "a\nb\nc\n# lifeline.fleet.sidekiq_watchdog: d\n"


def test_what_is_in_force_is_compared_with_what_is_wanted():
    shown = {"MemoryMax": "4294967296", "LimitNOFILE": "16384", "OOMPolicy": "kill", "User": "app"}
    assert unit_files.differences(shown, WANTED) == {"MemoryMax": "4294967296"}
    assert unit_files.differences({}, WANTED) == {}


def test_the_last_file_wins(host, tmp_path):
    host("/a.conf", "[Service]\nMemoryMax=1G\nMemoryMax=2G\n")
    root = host("/b.conf", "[Service]\nMemoryMax=3G\n[Install]\nMemoryMax=4G\n")
    found = unit_files.winner("MemoryMax", [f"{root}/a.conf", f"{root}/b.conf", f"{root}/none"])
    assert (found.path, found.line, found.value) == (f"{root}/b.conf", 2, "3G")
    assert unit_files.winner("OOMPolicy", [f"{root}/a.conf"]) is None
