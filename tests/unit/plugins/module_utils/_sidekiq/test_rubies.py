# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Test where Bundler is looked for on hosts with a manager of Ruby versions."""

from __future__ import annotations

import pytest

from ansible_collections.lifeline.fleet.plugins.module_utils._sidekiq import rubies


@pytest.fixture
def host(tmp_path):
    """Return a function that makes programs at paths and returns the folder that stands for the host."""

    def install(*paths):
        for path in paths:
            program = tmp_path / path
            program.parent.mkdir(parents=True, exist_ok=True)
            program.write_text("")
            program.chmod(0o755)
        (tmp_path / "app").mkdir(exist_ok=True)
        return tmp_path

    return install


def found(folder, home="home"):
    paths = rubies.programs("bundle", f"{folder}/app", home and f"{folder}/{home}", str(folder))
    return [path[len(str(folder)) + 1 :] for path in paths]


RVM = [f"usr/local/rvm/wrappers/{name}/bundle" for name in ("default", "ruby-2.3.1", "ruby-2.3.1@app", "ruby-3.0.0")]


@pytest.mark.parametrize(
    ("files", "wrapper"),
    [
        ({}, "default"),
        ({".ruby-version": "2.3.1\n"}, "ruby-2.3.1"),
        ({".ruby-version": "ruby-3.0.0"}, "ruby-3.0.0"),
        ({".ruby-version": "2.3.1", ".ruby-gemset": "app"}, "ruby-2.3.1@app"),
        ({".tool-versions": "nodejs 20\nruby 3.0.0\n"}, "ruby-3.0.0"),
        ({".ruby-version": "1.9.3"}, "default"),
        ({".ruby-version": "../../../../tmp"}, "default"),
    ],
)
def test_rvm_s_wrapper_of_the_application_s_ruby_is_chosen(files, wrapper, host):
    folder = host(*RVM)
    for name, text in files.items():
        (folder / "app" / name).write_text(text)
    assert found(folder) == [f"usr/local/rvm/wrappers/{wrapper}/bundle"]


@pytest.mark.parametrize(
    "path",
    [
        "home/.rvm/wrappers/ruby-3.2.2/bundle",
        "home/.rbenv/shims/bundle",
        "usr/local/rbenv/shims/bundle",
        "home/.asdf/shims/bundle",
        "home/.local/share/mise/shims/bundle",
        "opt/rubies/3.2.2/bin/bundle",
        "usr/lib/fullstaq-ruby/versions/3.2-jemalloc/bin/bundle",
    ],
)
def test_each_manager_s_folder_is_known(path, host):
    assert found(host(path)) == [path]


def test_a_file_that_cannot_be_run_and_a_user_without_a_home_are_left_out(host):
    folder = host("home/.rbenv/shims/bundle", "opt/rubies/3.2.2/bin/bundle")
    assert found(folder, home=None) == ["opt/rubies/3.2.2/bin/bundle"]
    (folder / "opt/rubies/3.2.2/bin/bundle").chmod(0o644)
    assert found(folder, home=None) == []
