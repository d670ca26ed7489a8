# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Make a TLS context from the options of a module."""

from __future__ import annotations

import ssl
from typing import Any, Mapping


def context(options: Mapping[str, Any]) -> ssl.SSLContext:
    """Return a context from `ca_path`, `client_cert`, `client_key` and `validate_certs`.

    Raises ValueError if one of the files cannot be used.
    """
    try:
        found = ssl.create_default_context(cafile=options.get("ca_path"))
        if options.get("client_cert"):
            found.load_cert_chain(options["client_cert"], options.get("client_key"))
    except (OSError, ssl.SSLError) as error:
        files = [options[key] for key in ("ca_path", "client_cert", "client_key") if options.get(key)]
        names = ", ".join(files) or "the system's certificates"
        raise ValueError(f"TLS: {names} cannot be used: {error.strerror or error}") from error
    if not options.get("validate_certs", True):
        found.check_hostname = False
        found.verify_mode = ssl.CERT_NONE
    return found
