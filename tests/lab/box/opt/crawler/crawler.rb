# SPDX-License-Identifier: GPL-3.0-or-later
# A crawler that crawls nothing: a real Sidekiq job that comes back for ever and, where the box is told to leak, keeps
# what it "fetched" until the process is as large as LEAK_UNTIL_MB says.
require "fileutils"
require "sidekiq"

# Debian 12's ruby-redis warns at each fetch; Debian 13's Sidekiq uses another client and has no such constant.
Redis.silence_deprecations = true if defined?(Redis) && Redis.respond_to?(:silence_deprecations=)

LEAK_UNTIL_KB = ENV.fetch("LEAK_UNTIL_MB", "0").to_i * 1024
LEAK_CHUNK = 1024 * 1024

class CrawlJob
  include Sidekiq::Worker # what later releases call Sidekiq::Job, which is another thing in Debian 11's
  sidekiq_options queue: "crawl", retry: false

  @kept = []
  class << self
    attr_reader :kept
  end

  def perform
    if resident_kb + LEAK_CHUNK / 1024 < LEAK_UNTIL_KB
      CrawlJob.kept << Random.bytes(LEAK_CHUNK)
      sleep 0.01
    else
      FileUtils.touch("/run/sidekiq/settled")
      sleep 1
    end
    CrawlJob.perform_async
  end

  private

  def resident_kb
    File.read("/proc/self/status")[/^VmRSS:\s+(\d+)/, 1].to_i
  end
end

Sidekiq.configure_server do |config|
  config.on(:startup) { CrawlJob.perform_async }
end
