"""`make bench`: every benchmark that needs nothing but a finished `exo run`."""

from __future__ import annotations

from benchmarks import scoring_speed, serve_latency, vetter_folds

for title, run in (
    ("Vetter against the plain baseline, out of fold", vetter_folds.main),
    ("Batch scoring", scoring_speed.main),
    ("Endpoint", serve_latency.main),
):
    print(f"\n# {title}\n", flush=True)
    run()
