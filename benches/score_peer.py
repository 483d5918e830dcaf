"""One run of a peer's LogME as a process of its own, for benches/scores.py.

    python score_peer.py logme FOLDER FEATURES.npy LABELS.npy           LogME.py of a checkout of thuml/LogME
    python score_peer.py transformer-ranker - FEATURES.npy LABELS.npy   the package transformer-ranker

Prints one JSON document: the value, the CPU seconds of fitting alone, and the kernels that numpy's BLAS runs on.
"""

import json
import sys
import time

import numpy as np


def thuml(folder, features, labels):
    sys.path.insert(0, folder)
    from LogME import LogME

    begun = time.process_time()
    value = LogME(regression=False).fit(features, labels)
    return value, time.process_time() - begun


def transformer_ranker(_, features, labels):
    import torch
    from transformer_ranker.estimators import LogME

    features, labels = torch.from_numpy(features), torch.from_numpy(labels)
    begun = time.process_time()
    value = LogME(regression=False).fit(features, labels)
    return value, time.process_time() - begun


def kernels():
    try:
        from threadpoolctl import threadpool_info
    except ImportError:
        return "threadpoolctl is not installed"
    pools = [pool for pool in threadpool_info() if pool["user_api"] == "blas"]
    return ", ".join(f"{p['internal_api']} {p['version']} {p.get('architecture')} x{p['num_threads']}" for p in pools)


if __name__ == "__main__":
    peer, folder, features, labels = sys.argv[1:]
    run = {"logme": thuml, "transformer-ranker": transformer_ranker}[peer]
    value, seconds = run(folder, np.load(features), np.load(labels))
    print(json.dumps({"value": float(value), "seconds": seconds, "kernels": kernels()}))
