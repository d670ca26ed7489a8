# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Commands and variables as people write them reach Sidekiq unchanged, and a look at them starts nothing."""

from __future__ import annotations

HOME_MADE = {"name": "sidekiq", "app_path": "/srv/app/current", "max_memory": "150 MB", "threads": 5}
VALUES = {"PLAIN": "a b", "CITY": "Zürich ☃", "LINES": "one\ntwo", "SIGNS": "\"'`$HOME %n \\", "ON": True, "OFF": False}


def test_the_worker_gets_each_word_and_each_variable_unchanged(boxes, converge):
    """A login shell, a quoted word and odd values survive Ansible, systemd and two shells."""
    box = next(box for box in boxes if not box.several)
    worker = {
        **HOME_MADE,
        "command": "/bin/bash -lc 'TAG=\"it'\\''s 100%\" sidekiq'",
        "variables": {**VALUES, "NONE": None, "NUMBER": 7},
    }
    try:
        done, output = converge(box, sidekiq_watchdog_workers=[worker])
        assert done, output
        found = dict(
            entry.split("=", 1) for entry in box.run(f"cat /proc/{box.pid()}/environ").split("\0") if "=" in entry
        )
        wanted = {**VALUES, "ON": "true", "OFF": "false", "NUMBER": "7", "TAG": "it's 100%"}
        assert {name: found.get(name) for name in wanted} == wanted
        assert "NONE" not in found
        assert box.run(f"cat /proc/{box.pid()}/cmdline").startswith("sidekiq "), "a shell is the main process"
        done, output = converge(box, sidekiq_watchdog_workers=[worker])
        assert done and "changed=0" in output, output
    finally:
        assert converge(box)[0]


def test_a_look_never_starts_a_worker(boxes, converge):
    """One wrapper swallows its options in a way that can be read, the other in a way that cannot."""
    box = next(box for box in boxes if not box.several)
    before, pid = box.run("pgrep -f '^(sidekiq |ruby.*sidekiq)' | sort"), box.pid()
    box.run("""cat > /usr/local/bin/plain <<'END'
#!/bin/sh
exec sidekiq -r /srv/app/current/app.rb
END
cat > /usr/local/bin/sly <<'END'
#!/bin/sh
: "$@"; exec setsid --wait sidekiq -r /srv/app/current/app.rb
END
chmod 755 /usr/local/bin/plain /usr/local/bin/sly""")
    try:
        for command, complaint in (
            ("plain", "/usr/local/bin/plain does not pass its options on to Sidekiq; write exec"),
            ("bash -c 'plain'", "does not pass its options on to Sidekiq"),
            ("sly", "sly -V fails as user app in /srv/app/current"),
        ):
            done, output = converge(box, sidekiq_watchdog_command=command)
            text = " ".join(output.replace("''", "'").split())
            assert not done and f"sidekiq_watchdog_command: {'' if 'bash' in command else '/'}" in text, output
            assert complaint in text, output
            assert box.run("pgrep -f '^(sidekiq |ruby.*sidekiq)' | sort") == before, "the look left a process"
        assert box.pid() == pid
    finally:
        box.run("rm /usr/local/bin/plain /usr/local/bin/sly")


def test_workers_that_share_a_file_are_not_restarted_by_each_run(boxes, converge):
    box = next(box for box in boxes if box.several)
    shared = [
        {"name": "sidekiq", "app_path": "/srv/app/current", "threads": 5},
        {"name": "sidekiq-mail", "app_path": "/srv/app/current", "threads": 2},
    ]
    try:
        assert converge(box, sidekiq_watchdog_workers=shared)[0]
        pids = box.pid(), box.pid("sidekiq-mail")
        box.wait(f"grep -q 'of 2 busy' /proc/{pids[1]}/cmdline")
        done, output = converge(box, sidekiq_watchdog_workers=shared)
        assert done and "changed=0" in output, output
        assert (box.pid(), box.pid("sidekiq-mail")) == pids
    finally:
        assert converge(box)[0]


def test_a_ruby_of_rvm_is_found_without_a_variable(boxes, converge):
    """RVM keeps Bundler away from the path of services."""
    box = next(box for box in boxes if not box.several)
    wrapper = "/usr/local/rvm/wrappers/ruby-3.1.2/bundle"
    box.run(f"""mkdir -p $(dirname {wrapper}) && cat > {wrapper} <<'END'
#!/bin/sh
[ "$1" = exec ] && shift && exec "$@"
END
chmod 755 {wrapper} && touch /srv/app/current/Gemfile && mv /usr/bin/bundle /usr/bin/bundle.off 2> /dev/null; true""")
    try:
        done, output = converge(box)
        assert done, output
        assert wrapper in box.show("ExecStart")
    finally:
        box.run(f"rm -r {wrapper} /srv/app/current/Gemfile; mv /usr/bin/bundle.off /usr/bin/bundle 2> /dev/null; true")
        assert converge(box)[0]
