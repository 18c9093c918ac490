"""This project's numbers beside those of scipy, statsmodels, ranx, ppi_py and trec_eval.

Both get the same seeded inputs: differences that are normal, skewed, mostly zero, or on a grid (so
that sums tie, and rounding decides unless it is thought of), of 2 to 400 queries. A line says what
came out: the same to rounding, the same but for the luck of two random draws, or different by
design, and then how and by how much. Exit code 1 where something that should be the same is not.

    pip install .[benchmarks]
    python benchmarks/peers
"""

from __future__ import annotations

import argparse
import sys
import warnings
from collections.abc import Iterator

from audits import powered_rows
from bootstraps import bootstrap_rows, farther_row
from measured import measure_rows
from permutations import exact_rows, random_rows
from sizes import size_rows
from students import holm_rows, margin_rows, student_rows
from table import Row


def rows(options: argparse.Namespace) -> Iterator[Row]:
    yield from student_rows(options)
    yield from margin_rows(options)
    yield from holm_rows(options)
    yield from exact_rows(options)
    yield from random_rows(options)
    yield from bootstrap_rows(options)
    yield farther_row(options)
    yield from size_rows(options)
    yield from powered_rows(options)
    yield from measure_rows(options)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seeds", type=int, default=20, help="inputs of each kind and size")
    parser.add_argument("--trials", type=int, default=1000, help="intervals counted by coverage")
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args()
    warnings.simplefilter("ignore")  # peers warn where they have no number, which is counted
    sys.stdout.write(
        "| quantity | peer | inputs | largest difference | found |\n|---|---|---|---|---|\n"
    )
    failed = 0
    for row in rows(options):
        sys.stdout.write(f"{row}\n")
        sys.stdout.flush()
        failed += not row.holds
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
