"""`make bench`: measures beacond beside something measured in the same run, and prints ratios.

    python3 tests/bench/run.py [SECONDS [ROUNDS]] [WORD…]     from the build tree; see README

With words only the rows whose names hold one of them. What else runs on the machine only makes
things slower, so each row is measured several times, both of its sides in turn, and the best of each
side counts.
"""

import os
import resource
import signal
import subprocess
import sys
import time

import rows_big
import rows_export
import rows_import
import rows_ingest
import rows_postgres
import rows_read
import rows_watch
from measure import PROGRAMS, WORDS

SCAN = "the scanner : jansson"


def wanted(name):
    return not WORDS or any(word.lower() in name.lower() for word in WORDS)


def tell(row, figure):
    """Prints a row; returns whether it is as it must be."""
    ratio, said, fine = figure.this / figure.that, "", True
    if row.bound:
        how, number = row.bound
        fine = (ratio <= number if how == "at most" else ratio >= number) and not figure.fault
        said = "  %s %g: %s" % (how, number, "kept" if fine else "NOT KEPT")
    print("%-56s %12.*f %12.*f %8.2f  %s%s" % (
        row.name, row.digits, figure.this, row.digits, figure.that, ratio, row.unit, said))
    for line in figure.fault, figure.note:
        if line:
            print("    " + line)
    sys.stdout.flush()
    return fine


def main():
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))  # so that nothing is left behind
    resource.setrlimit(resource.RLIMIT_NOFILE, (resource.getrlimit(resource.RLIMIT_NOFILE)[1],) * 2)
    print("%-56s %12s %12s %8s" % ("", "this", "to that", "ratio"), flush=True)
    kept = True
    for row in (rows_ingest.ROWS + rows_watch.ROWS + rows_import.ROWS + rows_read.ROWS + rows_export.ROWS +
                rows_postgres.ROWS + rows_big.ROWS):
        if wanted(row.name):
            began = time.monotonic()
            figure = row.measure()
            kept = (figure is None or tell(row, figure)) and kept
            print("  (%.0f s)" % (time.monotonic() - began), file=sys.stderr)
    if wanted(SCAN):
        print("\n" + SCAN, flush=True)
        subprocess.run([os.path.join(PROGRAMS, "scan_bench")], check=True)
    sys.exit(0 if kept else 1)


main()
