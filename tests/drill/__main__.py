# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Run the same leak on the same box with and without the collection: `python -m drill [LEAK...]`; see --help.

Boots the box as the distribution ships it ("before") and after lifeline.fleet.crawler ("after") side by side, each with
its own kernel, and makes a worker leak on both. Writes a table, and for each leak a picture and JSON lines.
"""

from __future__ import annotations

import argparse
import concurrent.futures
import pathlib
import shutil
import signal
import sys
import tempfile
import tomllib

from lab.machine import LabError, require, say

from . import figure, image, summary
from .episode import Episode


def read_settings():
    """Return the settings in leaks.toml, with the values that a leak takes over from another."""
    settings = tomllib.loads((image.HERE / "leaks.toml").read_text())
    leaks = settings["leaks"]
    return {**settings, "leaks": {name: {**leaks.get(leak.get("like"), {}), **leak} for name, leak in leaks.items()}}


SETTINGS = read_settings()
BOXES = ("before", "after")


def play(leak, swap, images, folder, settings):
    """Play both episodes of a leak at the same time and return them."""
    episodes = [Episode(box, leak, swap, images[box], folder / box, settings) for box in BOXES]
    with concurrent.futures.ThreadPoolExecutor(len(episodes)) as pool:
        running = [pool.submit(episode.play) for episode in episodes]
        try:
            return [one.result() for one in running]
        except BaseException:
            for episode in episodes:
                episode.abandon()
            raise


def main():
    parser = argparse.ArgumentParser(
        prog="make drill", description="The same leak on the same box, with and without the collection."
    )
    parser.add_argument(
        "leaks", nargs="*", metavar="LEAK", help=f"which of {', '.join(SETTINGS['leaks'])} (default: all)"
    )
    parser.add_argument(
        "--swap", choices=("no", "yes", "both"), default="both", help="whether the box has swap (default: both)"
    )
    parser.add_argument("--seconds", type=int, help="how long to look on at each leak (default: what leaks.toml says)")
    parser.add_argument(
        "--out", type=pathlib.Path, default=image.CACHE / "results", help="where the results go (default: %(default)s)"
    )
    options = parser.parse_args()
    unknown = set(options.leaks) - set(SETTINGS["leaks"])
    if unknown:
        parser.error(f"there is no leak {', '.join(sorted(unknown))}: there are {', '.join(SETTINGS['leaks'])}")
    settings = SETTINGS
    if options.seconds is not None:
        if options.seconds < 1:
            parser.error(f"--seconds: too small ({options.seconds}); use 1 or more")
        settings = {
            **SETTINGS,
            "leaks": {name: {**leak, "seconds": options.seconds} for name, leak in SETTINGS["leaks"].items()},
        }
    # A terminated drill cleans up like an interrupted one.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    require(
        {
            "qemu-system-x86_64": "qemu-system-x86",
            "mmdebstrap": "mmdebstrap",
            "mke2fs": "e2fsprogs",
            "mkswap": "util-linux",
            "ssh": "openssh-client",
        }
    )
    options.out.mkdir(parents=True, exist_ok=True)
    folder = pathlib.Path(tempfile.mkdtemp(prefix="lifeline-drill-"))
    rows = []
    try:
        images = {"before": image.shipped(SETTINGS["box"]["suite"])}
        images["after"] = image.provisioned(images["before"], folder, SETTINGS)
        for leak in options.leaks or SETTINGS["leaks"]:
            swaps = {"no": [False], "yes": [True], "both": [False, True]}[options.swap]
            for swap in swaps if SETTINGS["leaks"][leak].get("swap", True) else [False]:
                name = f"{leak}-swap" if swap else leak
                episodes = play(leak, swap, images, folder / name, settings)
                for episode in episodes:
                    episode.write(options.out / f"{name}-{episode.box}.jsonl")
                    rows.append(summary.row(episode.head, summary.summary(episode.head, episode.records)))
                figure.draw([(episode.head, episode.records) for episode in episodes], options.out / name)
                print("\n".join(summary.table(rows)), flush=True)
    except LabError as error:
        sys.exit(f"drill: {error}")
    except KeyboardInterrupt:
        sys.exit("drill: interrupted; its boxes are gone")
    finally:
        shutil.rmtree(folder, ignore_errors=True)
    (options.out / "table.txt").write_text("".join(line + "\n" for line in summary.table(rows)))
    say(f"pictures and records are in {options.out}", "drill")


main()
