# SPDX-License-Identifier: GPL-3.0-or-later
# feed.rb QUEUE JOBS KILOBYTES MILLISECONDS: push jobs of that size and duration
require_relative "app"
queue = ARGV.shift
jobs, kilobytes, milliseconds = ARGV.map(&:to_i)
Sidekiq::Client.push_bulk("class" => LeakJob, "queue" => queue, "args" => Array.new(jobs) { [kilobytes, milliseconds] })
