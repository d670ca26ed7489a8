# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Test which services on the host itself the configuration of an application names."""

from __future__ import annotations

import pytest

from ansible_collections.lifeline.fleet.plugins.module_utils._lockdown import app_config


@pytest.mark.parametrize(
    ("name", "text", "services"),
    [
        (".env", "A=1\nREDIS_URL=redis://127.0.0.1:6379/0\n", [(2, "redis")]),
        (".env", "#REDIS_URL=redis://127.0.0.1:6379/0\nREDIS_URL=redis://queue.example:6379\n", []),
        (".env", "DATABASE_URL=postgres://crawler:secret@localhost/banks\n", [(1, "postgresql")]),
        ("redis.yml", "production:\n  host: localhost\n  port: 6379\n", [(2, "redis")]),
        ("redis.yml", "production:\n  host: 10.0.0.7\n", []),
        ("sidekiq.rb", 'config.redis = { url: "redis://[::1]:6379/12" }\n', [(1, "redis")]),
        ("sidekiq.rb", "Redis.new(path: '/var/run/redis/redis.sock')\n", [(1, "redis")]),
        ("sidekiq.rb", "Valkey.new(host: 'localhost')\n", [(1, "redis")]),
        ("production.rb", "config.cache_store = :mem_cache_store\n", [(1, "memcached")]),
        ("production.rb", "config.cache_store = :mem_cache_store, 'cache.example'\n", []),
        ("production.rb", 'config.cache_store = :dalli_store, "127.0.0.1:11211"\n', [(1, "memcached")]),
        ("database.yml", "production:\n  adapter: mysql2\n  database: banks\n", [(2, "mysql")]),
        ("database.yml", "production:\n  adapter: mysql2\n  host: 127.0.0.1\n", [(3, "mysql")]),
        ("database.yml", "production:\n  adapter: postgresql\n  host: db.example\n", []),
        ("elasticsearch.yml", "url: http://localhost:9200\n", [(1, "elasticsearch")]),
        ("mongoid.yml", "hosts:\n  - localhost:27017\n", [(2, "mongodb")]),
        ("bunny.rb", 'Bunny.new("amqp://guest@127.0.0.2")\n', [(1, "rabbitmq")]),
        ("puma.rb", "bind 'tcp://127.0.0.1:3000'\n", []),
        ("x.yml", "host: 127.0.0.1.example\nhost: notlocalhost:6379\n", []),
    ],
)
def test_services_that_a_file_names(name, text, services):
    assert app_config.named(name, text) == services


def test_all_places_of_an_application_are_read_and_others_skipped(tmp_path):
    config = tmp_path / "config"
    (config / "initializers").mkdir(parents=True)
    (tmp_path / ".env").write_text("CACHE=127.0.0.1:11211\n")
    (config / "initializers" / "sidekiq.rb").write_text("# the queue\nurl = 'redis://localhost'\n")
    (config / "folder.yml").mkdir()
    (tmp_path / "notes.txt").write_text("mysql on localhost\n")
    assert app_config.local_services([str(tmp_path), "/no/such/folder"]) == {
        "memcached": f"{tmp_path}/.env:1",
        "redis": f"{config}/initializers/sidekiq.rb:2",
    }
