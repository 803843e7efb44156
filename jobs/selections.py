"""Which assets each job materialises.

Belongs here: selections by stage. Does not belong here: jobs, schedules.
"""

from __future__ import annotations

import dagster as dg

EVERYTHING = dg.AssetSelection.all()

RETRAINED = ("ml_training_comparison", "ml_vetter_candidate", "ml_event_candidate", "ml_embedder_candidate")
"""Assets that `weekly_retrain` recomputes although no input changed; the rest follow when these come out different."""

FROM_TRAINING = dg.AssetSelection.groups(
    *("training", "evaluation", "events", "scoring", "warehouse", "serving", "embedder")
)

RELEASE = dg.AssetSelection.groups("scoring", "warehouse") | dg.AssetSelection.assets("out_event_scores")

DEPLOY = RELEASE | dg.AssetSelection.groups("serving")
"""Not the champion's own table: materialising it would read the gates again, and the rollback has written it."""

LIGHT_CURVES = dg.AssetSelection.groups("lightcurves") | dg.AssetSelection.assets(
    *("feat_diagnostics", "feat_views", "feat_signal_diagnostics", "feat_view_index"),
    *("feat_simulated_views", "feat_simulated_index"),
)
"""What is made of light curves, from the files to diagnostics and views."""

CORPUS = dg.AssetSelection.groups("corpus")
"""From the sources of documents to what answers are made from; the catalogue is read as it is."""
