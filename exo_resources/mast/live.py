"""MAST itself: which light curves of a star it has.

Belongs here: asking its folders (Kepler) and its API (K2, TESS). Does not belong here: fetching files (`fetch.py`).

The API is that of https://mast.stsci.edu/api/v0/ (service Mast.Caom.Filtered: a form with one field `request`, JSON;
the answer is JSON with status, data and paging). File names are taken from `dataURL`; a K2 observation that names no
light curve there still names star and campaign in `obs_id` (ktwo201367065-c01_lc). A campaign that was filed in two
parts has one observation and up to two files: their folders are asked.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any

from exo_assets.lightcurves.mast_names import (
    SPLIT_CAMPAIGNS,
    MastFile,
    archive_path,
    k2_folder,
    k2_name,
    kepler_folder,
    padded,
    parse_name,
)
from exo_resources.archive.errors import (
    ArchiveError,
    ArchiveMalformedError,
    ArchiveQueryError,
    ArchiveStatusError,
    ArchiveUnreachableError,
    Asked,
)
from exo_resources.archive.transfer import Deadline, answer_bytes, http_client, with_retries
from exo_resources.mast.crew import Outage, side_by_side
from exo_resources.mast.files import Available, Listing, asked, chosen, passed_over
from exo_resources.mast.index_page import listed
from exo_resources.settings import Settings

if TYPE_CHECKING:
    import httpx

STARS_PER_QUESTION = 100
ROWS_PER_PAGE = 2000
_COLLECTIONS = {"k2": "K2", "tess": "TESS"}
_K2_OBSERVATION = re.compile(r"ktwo(\d{9})-c(\d{2,3})_lc")
_ABSENT = (404, 410)


class StillRunningError(ArchiveError):
    """The service has taken the question and has no answer yet."""

    transient = True


class LiveMast:
    """MAST under `settings`."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self.url = settings.mast_url.rstrip("/")
        self._invoke = f"{settings.mast_api_url.rstrip('/')}/api/v0/invoke"

    def available(self, mission: str, stars: Sequence[str]) -> Listing:
        """The light curves of these stars; an ArchiveError when the service is down.

        What fails for a few stars only is in the listing's `missed`.
        """
        s = self._settings
        outage = Outage()
        known = sorted(set(stars))
        size = 1 if mission == "kepler" else STARS_PER_QUESTION
        questions = [tuple(known[i : i + size]) for i in range(0, len(known), size)]
        files: list[Available] = []
        missed: dict[str, str] = {}
        with http_client(s.archive_timeout_s, s.archive_connect_timeout_s) as client:

            def ask(some: tuple[str, ...]) -> tuple[tuple[str, ...], list[Available], ArchiveError | None]:
                if outage.problem is not None:
                    return some, [], None
                try:
                    found = self._kepler(client, some[0]) if mission == "kepler" else self._caom(client, mission, some)
                except ArchiveError as error:
                    outage.failed(error)
                    return some, [], error
                outage.answered()
                return some, found, None

            last: ArchiveError | None = None
            for some, found, error in side_by_side(ask, questions, s.mast_at_once):
                files += found
                if error is not None:
                    last = error
                    missed |= dict.fromkeys(some, str(error))
        if outage.problem is not None:
            raise ArchiveUnreachableError(asked(f"list of {mission}"), outage.problem)
        if last is not None and len(missed) == len(known):
            raise last
        return Listing("live", chosen(files), missed=missed, passed_over=passed_over(files))

    # -- Kepler ------------------------------------------------------------------------------------------------

    def _kepler(self, client: httpx.Client, star_id: str) -> list[Available]:
        names = self._folder(client, kepler_folder(star_id), asked(f"list of {star_id}"))
        parsed = ((parse_name(name), beside) for name, beside in names.items())
        return [self._at(file, beside) for file, beside in parsed if file is not None and file.star_id == star_id]

    def _folder(self, client: httpx.Client, folder: str, what: Asked) -> dict[str, str]:
        """Names in a folder of the archive, and what stands beside them; empty when there is no such folder."""
        deadline = self._deadline(what)

        def once() -> dict[str, str]:
            try:
                return listed(answer_bytes(client, f"{self.url}/{folder}/", deadline))
            except ArchiveStatusError as error:
                if error.status in _ABSENT:
                    return {}
                raise

        return with_retries(once, attempts=self._settings.archive_attempts, deadline=deadline)

    # -- K2 and TESS -------------------------------------------------------------------------------------------

    def _caom(self, client: httpx.Client, mission: str, stars: Sequence[str]) -> list[Available]:
        wanted = set(stars)
        found = [file for row in self._rows(client, mission, stars) for file in self._files(client, row)]
        return [one for one in found if one.file.mission == mission and one.file.star_id in wanted]

    def _files(self, client: httpx.Client, row: dict[str, Any]) -> list[Available]:
        """The light curves of one observation."""
        named = parse_name(str(row.get("dataURL") or "").rpartition("/")[2])
        observation = _K2_OBSERVATION.fullmatch(str(row.get("obs_id") or ""))
        if observation is None:
            return [self._at(named)] if named is not None else []
        star_id, campaign = f"EPIC {int(observation[1])}", int(observation[2])
        if campaign in SPLIT_CAMPAIGNS:
            return self._parts(client, star_id, campaign)
        file = named or parse_name(k2_name(star_id, campaign))
        return [self._at(file)] if file is not None else []

    def _parts(self, client: httpx.Client, star_id: str, campaign: int) -> list[Available]:
        found = []
        for part in SPLIT_CAMPAIGNS[campaign]:
            name = k2_name(star_id, part)
            names = self._folder(client, k2_folder(star_id, part), asked(f"list of {star_id}"))
            file = parse_name(name)
            if name in names and file is not None:
                found.append(self._at(file, names[name]))
        return found

    def _rows(self, client: httpx.Client, mission: str, stars: Sequence[str]) -> Iterator[dict[str, Any]]:
        """The observations of these stars, all pages."""
        page = 1
        while True:
            answer = self._page(client, _question(mission, stars, page))
            yield from answer["data"]
            pages = (answer.get("paging") or {}).get("pagesFiltered") or 1
            if page >= int(pages) or not answer["data"]:
                return
            page += 1

    def _page(self, client: httpx.Client, question: dict[str, Any]) -> dict[str, Any]:
        what = Asked("list of stars", kind="light curve", url_setting="EXO_MAST_API_URL")
        deadline = self._deadline(what)

        def once() -> dict[str, Any]:
            body = answer_bytes(client, self._invoke, deadline, form={"request": json.dumps(question)})
            try:
                answer = json.loads(body)
                status, data = answer.get("status"), answer.get("data")
            except (ValueError, AttributeError):
                raise ArchiveMalformedError(what, f"the service answered {body[:80]!r}") from None
            if status == "EXECUTING":
                raise StillRunningError(what, "the service is still busy with the question")
            if status != "COMPLETE":
                raise ArchiveQueryError(what, f"the service answered {str(answer.get('msg') or status)[:200]!r}")
            if not (isinstance(data, list) and all(isinstance(row, dict) for row in data)):
                raise ArchiveMalformedError(what, f"the service answered without rows: {body[:80]!r}")
            return dict(answer)

        return with_retries(once, attempts=self._settings.archive_attempts, deadline=deadline)

    # -- both --------------------------------------------------------------------------------------------------

    def _at(self, file: MastFile, beside: str = "") -> Available:
        return Available(file, f"{self.url}/{archive_path(file)}", beside, "live")

    def _deadline(self, what: Asked) -> Deadline:
        return Deadline.after(what, self._settings.archive_timeout_s)


def _question(mission: str, stars: Sequence[str], page: int) -> dict[str, Any]:
    """Asks for the time series of these stars, by the names that MAST has for them."""
    names = [f"ktwo{padded(star)}" if mission == "k2" else star.partition(" ")[2] for star in stars]
    filters = {
        "obs_collection": [_COLLECTIONS[mission]],
        "dataproduct_type": ["timeseries"],
        "target_name": names,
        **({"provenance_name": ["SPOC"]} if mission == "tess" else {}),
    }
    return {
        "service": "Mast.Caom.Filtered",
        "format": "json",
        "pagesize": ROWS_PER_PAGE,
        "page": page,
        "params": {
            "columns": "obs_id,target_name,dataURL",
            "filters": [{"paramName": name, "values": values} for name, values in filters.items()],
        },
    }
