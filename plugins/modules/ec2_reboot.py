#!/usr/bin/python
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The module lifeline.fleet.ec2_reboot."""

from __future__ import annotations

DOCUMENTATION = r"""
module: ec2_reboot
short_description: Reboots an EC2 instance if it runs and its status checks pass
version_added: 0.1.0
description:
  - Reads the state and the status checks of an instance from EC2, and reboots it (C(RebootInstances)) if it runs and
    both checks pass. A reboot does not repair an instance whose checks fail, so it is left alone, and the result says
    why.
  - The instance keeps its addresses and its disks. EC2 resets it if the operating system does not shut down within a
    few minutes, which happens when it is out of memory. In contrast, C(state=restarted) of M(amazon.aws.ec2_instance)
    stops and starts the instance, which then loses its public address unless that is an elastic one.
  - Runs on the controller, where the credentials are, with the AWS connection of the collection C(amazon.aws). It takes
    all options of that collection's modules for region, endpoint, profile and credentials, and their environment
    variables.
options:
  instance_id:
    description: The ID of the instance.
    type: str
    required: true
  region:
    description: The region of the instance. By default that of AWS's own configuration.
    type: str
  profile:
    description: A named profile of AWS's own configuration.
    type: str
  endpoint_url:
    description: The URL of an EC2 service to use instead of that of AWS.
    type: str
extends_documentation_fragment:
  - lifeline.fleet.support
attributes:
  check_mode:
    details:
      - The instance is checked, but not rebooted.
requirements:
  - The collection C(amazon.aws) and boto3 on the controller. This collection does not install them.
seealso:
  - module: lifeline.fleet.answers
author:
  - The Lifeline authors (@lifeline-fleet)
"""

EXAMPLES = r"""
- name: Check whether the instance could be rebooted
  lifeline.fleet.ec2_reboot:
    instance_id: i-0123456789abcdef0
    region: eu-central-1
  check_mode: true
  delegate_to: localhost

- name: Reboot the instance
  lifeline.fleet.ec2_reboot:
    instance_id: i-0123456789abcdef0
    region: eu-central-1
  delegate_to: localhost
"""

RETURN = r"""
ready:
  description: Whether the instance runs and passes its checks.
  returned: always
  type: bool
state:
  description: The state of the instance in EC2; V(null) if there is no such instance.
  returned: always
  type: str
  sample: running
checks:
  description: The status of the checks C(system) and C(instance) in EC2.
  returned: always
  type: dict
  sample: {"system": "ok", "instance": "ok"}
msg:
  description: What was found and done, in one sentence.
  returned: always
  type: str
  sample: 'i-0123456789abcdef0: rebooted'
"""

import re

from ansible.module_utils.basic import AnsibleModule, missing_required_lib

try:
    from ansible_collections.amazon.aws.plugins.module_utils.botocore import is_boto3_error_code
    from ansible_collections.amazon.aws.plugins.module_utils.modules import AnsibleAWSModule
except ImportError:
    HAS_AWS = False
else:
    HAS_AWS = True

_SPEC = {"instance_id": {"type": "str", "required": True}}
# amazon.aws adds these itself; they are repeated for hosts without it, as far as the documentation names them.
_CONNECTION = {"region": {"type": "str"}, "profile": {"type": "str"}, "endpoint_url": {"type": "str"}}
_ID = re.compile(r"i-[0-9a-f]{8,32}$")


def judge(instance_id, statuses):
    """Return the module's result, without `changed`, for EC2's answer about an instance."""
    if not statuses:
        return {
            "ready": False,
            "state": None,
            "checks": {},
            "msg": f"{instance_id}: no such instance in this region",
        }
    state = statuses[0]["InstanceState"]["Name"]
    checks = {
        name: statuses[0].get(key, {}).get("Status", "unknown")
        for name, key in (("system", "SystemStatus"), ("instance", "InstanceStatus"))
    }
    failed = [f"{name}: {status}" for name, status in sorted(checks.items()) if status != "ok"]
    if state != "running":
        said = f"{instance_id}: not running ({state})"
    elif failed:
        said = f"{instance_id}: status checks fail ({', '.join(failed)})"
    else:
        return {
            "ready": True,
            "state": state,
            "checks": checks,
            "msg": f"{instance_id}: running, and its status checks pass",
        }
    return {"ready": False, "state": state, "checks": checks, "msg": said}


def _statuses(client, instance_id):
    try:
        return client.describe_instance_status(InstanceIds=[instance_id], IncludeAllInstances=True)["InstanceStatuses"]
    except is_boto3_error_code("InvalidInstanceID.NotFound"):
        return []


def main():
    if not HAS_AWS:
        module = AnsibleModule(argument_spec={**_SPEC, **_CONNECTION}, supports_check_mode=True)
        module.fail_json(
            msg=missing_required_lib("the collection amazon.aws", reason="to connect to EC2.")
            + " Install it on the controller: ansible-galaxy collection install amazon.aws"
        )
    module = AnsibleAWSModule(argument_spec=_SPEC, supports_check_mode=True)
    instance_id = module.params["instance_id"]
    if not _ID.match(instance_id):
        module.fail_json(
            msg=f"instance_id: not the ID of an instance ({instance_id!r}); write it as in i-0123456789abcdef0"
        )
    client = module.client("ec2")
    try:
        found = judge(instance_id, _statuses(client, instance_id))
        if found["ready"] and not module.check_mode:
            client.reboot_instances(InstanceIds=[instance_id])
            found["msg"] = f"{instance_id}: rebooted"
    except Exception as error:  # boto3's own exceptions exist only with boto3
        module.fail_json_aws(error, msg=f"{instance_id}: the request to EC2 failed")
    module.exit_json(changed=found["ready"], **found)


if __name__ == "__main__":
    main()
