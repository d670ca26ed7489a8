# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Test which authorities TLS trusts, and which certificate it presents."""

from __future__ import annotations

import shutil
import ssl
import subprocess

import pytest

from ansible_collections.lifeline.fleet.plugins.module_utils import _tls

pytestmark = pytest.mark.skipif(shutil.which("openssl") is None, reason="there is no openssl")


@pytest.fixture(scope="module")
def pair(tmp_path_factory):
    """Make a certificate and its key, and return their paths."""
    folder = tmp_path_factory.mktemp("tls")
    certificate, key = str(folder / "cert.pem"), str(folder / "key.pem")
    subprocess.run(
        ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes"]
        + ["-subj", "/CN=lab", "-days", "2", "-keyout", key, "-out", certificate],
        check=True,
        stdin=subprocess.DEVNULL,
        capture_output=True,
    )
    return certificate, key


def test_by_default_names_and_certificates_are_checked():
    context = _tls.context({})
    assert (context.verify_mode, context.check_hostname) == (ssl.CERT_REQUIRED, True)


def test_checks_can_be_switched_off():
    context = _tls.context({"validate_certs": False})
    assert (context.verify_mode, context.check_hostname) == (ssl.CERT_NONE, False)


def test_only_the_given_authority_is_trusted(pair):
    certificates = _tls.context({"ca_path": pair[0]}).get_ca_certs()
    assert [dict(entry[0] for entry in one["subject"]) for one in certificates] == [{"commonName": "lab"}]


def test_a_certificate_of_the_client_is_loaded(pair):
    _tls.context({"client_cert": pair[0], "client_key": pair[1]})


@pytest.mark.parametrize("key", ["ca_path", "client_cert"])
def test_a_file_that_is_missing_is_named(key):
    with pytest.raises(ValueError, match="TLS: /no/such.pem cannot be used: No such file or directory"):
        _tls.context({key: "/no/such.pem"})


def test_a_file_that_holds_something_else_is_named(tmp_path, pair):
    path = tmp_path / "cert.pem"
    path.write_text("text\n")
    with pytest.raises(ValueError, match=f"TLS: {path}, {pair[1]} cannot be used: "):
        _tls.context({"client_cert": str(path), "client_key": pair[1]})
