# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A time limit on what waits for a box.

Ansible has one for connecting, and one for tasks of all kinds (C(task_timeout)): short enough for a look at a box, that one would
end an installation in the middle.
"""

from __future__ import annotations

import signal
import threading
from contextlib import contextmanager

from ansible.errors import AnsibleConnectionFailure


@contextmanager
def deadline(seconds):
    """Raise AnsibleConnectionFailure, which makes the box unreachable, where the body takes longer."""

    def expire(_number, _frame):
        raise AnsibleConnectionFailure(f"the box accepted the connection, and then said nothing for {seconds:g} s")

    if threading.current_thread() is not threading.main_thread():
        yield
        return
    handler = signal.signal(signal.SIGALRM, expire)
    # Ansible's own alarm, where there is one, goes on when this is over.
    left, interval = signal.setitimer(signal.ITIMER_REAL, seconds)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, left, interval)
        signal.signal(signal.SIGALRM, handler)
