# SPDX-License-Identifier: GPL-3.0-or-later
# A crawler that crawls nothing: a real Sidekiq job that comes back for ever and, where the box is told to leak, keeps
# what it "fetched" until the process is as large as LEAK_UNTIL_MB says, or the box has no more than LEAK_LEFT_MB left. The second is
# done once: a worker that is started anew is well.
require "fileutils"
require "sidekiq"

# Debian 12's ruby-redis warns at each fetch; Debian 13's Sidekiq uses another client and has no such constant.
Redis.silence_deprecations = true if defined?(Redis) && Redis.respond_to?(:silence_deprecations=)

LEAK_UNTIL_KB = ENV.fetch("LEAK_UNTIL_MB", "0").to_i * 1024
LEAK_LEFT_KB = File.exist?("/run/sidekiq/settled") ? 0 : ENV.fetch("LEAK_LEFT_MB", "0").to_i * 1024
LEAK_CHUNK = (LEAK_LEFT_KB.positive? ? 256 : 1024) * 1024

class CrawlJob
  include Sidekiq::Worker # what later releases call Sidekiq::Job, which is another thing in Debian 11's
  sidekiq_options queue: "crawl", retry: false

  @kept = []
  class << self
    attr_reader :kept
  end

  def perform
    if resident_kb + LEAK_CHUNK / 1024 < LEAK_UNTIL_KB || LEAK_LEFT_KB.positive? && left_kb - LEAK_CHUNK / 1024 > LEAK_LEFT_KB
      CrawlJob.kept << Random.bytes(LEAK_CHUNK)
      sleep 0.01
    else
      FileUtils.touch("/run/sidekiq/settled")
      sleep 1
    end
    CrawlJob.perform_async
  end

  private

  # What the box's control group has left, as health counts it: of version 1 where there is one, else of version 2.
  def left_kb
    folder, limit, usage, prefix = "/sys/fs/cgroup/memory", "memory.limit_in_bytes", "memory.usage_in_bytes", "total_"
    folder, limit, usage, prefix = "/sys/fs/cgroup", "memory.max", "memory.current", "" unless File.directory?(folder)
    stat = File.read("#{folder}/memory.stat")
    (File.read("#{folder}/#{limit}").to_i - File.read("#{folder}/#{usage}").to_i + stat[/^#{prefix}inactive_file (\d+)/, 1].to_i) / 1024
  end

  def resident_kb
    File.read("/proc/self/status")[/^VmRSS:\s+(\d+)/, 1].to_i
  end
end

Sidekiq.configure_server do |config|
  config.on(:startup) { CrawlJob.perform_async }
end
