"""Measure speed and memory, and store what the page *Speed, memory, mutation* shows.

``make bench`` runs this on a machine that does nothing else, then `make refresh NB=benchmarks`
draws the stored numbers anew.
"""

from __future__ import annotations

import json
import platform
from pathlib import Path

import bench_losses
import bench_vocabulary
import jax
import numpy as np
import scipy
import torch

RESULTS = Path(__file__).with_name("results.json")


def main() -> None:
    bench_losses.keep_memory()
    options = bench_losses.parser().parse_args()
    found = bench_losses.run(options)
    found["vocabulary"] = bench_vocabulary.results(
        small=options.scale < 1, rounds=7, device=options.device
    )
    found["machine"] = {
        "processor": platform.machine(),
        "threads": torch.get_num_threads(),
        "device": options.device,
        "rounds": options.rounds,
        "versions": {
            "PyTorch": torch.__version__,
            "NumPy": np.__version__,
            "SciPy": scipy.__version__,
            "JAX": jax.__version__,
        },
    }
    if options.scale == 1 and not options.only:
        RESULTS.write_text(
            json.dumps(found, indent=1) + "\n", encoding="utf-8"
        )
        print(f"\nStored in {RESULTS.name}; `make refresh NB=benchmarks`.")


if __name__ == "__main__":
    main()
