# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The hosts that export metrics, and what the tests do with them repeatedly."""

from __future__ import annotations

import pathlib
import re

import boxes as lab
import pytest

SCENARIO = pathlib.Path(__file__).resolve().parents[1]


class MetricsBox(lab.Box):
    folder = "/var/lib/prometheus/node-exporter"
    file = folder + "/lifeline.prom"
    # The command line of the service, without its sandbox.
    program = "/usr/bin/python3 -I -S -B /usr/local/lib/lifeline/metrics /etc/lifeline/metrics.json " + file

    def text(self):
        return self.run("cat " + self.file)

    def write(self):
        """Run the service now, however often it was just started, and return whether it succeeded."""
        return (
            self.attempt(
                "systemctl reset-failed lifeline-metrics.service; systemctl start lifeline-metrics.service"
            ).returncode
            == 0
        )

    def scraped(self):
        """Return each series with its value as Prometheus would get them from the host's node_exporter."""
        url = "http://127.0.0.1:9100/metrics"
        answer = self.run(f"python3 -c 'import urllib.request as r; print(r.urlopen(\"{url}\").read().decode())'")
        return {
            series: float(value)
            for series, value in re.findall(r"^([^#\n]\S*(?:\{.*\})?) (\S+)$", answer, re.MULTILINE)
        }


@pytest.fixture(scope="session")
def boxes():
    return lab.of_set("metrics", MetricsBox)


@pytest.fixture
def converge():
    """Return a function that plays the scenario's playbook, and returns whether it succeeded and its output."""
    yield from lab.converging(SCENARIO / "converge.yml")
