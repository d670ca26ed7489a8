# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Try for a given time whether any text of a host makes a parser raise, print control characters, or take too long.

Samples that reach lines which nothing else reaches are kept in corpus/GROUP.json with --keep.
"""

from __future__ import annotations

import argparse
import json
import random
import sys
from pathlib import Path

from fuzz import engine
from fuzz.groups import GROUPS
from fuzz.growing import Growing
from fuzz.mutations import Sample

CORPUS = Path(__file__).parent / "corpus"
# Characters of a sample that is kept.
_MOST_KEPT = 4000


def corpus(name: str) -> list[Sample]:
    """Return the samples that were kept of a group."""
    path = CORPUS / f"{name}.json"
    found: list[Sample] = json.loads(path.read_text(encoding="utf-8")) if path.exists() else []
    return found


def keep(group: engine.Group, samples: list[Sample]) -> int:
    """Write the samples that are worth it to the corpus and return how many these are."""
    kept = engine.smallest(group, samples, _MOST_KEPT)
    text = json.dumps(kept, indent=0, sort_keys=True) + "\n"
    (CORPUS / f"{group.name}.json").write_text(text, encoding="utf-8")
    return len(kept)


def main() -> None:
    """Run the groups one after the other, and end with 1 if anything was found."""
    parser = argparse.ArgumentParser(prog="make fuzz", description=__doc__)
    parser.add_argument("groups", nargs="*", metavar="GROUP", help=f"one of {', '.join(GROUPS)}; by default all")
    parser.add_argument("--seconds", type=float, default=60, help="how long each group is run (%(default)s)")
    parser.add_argument("--seed", type=int, help="repeats a run")
    parser.add_argument("--keep", action="store_true", help="add samples to the corpus")
    options = parser.parse_args()
    unknown = [name for name in options.groups if name not in GROUPS]
    if unknown:
        parser.error(f"GROUP: no such group ({', '.join(unknown)}); use some of {', '.join(GROUPS)}")
    seed = random.randrange(1 << 32) if options.seed is None else options.seed
    failed = False
    for name in options.groups or GROUPS:
        group, before = GROUPS[name], corpus(name)
        run = engine.Run(group, before, seed, Growing())
        run.for_seconds(options.seconds)
        print(
            f"{name}: {run.tried} samples, {run.grown} made longer, {run.lines} lines of the plugins reached, "
            f"{len(run.findings)} faults, seed {seed}",
            flush=True,
        )
        for finding in run.findings.values():
            print(f"  {finding.fault}\n    {json.dumps(finding.sample)[:2000]}", flush=True)
        failed = failed or bool(run.findings)
        if options.keep:
            print(f"  {keep(group, [*before, *run.kept, *(one.sample for one in run.findings.values())])} samples kept")
    sys.exit(failed)


if __name__ == "__main__":
    main()
