# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Control the browser that shows the pages: Debian's Chromium, without a screen and without a network."""

from __future__ import annotations

import json

from selenium import webdriver

_FLAGS = (
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--disable-dev-shm-usage",
    "--hide-scrollbars",
)


class Browser:
    """Chromium with the calls that the tests need."""

    def __init__(self, profile):
        options = webdriver.ChromeOptions()
        options.binary_location = "/usr/bin/chromium"
        for flag in (*_FLAGS, f"--user-data-dir={profile}"):
            options.add_argument(flag)
        options.set_capability("goog:loggingPrefs", {"browser": "ALL", "performance": "ALL"})
        self.driver = webdriver.Chrome(options=options, service=webdriver.ChromeService("/usr/bin/chromedriver"))

    def open(self, path, width=1440, height=1000, scheme="light", media="", scripts=True, anchor=""):
        """Open a file on a screen of this size, and forget everything that was logged before."""
        self.tell(
            "Emulation.setDeviceMetricsOverride", width=width, height=height, deviceScaleFactor=1, mobile=width < 600
        )
        self.tell(
            "Emulation.setEmulatedMedia", media=media, features=[{"name": "prefers-color-scheme", "value": scheme}]
        )
        self.tell("Emulation.setScriptExecutionDisabled", value=not scripts)
        self.driver.get("about:blank")
        self.messages(), self.requests()
        self.driver.get(f"file://{path}{anchor}")

    def tell(self, command, **arguments):
        return self.driver.execute_cdp_cmd(command, arguments)

    def ask(self, script, *arguments):
        """Return the value of a JavaScript expression."""
        return self.driver.execute_script("return " + script, *arguments)

    def messages(self):
        """Return the messages of the console since the last call."""
        return [entry["message"] for entry in self.driver.get_log("browser")]

    def requests(self):
        """Return the addresses of all requests since the last call."""
        events = [json.loads(entry["message"])["message"] for entry in self.driver.get_log("performance")]
        return [event["params"]["request"]["url"] for event in events if event["method"] == "Network.requestWillBeSent"]
