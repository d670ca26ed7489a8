# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Test reboot_down with hosts that hang and a local EC2 (moto), whose reboots restart the containers."""

from __future__ import annotations

import base64
import json
import os
import pathlib
import shutil
import socket
import subprocess
import sys
import threading
import time
import urllib.request

import boto3
import boxes as lab
import pytest

PLAYBOOK = pathlib.Path(__file__).resolve().parents[4] / "playbooks" / "reboot_down.yml"
REGION = "eu-central-1"


class Cloud:
    """The server of moto, and a thread that reboots the containers of its instances."""

    def __init__(self, folder):
        with socket.socket() as one:
            one.bind(("127.0.0.1", 0))
            self.port = one.getsockname()[1]
        self.environment = {
            "AWS_ACCESS_KEY_ID": "x",
            "AWS_SECRET_ACCESS_KEY": "x",
            "AWS_DEFAULT_REGION": REGION,
            "AWS_ENDPOINT_URL": self.url,
        }
        program = shutil.which("moto_server") or str(pathlib.Path(sys.executable).with_name("moto_server"))
        with (folder / "moto.log").open("wb") as log:
            self.process = subprocess.Popen(
                [program, "-H", "127.0.0.1", "-p", str(self.port)],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                cwd=folder,
            )
        self.boxes, self.over = {}, threading.Event()
        self.machine = threading.Thread(target=self.reboot_as_asked)

    @property
    def url(self):
        return f"http://127.0.0.1:{self.port}"

    def __enter__(self):
        deadline = time.monotonic() + lab.PATIENCE
        while True:
            try:
                self.moto("start-recording")
                break
            except OSError:
                assert self.process.poll() is None and time.monotonic() < deadline, "moto doesn't start"
                time.sleep(0.2)
        self.machine.start()
        return self

    def __exit__(self, *_):
        self.over.set()
        self.machine.join()
        self.process.kill()
        self.process.wait()

    def moto(self, what, method="POST"):
        request = urllib.request.Request(f"{self.url}/moto-api/recorder/{what}", method=method)
        with urllib.request.urlopen(request, timeout=30) as answer:
            return answer.read().decode()

    def run_instances(self, count):
        client = boto3.client(
            "ec2", region_name=REGION, endpoint_url=self.url, aws_access_key_id="x", aws_secret_access_key="x"
        )
        image = client.describe_images()["Images"][0]["ImageId"]
        made = client.run_instances(ImageId=image, MinCount=count, MaxCount=count, InstanceType="t3.micro")
        ids = [instance["InstanceId"] for instance in made["Instances"]]
        client.stop_instances(InstanceIds=ids[1:])
        return ids

    def reboots(self):
        """Return the IDs of the instances that EC2 was asked to reboot."""
        bodies = [
            base64.b64decode(entry["body"]).decode()
            for entry in map(json.loads, self.moto("download-recording", "GET").splitlines())
            if entry.get("body")
        ]
        return [
            field.partition("=")[2]
            for body in bodies
            if "Action=RebootInstances" in body
            for field in body.split("&")
            if field.startswith("InstanceId.")
        ]

    def reboot_as_asked(self):
        done = 0
        while not self.over.wait(0.5):
            asked = self.reboots() if self.boxes else []
            for number in asked[done:]:
                # A host that answered once more before it boots would count as back.
                for verb in ("kill", "wait", "start"):
                    subprocess.run(["podman", verb, self.boxes[number]], check=True, stdout=subprocess.DEVNULL)
            done = len(asked)


@pytest.fixture(scope="session")
def boxes():
    """Return the hosts by their kind of fault."""
    return {box.variables["lab_kind"]: box for box in lab.of_set("reboot")}


@pytest.fixture(scope="module")
def cloud(tmp_path_factory):
    folder = tmp_path_factory.mktemp("cloud")
    os.environ.pop("AWS_PROFILE", None)
    with Cloud(folder) as cloud:
        yield cloud


@pytest.fixture
def reboot(cloud, tmp_path, monkeypatch):
    """Return a function that plays the playbook on hosts, and returns whether it succeeded and what it printed."""
    for name, value in cloud.environment.items():
        monkeypatch.setenv(name, value)

    def run(*some, options=(), **variables):
        variables = {
            "lifeline_reboot_hosts": "reboot",
            "lifeline_reboot_state": str(tmp_path / "down.json"),
            "lifeline_reboot_patience": 5,
            "lifeline_reboot_grace": 0,
            "lifeline_reboot_wait": 120,
            **variables,
        }
        return lab.play(PLAYBOOK, [box.name for box in some], variables, *options)

    return run


def instances(pairs):
    """Return the variable that gives each host its instance, as host variables would."""
    return {
        "lifeline_instance_id": "{{ %s[inventory_hostname] | default('') }}"
        % json.dumps({box.name: number for box, number in pairs})
    }


def test_a_box_that_hangs_is_rebooted_and_waited_for(boxes, cloud, reboot, tmp_path):
    hung, gone, well = boxes["ok"], boxes["down"], boxes["idle"]
    running, stopped = cloud.run_instances(2)
    container = hung.variables["lab_container"]
    cloud.boxes[running] = container
    numbers = instances([(hung, running), (gone, stopped)])
    # It accepts connections and then stays silent, like a host without free memory.
    subprocess.run(["podman", "pause", container], check=True, stdout=subprocess.DEVNULL)
    try:
        succeeded, output = reboot(hung, gone, well, lifeline_reboot_grace=600, confirm=True, **numbers)
        assert succeeded and f"{hung.name}: left: it has been down for" in output and cloud.reboots() == []

        succeeded, output = reboot(hung, gone, well, options=["--check"], **numbers)
        assert succeeded and f"{hung.name}: to be rebooted: " in output and cloud.reboots() == []

        succeeded, output = reboot(hung, gone, well, **numbers)
        assert not succeeded and "nothing is rebooted without a yes" in output and cloud.reboots() == []

        succeeded, output = reboot(hung, gone, lifeline_reboot_blind=False, confirm=True, **numbers)
        assert not succeeded and "none of 2 boxes answers" in output and cloud.reboots() == []

        succeeded, output = reboot(hung, gone, well, confirm=True, **numbers)
    finally:
        subprocess.run(
            ["podman", "unpause", container], check=False, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
        )
    assert succeeded, output
    assert cloud.reboots() == [running]
    assert f"{hung.name}: it is back: " in output
    assert f"{gone.name}: left: {stopped}: not running (stopped)" in output
    assert f"{well.name}: " not in output.partition("Show the results")[2].partition("TASK")[0]
    events = [json.loads(line) for line in (tmp_path / "reboot.log").read_text().splitlines()]
    assert [(event["box"], event["event"]) for event in events] == [(hung.name, "reboot"), (hung.name, "back")]


def test_a_host_that_rejects_the_login_is_not_down(boxes, cloud, reboot):
    well = boxes["idle"]
    before = cloud.reboots()
    succeeded, output = reboot(
        well, ansible_user="nobody-here", confirm=True, lifeline_instance_id="i-0123456789abcdef0"
    )
    assert succeeded and "it answers, but rejects the login: " in output
    assert cloud.reboots() == before
