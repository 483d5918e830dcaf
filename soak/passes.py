"""Counts forward passes from outside: a worker opens each picture once per pass, and strace sees it.

The parent opens pictures too, to hash them. So threads are followed to the process that was started as a worker; the
path of its order, on its command line, says which job it works for.
"""

import json
import re
from pathlib import Path

from common import calls_of, tracer

CALLS = "trace=openat,openat2,execve,clone,clone3,fork,vfork,flock,write"


def watching(log):
    """The command that watches another one."""
    return tracer(log, "-ttt", "-s", "500", "-e", CALLS)


class Passes:
    """The pictures that each job's workers opened, by the folder of the job."""

    def __init__(self, log):
        self.parents, self.orders = {}, {}
        calls = list(calls_of(log)) if log.exists() else []
        for thread, name, line in calls:
            started = re.search(r" = (\d+)$", line)
            if name in ("clone", "clone3", "fork", "vfork") and started:
                self.parents[started[1]] = thread
            order = re.search(r'"worker", "(.+?)"', line) if name == "execve" else None
            if order:
                self.orders[thread] = order[1]
        self.jobs = {}
        for thread, name, line in calls:
            picture = re.search(r'"([^"]*\.png)"', line) if name.startswith("openat") else None
            order = self.order_of(thread) if picture else None
            if order:
                self.jobs.setdefault(Path(order).parent, []).append(picture[1])

    def order_of(self, thread):
        """The order of the worker that this thread belongs to."""
        while thread and thread not in self.orders:
            thread = self.parents.get(thread)
        return self.orders.get(thread)

    def count(self):
        return sum(len(opened) for opened in self.jobs.values())

    def lost(self):
        """The blocks that were begun and are not kept, by job: what a worker that was killed had in flight."""
        return {job: blocks for job, opened in self.jobs.items() if (blocks := lost_blocks(job, set(opened)))}


def lost_blocks(job, opened):
    """Where the blocks begin that hold one of these pictures and are not kept."""
    if (job / "features.safetensors").exists():
        return []
    work = json.loads((job / "order.json").read_text().strip().splitlines()[-1])["assignment"]["Features"]
    samples = work["samples"]["Pictures"]
    rows = [f"{samples['root']}/{picture['file']}" in opened for picture in samples["pictures"]]
    begun = [block["start"] for block in work["blocks"] if any(rows[block["start"]:block["end"]])]
    return [start for start in begun if not (job / f"blocks/{start:012}.blk").exists()]
