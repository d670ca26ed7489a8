# SPDX-License-Identifier: GPL-3.0-or-later
# feed.rb JOBS KILOBYTES MILLISECONDS: push so many jobs of that kind
require_relative "app"
jobs, kilobytes, milliseconds = ARGV.map(&:to_i)
Sidekiq::Client.push_bulk("class" => LeakJob, "queue" => "crawl", "args" => Array.new(jobs) { [kilobytes, milliseconds] })
