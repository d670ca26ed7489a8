# SPDX-License-Identifier: GPL-3.0-or-later
# A crawler that never gives back what it took. Each job takes as much as it is told to, of what it is told to take, and then waits, as
# one does that fetches pages.
require "fiddle"
require "fileutils"
require "sidekiq"
require "socket"

Redis.silence_deprecations = true

class LeakJob
  include Sidekiq::Worker
  sidekiq_options queue: "crawl", retry: 3

  PAGES = "/var/lib/crawler/pages"
  @kept = []
  @lock = Mutex.new
  class << self
    # One at a time: what jobs take must not depend on how their threads meet.
    def keep
      @lock.synchronize { @kept << yield(@kept.size) }
    end
  end

  def perform(what, amount, milliseconds)
    LeakJob.keep { |number| send(what, amount, number) }
    sleep(milliseconds / 1000.0)
    # Sidekiq's own count misses what was processed between its last beat and its end.
    Sidekiq.redis { |redis| redis.incr("jobs_done") }
  end

  private

  def memory(kilobytes, _)
    "x" * (kilobytes * 1024)
  end

  # A child of its own that holds the memory, as browsers and converters do that nobody waits for.
  def children(kilobytes, _)
    spawn("/usr/bin/python3", "-S", "-c", "import signal; held = b'x' * (#{kilobytes} << 10); signal.pause()", close_others: true)
  end

  # Pages that are written to disc, and then kept in use by a map of them: the kernel could drop them, and has to read them again.
  def cache(kilobytes, number)
    path = "#{PAGES}/#{Process.pid}-#{number}"
    IO.binwrite(path, "x" * (kilobytes * 1024))
    Map.new(path, kilobytes * 1024)
  end

  def descriptors(count, _)
    Array.new(count / 2) { UNIXSocket.pair }
  end
end

# A file in memory, all of whose pages are looked at again and again.
class Map
  MMAP = Fiddle::Function.new(Fiddle.dlopen(nil)["mmap"], [Fiddle::TYPE_VOIDP, Fiddle::TYPE_SIZE_T, Fiddle::TYPE_INT, Fiddle::TYPE_INT,
                                                           Fiddle::TYPE_INT, Fiddle::TYPE_LONG], Fiddle::TYPE_VOIDP)
  READ, SHARED = 1, 1
  @all = []
  class << self
    attr_reader :all

    def look
      all.each(&:look)
      sleep 1
    end
  end

  def initialize(path, size)
    File.open(path) { |file| @start = MMAP.call(0, size, READ, SHARED, file.fileno, 0) }
    @size = size
    Map.all << self
    @@looker ||= Thread.new { loop { Map.look } }
  end

  def look
    @start[0, @size].sum(8)
  end
end

if Sidekiq.server?
  FileUtils.mkdir_p(LeakJob::PAGES)
  FileUtils.rm_f(Dir["#{LeakJob::PAGES}/*"])
  # What the prober counts as the worker's starts.
  File.open("/var/lib/crawler/starts", "a") { |file| file.puts(Time.now.to_i) }
end
