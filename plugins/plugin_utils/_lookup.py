# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The base class of the collection's lookups: options, and one way to report a setting that is wrong."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from ansible.errors import AnsibleLookupError
from ansible.plugins.lookup import LookupBase

from ansible_collections.lifeline.fleet.plugins.module_utils._errors import SettingsError


class SettingsLookup(LookupBase):
    """A lookup that reads settings. A subclass implements `find` and lets SettingsError pass."""

    # Whether an error begins with the host's name. False where the errors name it themselves or concern no host.
    names_host = True

    def run(self, terms: Sequence[Any], variables: Mapping[str, Any] | None = None, **kwargs: Any) -> list[Any]:
        """Set the options and return what `find` returns. Raises AnsibleLookupError."""
        variables = {} if variables is None else variables
        self.set_options(var_options=variables, direct=kwargs)
        try:
            return self.find(terms, variables)
        except SettingsError as error:
            host = variables.get("inventory_hostname")
            prefix = f"{host}: " if self.names_host and host else ""
            raise AnsibleLookupError(f"{prefix}{error}") from None

    def find(self, terms: Sequence[Any], variables: Mapping[str, Any]) -> list[Any]:
        """Return the values that the lookup stands for. Raises SettingsError."""
        raise NotImplementedError
