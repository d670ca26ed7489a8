# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Write the metrics of this host for node_exporter: python3 -I -S THIS-FOLDER /etc/lifeline/metrics.json"""

import sys

from ansible_collections.lifeline.fleet.plugins.module_utils._metrics.exporter import main

sys.exit(main(sys.argv[1:]))
