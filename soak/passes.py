"""Counts forward passes from outside: for each a worker opens a picture, or looks up the place of a text.

The parent opens pictures too, to hash them. So threads are followed to the process that was started as a worker; the
path of its order, on its command line, says which job it works for.
"""

import functools
import json
import re
from collections import Counter
from pathlib import Path

from common import calls_of, tracer

CALLS = "trace=openat,openat2,pread64,execve,clone,clone3,fork,vfork,flock,write"
STARTS = ("clone", "clone3", "fork", "vfork")
# The index of a file of texts, before its last 16 bytes, has 16 bytes a text.
ENTRY = FOOTER = 16


def watching(log):
    """The command that watches another one."""
    return tracer(log, "-ttt", "-s", "500", "-e", CALLS)


class Passes:
    """The samples that each job's workers read, by the folder of the job: names of pictures, or rows of texts."""

    def __init__(self, log):
        self.parents, self.orders, self.jobs = {}, {}, {}
        calls = list(calls_of(log)) if log.exists() else []
        for thread, name, line in calls:
            started = re.search(r" = (\d+)$", line) if name in STARTS else None
            if started:
                self.parents[started[1]] = thread
            order = re.search(r'"worker", "(.+?)"', line) if name == "execve" else None
            if order:
                self.orders[thread] = Path(order[1])
        for thread, _, line in calls:
            sample = sample_of(line)
            order = self.order_of(thread) if sample is not None else None
            if order:
                self.jobs.setdefault(order.parent, []).append(sample)

    def order_of(self, thread):
        """The order of the worker that this thread belongs to."""
        while thread and thread not in self.orders:
            thread = self.parents.get(thread)
        return self.orders.get(thread)

    def count(self):
        return sum(len(read) for read in self.jobs.values())

    def lost(self):
        """The blocks that were begun and are not kept, by job: what a worker that was killed had in flight."""
        return {job: lost_blocks(job, Counter(read)) for job, read in self.jobs.items()}


def sample_of(line):
    """The sample that a call reads, if it reads one."""
    picture = re.search(r'openat2?\(.*"([^"]*\.png)"', line)
    if picture:
        return picture[1]
    look = re.search(r"pread64\(\d+<(.+/texts/\w+)>, .*, (\d+), (\d+)\) += 16$", line)
    if not look or int(look[2]) != ENTRY:
        return None
    begin, count = index_of(look[1])
    row, rest = divmod(int(look[3]) - begin, ENTRY)
    return row if 0 <= row < count and rest == 0 else None


@functools.cache
def index_of(texts):
    """Where the index of a file of texts begins, and how many entries it has; the file's name is its digest."""
    content = Path(texts).read_bytes()
    count = int.from_bytes(content[-8:], "little")
    return len(content) - FOOTER - ENTRY * count, count


def lost_blocks(job, read):
    """Where the blocks begin that hold a sample that was read and are not kept. TF-IDF is fitted first: a text that was
    read once is not begun."""
    if (job / "features.safetensors").exists():
        return []
    work = json.loads((job / "order.json").read_text().splitlines()[1])["assignment"]["Features"]
    pictures = work["samples"].get("Pictures")
    names = [f"{pictures['root']}/{picture['file']}" for picture in pictures["pictures"]] if pictures else None
    blocks = [range(block["start"], block["end"]) for block in work["blocks"]]
    before = 1 if "TfIdf" in work["extractor"] else 0
    begun = [rows[0] for rows in blocks if any(read[names[row] if names else row] > before for row in rows)]
    return [start for start in begun if not (job / f"blocks/{start:012}.blk").exists()]
