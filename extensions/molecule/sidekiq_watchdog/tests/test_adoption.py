# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A host that had workers before: refused, taken over without losing a job, and given back as it was."""

from __future__ import annotations

import pytest

UNIT = "/etc/systemd/system/sidekiq.service"
OVERRIDE = UNIT + ".d/override.conf"
FILES = f"{UNIT} {OVERRIDE} /etc/default/sidekiq"
# A unit of Capistrano's with an override, another unit that systemd would restart and soon kill, and a terminal.
LIVED_IN = f"""
cat > {UNIT} <<'END'
[Service]
User=app
WorkingDirectory=/srv/app/current
Environment=REDIS_URL=redis://127.0.0.1:6379/0 SECRET=abc
ExecStart=/usr/bin/sidekiq -e production -C config/sidekiq.yml -c 5
Restart=always
[Install]
WantedBy=multi-user.target
END
chmod 640 {UNIT}
mkdir -p {UNIT}.d && printf '[Service]\\nEnvironment=MORE=1\\nMemoryMax=4G\\nLimitNOFILE=1024\\n' > {OVERRIDE}
echo REDIS=x > /etc/default/sidekiq
cat > /etc/systemd/system/old-worker.service <<'END'
[Service]
User=app
WorkingDirectory=/srv/app/current
ExecStart=/usr/bin/sidekiq -e production -c 2
Restart=always
TimeoutStopSec=1
[Install]
WantedBy=multi-user.target
END
systemctl daemon-reload && systemctl enable -q --now old-worker sidekiq
cd /srv/app/current
setsid runuser -u app -- sidekiq -e production -c 2 > /dev/null 2>&1 < /dev/null &
"""
BUSY = "pgrep -cf '^sidekiq .* busy'"


@pytest.fixture
def box(boxes, converge):
    """Return a host as people have them, with three workers that the role did not start."""
    box = next((box for box in boxes if not box.several), None)
    assert box is not None, "each host of the scenario has several workers"
    done, output = converge(box, sidekiq_watchdog_state="reverted")
    assert done, output
    assert box.attempt(f"ls {UNIT}").returncode, "the unit of a host that had none is still there"
    box.run("redis-cli flushall")
    box.run(LIVED_IN)
    box.wait(f"test $({BUSY}) = 3")
    yield box
    box.run(
        f"systemctl disable --now old-worker sidekiq; rm -rf {FILES} {UNIT}.d /etc/systemd/system/old-worker.service"
    )
    box.run(f"systemctl daemon-reload; rm -rf /var/lib/lifeline/sidekiq_watchdog; {BUSY} || true")
    assert converge(box)[0]


def test_workers_of_others_are_refused_taken_over_and_given_back(box, converge):
    before = box.run(f"stat -c '%n %a %U' {FILES}; cat {FILES}")
    pids = box.run("pgrep -f '^sidekiq '")

    done, output = converge(box)
    text = " ".join(output.replace("''", "'").split())
    assert not done
    for part in (
        f"{UNIT} is not the role's and would be replaced",
        "/etc/default/sidekiq is not the role's",
        f"{OVERRIDE}:3 (MemoryMax=4G) wins",
        "of user app in /srv/app/current, of the unit old-worker.service) and would run twice",
        "Nothing was touched",
    ):
        assert part in text, output
    assert box.run("pgrep -f '^sidekiq '") == pids
    assert box.run(f"stat -c '%n %a %U' {FILES}; cat {FILES}") == before

    box.feed("crawl", 200, 0, 4000)
    done, output = converge(box, sidekiq_watchdog_takeover="take")
    assert done, output
    box.wait("test $(redis-cli get jobs_done) = 200")
    assert box.redis("get stat:failed") in ("", "0")
    assert box.run("pgrep -f '^sidekiq '") == str(box.pid()), "a second worker runs"
    assert box.run("systemctl is-enabled old-worker || true") == "disabled"
    assert (box.show("MemoryMax"), box.show("LimitNOFILE")) == (str(180 << 20), "16384")
    assert "MORE=1" in box.show("Environment")
    done, output = converge(box)
    assert done and "changed=0" in output, output

    done, output = converge(box, sidekiq_watchdog_state="reverted")
    assert done and "start the worker by hand as before" in " ".join(output.split()), output
    assert box.run(f"stat -c '%n %a %U' {FILES}; cat {FILES}") == before
    box.wait("systemctl is-active old-worker sidekiq")
    assert "SECRET=abc" in box.show("Environment")


def test_a_drop_in_that_comes_later_is_named_with_its_line(box, converge):
    """It is refused before anything is touched, and so is what systemd has from elsewhere."""
    assert converge(box, sidekiq_watchdog_takeover="take")[0]
    pid = box.pid()
    box.run(f"printf '[Service]\\nOOMScoreAdjust=0\\n' > {UNIT}.d/zz.conf && systemctl daemon-reload")
    done, output = converge(box)
    assert not done and f"{UNIT}.d/zz.conf:2 (OOMScoreAdjust=0) wins" in " ".join(output.split()), output
    done, output = converge(box, sidekiq_watchdog_takeover="keep")
    assert done and "OOMScoreAdjust is 0 instead of 500" in " ".join(output.split()), output
    assert box.pid() == pid
    done, output = converge(box, sidekiq_watchdog_takeover="take")
    assert done and box.show("OOMScoreAdjust") == "500", output
    assert box.pid() == pid
