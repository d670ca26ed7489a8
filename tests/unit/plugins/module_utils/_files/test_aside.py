# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Test that files of others come back as they were."""

from __future__ import annotations

import os

import pytest

from ansible_collections.lifeline.fleet.plugins.module_utils._files.aside import Aside, AsideError


@pytest.fixture
def place(tmp_path):
    (tmp_path / "etc").mkdir()
    (tmp_path / "etc" / "monitrc").write_text("set daemon 120\n")
    os.chmod(tmp_path / "etc" / "monitrc", 0o640)
    (tmp_path / "etc" / "sidekiq").symlink_to("../conf-available/sidekiq")
    return tmp_path


def test_a_file_and_a_link_come_back_as_they_were(place):
    file, link, kept = str(place / "etc/monitrc"), str(place / "etc/sidekiq"), str(place / "kept")
    for path in (file, link):
        Aside(kept).keep(path)
    assert os.stat(kept).st_mode & 0o777 == 0o700
    os.unlink(link)
    (place / "etc/monitrc").write_text("ours\n")
    os.chmod(file, 0o600)
    Aside(kept).keep(file)
    assert sorted(Aside(kept).entries) == [file, link]
    assert Aside(kept).restore() == [file, link]
    assert (place / "etc/monitrc").read_text() == "set daemon 120\n" and os.stat(file).st_mode & 0o777 == 0o640
    assert os.readlink(link) == "../conf-available/sidekiq"
    assert not os.path.exists(kept) and Aside(kept).restore() == []


def test_a_folder_that_is_gone_is_made_again_and_a_link_is_not_followed(place):
    file, kept = place / "etc/monitrc", str(place / "kept")
    Aside(kept).keep(str(file))
    file.unlink()
    file.symlink_to(place / "elsewhere")
    Aside(kept).restore()
    assert not file.is_symlink() and not (place / "elsewhere").exists()


def test_what_is_no_file_and_what_is_missing_is_refused(place):
    with pytest.raises(AsideError, match="is neither a file nor a link; move it away$"):
        Aside(str(place / "kept")).keep(str(place / "etc"))
    with pytest.raises(AsideError, match="cannot be kept aside: No such file"):
        Aside(str(place / "kept")).keep(str(place / "none"))


def test_a_damaged_manifest_is_named(place):
    (place / "kept").mkdir()
    (place / "kept/manifest.json").write_text("{")
    with pytest.raises(AsideError, match=r"kept/manifest.json is damaged \(.*\); restore it from a backup$"):
        Aside(str(place / "kept"))


def test_a_copy_that_is_gone_is_named(place):
    kept = Aside(str(place / "kept"))
    kept.keep(str(place / "etc/monitrc"))
    for name in os.listdir(kept.folder):
        if name.endswith("monitrc"):
            os.unlink(os.path.join(kept.folder, name))
    with pytest.raises(AsideError, match=f"^{place}/etc/monitrc cannot be put back from {place}/kept: No such file"):
        kept.restore()


def test_a_file_that_was_not_there_is_removed(place):
    file, kept = str(place / "none"), str(place / "new" / "kept")
    Aside(kept).keep(file, absent=True)
    assert os.stat(kept).st_mode & 0o777 == 0o700
    (place / "none").write_text("ours\n")
    Aside(kept).keep(file, absent=True)
    assert Aside(kept).restore() == [file]
    assert not os.path.exists(file)
