# SPDX-License-Identifier: GPL-3.0-or-later
# feed.rb JOBS WHAT AMOUNT MILLISECONDS: push so many jobs of that kind
require_relative "app"
jobs, what, amount, milliseconds = ARGV
Sidekiq::Client.push_bulk("class" => LeakJob, "args" => Array.new(jobs.to_i) { [what, amount.to_i, milliseconds.to_i] })
