"""plan.py: which files are broken, and which tests have to notice.

Each part: its files, its unit tests (what is quick first: the rest is asked only about what is left), and
the end-to-end tests that are asked about what no unit test caught.
"""

SCAN = ["check_scan", "check_scan_envelope", "check_scan_suite", "check_scan_string", "check_batch", "check_lines",
        "check_scan_portable", "check_scan_jansson"]
RECEIPTS = ["check_marks", "check_receipts", "check_receipt_rows", "check_memory", "check_receipts_clients",
            "check_receipts_model", "check_receipts_shared", "check_batch", "check_store_rows", "check_engine", "check_engine_model"]
TALLY = ["check_tally", "check_audit_tally", "check_store", "check_store_rows", "check_steps", "check_fit", "check_known", "check_erase",
         "check_engine", "check_engine_model"]
RING = ["check_ring", "check_memory", "check_ring_cut", "check_ring_fill", "check_ring_sealing", "check_segment", "check_gzip",
        "check_ring_threads", "check_reading", "check_ring_model", "check_engine", "check_engine_model"]
READING = ["check_reading", "check_engine", "check_follow", "check_rope", "check_engine_model"]

PARTS = [
    ("scanner", SCAN, ["json_suite", "roundtrip"],
     ["src/contract/scan.c", "src/contract/scan_string.c", "src/contract/scan_value.c",
      "src/contract/scan_value.h"]),
    ("scanner", ["check_utf8", "check_memory", "check_frames", "check_scan_string", "check_dialog"], ["ws_frames"],
     ["src/contract/utf8.c"]),
    ("scanner", ["check_timestamp", "check_batch", "check_range"], ["timestamps"], ["src/contract/timestamp.c"]),
    ("scanner", ["check_range", "check_dialog_ask", "check_reading", "check_engine"], ["query", "reading"],
     ["src/contract/range.c"]),
    ("receipts", RECEIPTS, ["replay", "retries", "ws_replay"],
     ["src/contract/marks.c", "src/engine/receipts.c", "src/contract/receipt_rows.c"]),
    ("nodes", ["check_abreast", "check_follow_snapshot_postgres", "check_engine_nodes", "check_engine_chaos"], [],
     ["src/engine/abreast.c", "src/engine/writer_shared.c", "src/store/postgres/postgres_follow.c",
      "src/store/postgres/postgres_fetch.c"]),
    ("tally", TALLY, ["check", "database", "figures"],
     ["src/store/sqlite/sqlite_append.c", "src/store/sqlite/audit_tally.c", "src/store/tally.c"]),
    ("tally", TALLY + ["check_reading"], ["check", "database", "retention", "reading"], ["sql/statements.sql"]),
    ("cache", RING, ["cache_model", "cache"],
     ["src/cache/ring.c", "src/cache/ring_slots.c", "src/cache/cut.c", "src/cache/blend.c", "src/cache/fill.c",
      "src/cache/loose.c", "src/cache/slot.c", "src/cache/sealing.c"]),
    ("cache", READING, ["reading", "cache_model", "cache"], ["src/engine/reading.c", "src/engine/answer.c"]),
    ("cache", READING + ["check_idle"], ["cache", "cache_model"], ["src/engine/keeper.c", "src/engine/filler.c"]),
]

# The statements of sql/statements.sql that count, sum, recount, lower and page.
STATEMENTS = (r"(tally|sum|recount|lower|empty|steps)_\w+|insert_given|total|days|last_seq|count_events|page_\w+|"
              r"oldest_places|erase_event|drop_receipts|all_receipts|newest\w*")


def of(path):
    """The part, the unit tests and the end-to-end tests of a file."""
    return next((part, units, ends) for part, units, ends, files in PARTS if path in files)


def files():
    return [path for _, _, _, some in PARTS for path in some]
