"""The process of a language model on this machine: llama.cpp's server until the parent goes away.

Belongs here: what is told to llama.cpp. Does not belong here: who starts it and why (`local_model.py`).

Reads one line of JSON from stdin and serves until stdin ends. Started as `python -m exo_resources.llama_process`.
"""

from __future__ import annotations

import json
import sys
from typing import Any

LOADED = "exo: the model is loaded"
"""What it prints once the model answers."""


def parameters(llama: Any, config: dict[str, Any]) -> Any:
    """llama.cpp's parameters: one question at a time, and no memory but the model's and that of one context."""
    params = llama.CommonParams()
    params.model.path = config["model"]
    params.model_alias = {config["alias"]}
    params.hostnames, params.port, params.api_keys = ["127.0.0.1"], config["port"], [config["key"]]
    params.n_ctx, params.n_predict, params.n_parallel = config["context_tokens"], config["answer_tokens"], 1
    params.cache_ram_mib = 0
    params.endpoint_slots = False
    return params


def main() -> None:
    """Load the model, answer until stdin ends."""
    import xllamacpp  # type: ignore[import-not-found,unused-ignore]

    config = json.loads(sys.stdin.readline())
    server = xllamacpp.Server(parameters(xllamacpp, config))
    print(f"{LOADED}: {config['alias']} at {server.listening_address}", flush=True)
    sys.stdin.read()


if __name__ == "__main__":
    main()
