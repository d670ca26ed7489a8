# SPDX-License-Identifier: GPL-3.0-or-later
# A worker that leaks on purpose: each job keeps a given amount of memory for ever, and takes a given time.
# BOOT_SECONDS makes it load slowly, as large applications do; BOOT_KILOBYTES makes it large from the start.
require "sidekiq"

# Debian 12's ruby-redis warns at each fetch; Debian 13's Sidekiq uses another client and has no such constant.
Redis.silence_deprecations = true if defined?(Redis) && Redis.respond_to?(:silence_deprecations=)

url = ENV.fetch("REDIS_URL", "redis://127.0.0.1:6379/0")
Sidekiq.configure_server { |config| config.redis = { url: url } }
Sidekiq.configure_client { |config| config.redis = { url: url } }

class LeakJob
  include Sidekiq::Worker # later releases call it Sidekiq::Job, which is something else in Debian 11's release
  sidekiq_options queue: "crawl", retry: 3

  @kept = []
  class << self
    attr_reader :kept
  end

  def perform(kilobytes, milliseconds)
    LeakJob.kept << Random.bytes(kilobytes * 1024) if kilobytes.positive?
    sleep(milliseconds / 1000.0)
    # Sidekiq's own count misses jobs between its last heartbeat and its end.
    Sidekiq.redis { |redis| redis.incr("jobs_done") }
  end
end

if Sidekiq.server?
  sleep(ENV.fetch("BOOT_SECONDS", "0").to_i)
  LeakJob.kept << Random.bytes(ENV.fetch("BOOT_KILOBYTES", "0").to_i * 1024)
end
