"""Documents came, went or changed in the watched folder: refresh the corpus.

Belongs here: comparing the folder with what was made of it last. Does not belong here: listing it
(`exo_resources.document_folder`).

There is no cursor: the table of files says which state of the folder it was made from. So whatever the night or the
command line took in is no news here, and a change is asked for once, whether its run succeeds or not; the night tries
again.
"""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING

import dagster as dg

from sensors.common import CORPUS_REFRESH, NIGHTLY_REFRESH, in_progress, in_words

if TYPE_CHECKING:
    from exo_resources.document_folder import DocumentFolder

FILES, NEEDED = "raw_documents__files", "core_signals"


@dg.sensor(
    job_name=CORPUS_REFRESH,
    minimum_interval_seconds=60,
    required_resource_keys={"lake", "documents"},
    default_status=dg.DefaultSensorStatus.RUNNING,
    description="Requests corpus_refresh when documents in the watched folder came, went or changed.",
)
def documents_changed(context: dg.SensorEvaluationContext) -> dg.SensorResult | dg.SkipReason:
    """Ask for a refresh when the folder is not what the table of its files was made from."""
    folder: DocumentFolder = context.resources.documents
    lake = context.resources.lake
    busy = in_progress(context.instance, (CORPUS_REFRESH, NIGHTLY_REFRESH))
    if busy:
        return dg.SkipReason(f"{busy} is in progress; looking again afterwards")
    try:
        present = lake.version(FILES)
        if lake.version(NEEDED) is None:
            return dg.SkipReason("the first nightly_refresh is still to come; it takes in the documents too")
        there, listed = folder.exists(), folder.listed()
    except Exception as error:
        return dg.SkipReason(f"the documents cannot be looked at ({in_words(error)}); trying again at the next tick")
    known = present.rows if present else 0
    if known and not there:
        return dg.SkipReason(f"{folder.shown} is not there; its {known} documents stay until it is")
    made_from = present.notes.get("fingerprint", "") if present else ""
    if listed.fingerprint == made_from or not (listed.files or known):
        waiting = f"; {len(listed.unsettled)} are still being written" if listed.unsettled else ""
        return dg.SkipReason(f"none of {len(listed.files)} documents changed{waiting}")
    key = _run_key(made_from, present.written_at if present else "", listed.fingerprint)
    return dg.SensorResult(run_requests=[dg.RunRequest(key, tags={"exo/documents": str(len(listed.files))})])


def _run_key(made_from: str, written_at: str, found: str) -> str:
    # With the time: a folder that goes back to an earlier state is a change of its own.
    return "documents:" + hashlib.sha256(f"{made_from} {written_at} {found}".encode()).hexdigest()[:20]
