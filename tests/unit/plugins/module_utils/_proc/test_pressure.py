# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import pytest
from hypothesis import given, strategies as st

from ansible_collections.lifeline.fleet.plugins.module_utils._proc import pressure as proc_pressure

BEFORE = {
    "/proc/uptime": "1000.00 1500.00\n",
    "/proc/stat": "cpu  1000 0 500 8000 100 0 50 350 0 0\ncpu0 1 2 3\ncpu1 1 2 3\n"
    "ctxt 10000\nbtime 1700000000\nprocesses 4000000\nprocs_running 2\nprocs_blocked 1\n",
    "/proc/vmstat": "pswpin 10\npswpout 20\npgmajfault 100\noom_kill 3\n",
}
AFTER = {
    "/proc/loadavg": "3.00 2.50 0.40 2/143 25910\n",
    "/proc/uptime": "1010.00 1510.00\n",
    "/proc/stat": "cpu  1600 0 700 8800 100 0 50 750 0 0\ncpu0 1 2 3\ncpu1 1 2 3\n"
    "ctxt 13000\nbtime 1700000000\nprocesses 4000050\nprocs_running 4\nprocs_blocked 0\n",
    "/proc/vmstat": "pswpin 15\npswpout 20\npgmajfault 2100\noom_kill 3\n",
    "/proc/pressure/memory": "some avg10=71.02 avg60=40.10 avg300=9.99 total=1202110\n"
    "full avg10=60.00 avg60=33.30 avg300=8.00 total=999\n",
    "/proc/pressure/cpu": "some avg10=1.00 avg60=2.00 avg300=3.00 total=4\n",
}


def test_rates_are_taken_over_the_sample():
    pressure = proc_pressure.parse(AFTER, BEFORE)
    assert pressure["sampled_seconds"] == 10.0
    assert pressure["since_boot"] is False
    assert pressure["cpu_percent"] == {
        "user": 30.0,
        "nice": 0.0,
        "system": 10.0,
        "idle": 40.0,
        "iowait": 0.0,
        "irq": 0.0,
        "softirq": 0.0,
        "steal": 20.0,
    }
    assert pressure["major_faults_per_second"] == 200.0
    assert pressure["forks_per_second"] == 5.0
    assert pressure["context_switches_per_second"] == 300.0
    assert pressure["swap_in_bytes_per_second"] == 2048.0
    assert pressure["swap_out_bytes_per_second"] == 0.0


def test_without_a_sample_they_are_averages_since_boot():
    pressure = proc_pressure.parse(AFTER)
    assert pressure["since_boot"] is True
    assert pressure["sampled_seconds"] == 1010.0
    assert pressure["forks_per_second"] == 3960.45


def test_load_against_the_cpus():
    pressure = proc_pressure.parse(AFTER)
    assert pressure["cpus"] == 2
    assert pressure["load"] == {"one": 3.0, "five": 2.5, "fifteen": 0.4}
    assert pressure["load_per_cpu"] == {"one": 1.5, "five": 1.25, "fifteen": 0.2}
    assert (pressure["running"], pressure["blocked"], pressure["threads"]) == (4, 0, 143)


def test_stall_is_null_where_the_kernel_measures_none():
    stall = proc_pressure.parse(AFTER)["pressure"]
    assert stall["memory"]["full_avg60_percent"] == 33.3
    assert stall["memory"]["some_total_microseconds"] == 1202110
    # Before 5.13 the file for the CPU has no line "full".
    assert stall["cpu"]["some_avg60_percent"] == 2.0
    assert stall["cpu"]["full_avg60_percent"] is None
    assert stall["io"] is None


def test_bigger_pages_are_counted_as_what_they_are():
    sources = dict(AFTER, **{"/proc/self/smaps": "0-1 r--p\nSize: 64 kB\nKernelPageSize:       64 kB\n"})
    earlier = dict(BEFORE, **{"/proc/self/smaps": "0-1 r--p\nSize: 64 kB\nKernelPageSize:       64 kB\n"})
    assert proc_pressure.parse(sources, earlier)["swap_in_bytes_per_second"] == 32768.0


def test_the_same_keys_on_every_box():
    assert set(proc_pressure.parse({})) == set(proc_pressure.parse(AFTER, BEFORE))


def test_a_counter_that_went_backwards_is_no_negative_rate():
    pressure = proc_pressure.parse(dict(BEFORE, **{"/proc/uptime": "1020.00 1.00\n"}), AFTER)
    assert pressure["major_faults_per_second"] == 0.0
    assert all(share is None or share >= 0 for share in pressure["cpu_percent"].values())


@given(
    st.dictionaries(
        st.sampled_from(proc_pressure.SOURCES), st.text() | st.sampled_from([*AFTER.values(), *BEFORE.values()])
    ),
    st.none() | st.dictionaries(st.sampled_from(proc_pressure.SOURCES), st.text()),
)
def test_no_text_makes_it_raise(sources, earlier):
    proc_pressure.parse(sources, earlier)


NETSTAT = "TcpExt: SyncookiesSent ListenOverflows ListenDrops\nTcpExt: 0 %d 99\nIpExt: InNoRoutes\nIpExt: 1\n"


def counted(uptime, steal, idle, swapped, faults, dropped):
    return proc_pressure.counts(
        {
            "/proc/uptime": f"{uptime}.00 1.00\n",
            "/proc/stat": f"cpu  0 0 0 {idle} 0 0 0 {steal} 0 0\ncpu0 0 0 0 {idle} 0 0 0 {steal} 0 0\n",
            "/proc/vmstat": f"pswpin {swapped}\npgmajfault {faults}\n",
            "/proc/self/smaps": "KernelPageSize:        4 kB\n",
            "/proc/net/netstat": NETSTAT % dropped,
        }
    )


def test_the_rates_between_two_readings():
    before, now = counted(1000, 50, 950, 100, 500, 7), counted(1060, 70, 1010, 25700, 60500, 67)
    rates = proc_pressure.rates(now, before)
    assert rates == (60, 25.0, pytest.approx(25600 * 4096 / 60, 0.01), 1000.0, 60.0)


def test_no_rates_over_a_boot_or_without_an_earlier_reading():
    now = counted(1060, 70, 1010, 25700, 60500, 67)
    assert (
        proc_pressure.rates(now, {}) == proc_pressure.rates(now, counted(5000, 1, 1, 1, 1, 1)) == proc_pressure.Rates()
    )
    # A count that has fallen was set to 0.
    assert proc_pressure.rates(now, counted(1000, 50, 950, 100, 99999, 7)).major_faults_per_second is None
    assert proc_pressure.counts({}) == {}
