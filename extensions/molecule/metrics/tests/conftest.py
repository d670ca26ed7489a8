# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The boxes that tell Prometheus how they are, and what the tests ask them again and again."""

from __future__ import annotations

import pathlib
import re

import boxes as lab
import pytest

SCENARIO = pathlib.Path(__file__).resolve().parents[1]


class MetricsBox(lab.Box):
    folder = "/var/lib/prometheus/node-exporter"
    file = folder + "/lifeline.prom"
    # As the service runs it, but for its sandbox.
    program = "/usr/bin/python3 -I -S -B /usr/local/lib/lifeline/metrics /etc/lifeline/metrics.json " + file

    def text(self):
        return self.run("cat " + self.file)

    def write(self):
        """Have the service write now, however often it has just been started."""
        return (
            self.attempt(
                "systemctl reset-failed lifeline-metrics.service; systemctl start lifeline-metrics.service"
            ).returncode
            == 0
        )

    def scraped(self):
        """What Prometheus would get of the box's node_exporter: each series with its value."""
        answer = self.run(
            "python3 -c 'import urllib.request as r; print(r.urlopen(\"http://127.0.0.1:9100/metrics\").read().decode())'"
        )
        return {
            series: float(value)
            for series, value in re.findall(r"^([^#\n]\S*(?:\{.*\})?) (\S+)$", answer, re.MULTILINE)
        }


@pytest.fixture(scope="session")
def boxes():
    return lab.of_set("metrics", MetricsBox)


@pytest.fixture
def converge():
    """Call with boxes and variables: whether the scenario's playbook succeeded on them, and what it printed."""
    yield from lab.converging(SCENARIO / "converge.yml")
