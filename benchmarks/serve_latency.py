"""Requests per second and latency of the running endpoint, over loopback, for a few seconds.

Each client sends one signal, or one threshold-crossing event, waits for the judgement, and sends the next. The figures
are of this machine, clients included: they share its cores with the endpoint.
"""

from __future__ import annotations

import sys
import threading
import time

import httpx

from exo_resources.settings import Settings

CLIENTS = 8
SECONDS = 10.0
SIGNAL = {
    "mission": "kepler",
    "period_days": 9.488,
    "t0_bjd": 2455003.54,
    "duration_hours": 2.96,
    "depth_ppm": 616.0,
    "radius_earth": 2.26,
    "impact": 0.146,
    "snr": 35.8,
    "star_teff_k": 5455.0,
    "star_logg_cgs": 4.467,
    "star_radius_sun": 0.927,
}
EVENT = {
    "kepid": 10797460,
    "tce_plnt_num": 1,
    "tce_period": 9.48802,
    "tce_duration": 2.95,
    "tce_depth": 616.0,
    "tce_model_snr": 35.8,
    "tce_prad": 2.26,
}
"""In the archive's columns; the rest comes from the archive's table where the endpoint has it."""


def measure(url: str, body: dict[str, object], clients: int, seconds: float) -> tuple[list[float], int]:
    """Latencies (s) of the answered requests, and how many were not answered with 200."""
    latencies: list[float] = []
    failed = [0] * clients
    end = time.perf_counter() + seconds

    def client(number: int) -> None:
        with httpx.Client(base_url=url, trust_env=False, timeout=30) as http:
            while (start := time.perf_counter()) < end:
                try:
                    answered = http.post("/v1/predict", json=body).status_code == 200
                except httpx.HTTPError:
                    answered = False
                if answered:
                    latencies.append(time.perf_counter() - start)
                else:
                    failed[number] += 1

    threads = [threading.Thread(target=client, args=(number,)) for number in range(clients)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return sorted(latencies), sum(failed)


def main(seconds: float = SECONDS) -> None:
    """Print requests per second and percentiles for one client and for CLIENTS, of a signal and, where the endpoint
    has a model of events, of an event."""
    url = Settings().endpoint
    try:
        health = httpx.get(f"{url}/healthz", trust_env=False, timeout=5).raise_for_status().json()
    except httpx.HTTPError as error:
        raise SystemExit(f"the endpoint at {url} does not answer ({error}); start it with `make serve`") from error
    bodies: dict[str, dict[str, object]] = {"signal": {**SIGNAL}}
    if health["events"]:
        bodies["event"] = {**EVENT}
    for kind, clients in [(kind, clients) for kind in bodies for clients in (1, CLIENTS)]:
        measure(url, bodies[kind], 1, 1.0)
        latencies, failed = measure(url, bodies[kind], clients, seconds)
        if not latencies:
            raise SystemExit(f"{kind}, {clients} clients: no request was answered, {failed} failed")
        p50, p99 = (latencies[min(int(len(latencies) * q), len(latencies) - 1)] * 1e3 for q in (0.5, 0.99))
        print(
            f"{kind}, {clients} clients: {len(latencies) / seconds:.0f} requests/s, p50 {p50:.1f} ms, "
            f"p99 {p99:.1f} ms, {failed} failed"
        )


if __name__ == "__main__":
    main(*(float(argument) for argument in sys.argv[1:2]))
