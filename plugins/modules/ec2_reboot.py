#!/usr/bin/python
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Reboots an instance of EC2 whose checks pass, by the means of the collection amazon.aws."""

from __future__ import annotations

DOCUMENTATION = r"""
module: ec2_reboot
short_description: Reboots an EC2 instance, if it runs and its status checks pass
version_added: 0.1.0
description:
  - Asks EC2 for the state and the status checks of an instance, and reboots it (C(RebootInstances)) if it runs and both checks pass. An
    instance whose checks fail has trouble that a reboot doesn't mend, or is not what it is taken for. It is left, and the answer says
    why.
  - The instance keeps its addresses and its disks. EC2 resets it where the operating system doesn't shut down within a few minutes, as
    one that is out of memory doesn't. C(state=restarted) of M(amazon.aws.ec2_instance) is another thing, which stops and starts the
    instance, so that it loses its public address where that is no elastic one.
  - It runs where the credentials are, which is the controller, and uses the connection to AWS of the collection C(amazon.aws). It takes
    all options of that collection's modules for region, endpoint, profile and credentials, and their environment variables.
options:
  instance_id:
    description: The number of the instance.
    type: str
    required: true
  region:
    description: The region that it is in. By default what AWS's own configuration says.
    type: str
  profile:
    description: A named profile of AWS's own configuration.
    type: str
  endpoint_url:
    description: Where EC2 is asked instead of at AWS.
    type: str
extends_documentation_fragment:
  - lifeline.fleet.support
attributes:
  check_mode:
    details:
      - The instance is looked at, and not rebooted.
requirements:
  - The collection C(amazon.aws), and boto3, on the controller. This collection doesn't bring them along.
seealso:
  - module: lifeline.fleet.answers
author:
  - The Lifeline authors (@lifeline-fleet)
"""

EXAMPLES = r"""
- name: See whether it could be rebooted
  lifeline.fleet.ec2_reboot:
    instance_id: i-0123456789abcdef0
    region: eu-central-1
  check_mode: true
  delegate_to: localhost

- name: Reboot it
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
  description: What EC2 calls the state of the instance; V(null) where it knows none of this number.
  returned: always
  type: str
  sample: running
checks:
  description: What EC2 says of the checks C(system) and C(instance).
  returned: always
  type: dict
  sample: {"system": "ok", "instance": "ok"}
msg:
  description: What was found and done, in a sentence.
  returned: always
  type: str
  sample: i-0123456789abcdef0 is rebooted
"""

import re

from ansible.module_utils.basic import AnsibleModule, missing_required_lib

try:
    from ansible_collections.amazon.aws.plugins.module_utils.botocore import is_boto3_error_code
    from ansible_collections.amazon.aws.plugins.module_utils.modules import AnsibleAWSModule
except ImportError:
    AnsibleAWSModule = None

_SPEC = {"instance_id": {"type": "str", "required": True}}
# What amazon.aws itself adds, as far as the manual tells.
_CONNECTION = {"region": {"type": "str"}, "profile": {"type": "str"}, "endpoint_url": {"type": "str"}}
_ID = re.compile(r"i-[0-9a-f]{8,32}$")


def judge(instance_id, statuses):
    """What EC2's answer means: the values that the module returns, but for C(changed)."""
    if not statuses:
        return {
            "ready": False,
            "state": None,
            "checks": {},
            "msg": f"EC2 knows no instance {instance_id} in this region",
        }
    state = statuses[0]["InstanceState"]["Name"]
    checks = {
        name: statuses[0].get(key, {}).get("Status", "unknown")
        for name, key in (("system", "SystemStatus"), ("instance", "InstanceStatus"))
    }
    failed = ["%s: %s" % item for item in sorted(checks.items()) if item[1] != "ok"]
    if state != "running":
        said = f"{instance_id} doesn't run: it is {state}"
    elif failed:
        said = f"{instance_id} doesn't pass its status checks ({', '.join(failed)})"
    else:
        return {
            "ready": True,
            "state": state,
            "checks": checks,
            "msg": f"{instance_id} runs, and passes its status checks",
        }
    return {"ready": False, "state": state, "checks": checks, "msg": said}


def _statuses(client, instance_id):
    try:
        return client.describe_instance_status(InstanceIds=[instance_id], IncludeAllInstances=True)["InstanceStatuses"]
    except is_boto3_error_code("InvalidInstanceID.NotFound"):
        return []


def main():
    if AnsibleAWSModule is None:
        module = AnsibleModule(argument_spec={**_SPEC, **_CONNECTION}, supports_check_mode=True)
        module.fail_json(
            msg=f"{missing_required_lib('the collection amazon.aws', reason='to speak with EC2.')} Install it where Ansible runs: ansible-galaxy collection install amazon.aws"
        )
    module = AnsibleAWSModule(argument_spec=_SPEC, supports_check_mode=True)
    instance_id = module.params["instance_id"]
    if not _ID.match(instance_id):
        module.fail_json(
            msg=f"instance_id is {instance_id!r}: it must be the number of an EC2 instance, such as i-0123456789abcdef0"
        )
    client = module.client("ec2")
    try:
        found = judge(instance_id, _statuses(client, instance_id))
        if found["ready"] and not module.check_mode:
            client.reboot_instances(InstanceIds=[instance_id])
            found["msg"] = f"{instance_id} is rebooted"
    except Exception as error:  # boto3's own classes are there only with boto3
        module.fail_json_aws(error, msg=f"EC2 can't be asked about {instance_id}")
    module.exit_json(changed=found["ready"], **found)


if __name__ == "__main__":
    main()
