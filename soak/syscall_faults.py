"""Makes the n-th system call on the cache fail, for every n, and looks at what a ranking does about it.

For each of openat, write, fsync, fdatasync, rename, renameat, mkdir and flock, with ENOSPC, EIO and EROFS in turn (or,
with --every, each of them at each place): a small ranking of pictures, one of texts, and one whose features are kept
already, under `strace --inject`. Where a call on the cache failed, the ranking must end with code 6, nothing on
standard output, and a message of at most five lines that names a path in the cache; run again without faults it must
give the JSON (but for `timing`) and the features of a run that was never disturbed, and `zoologist cache verify` must
find nothing. Calls on other files may fail as they like.

Needs strace and nothing else. Ends with 1 if a promise was broken.
"""

import shutil
import sys
from collections import Counter

from common import Suite, arguments, calls_of, networks, pictures, texts, vectors

CALLS = ["openat", "write", "fsync", "fdatasync", "rename", "renameat", "mkdir", "flock"]
ERRORS = ["ENOSPC", "EIO", "EROFS"]


def prepare(folder):
    pictures(folder / "pictures", 8)
    networks(folder / "networks", 1)
    texts(folder / "texts.csv", 12)
    vectors(folder / "vectors", 1)


class Faults:
    """A scenario in which one call fails after the other."""

    def __init__(self, suite, scenario, warm):
        self.suite, self.scenario = suite, scenario
        self.expected = scenario.undisturbed()
        self.start = scenario.folder / f"kept {scenario.name}" if warm else None
        if warm:
            shutil.copytree(scenario.cache, self.start)

    def traced(self, *options):
        """A run in which these are traced: it stops at every call, for the places are counted."""
        self.scenario.fresh(self.start)
        tracer = ["strace", "-f", "-y", "-qq", "-e", "signal=none", *options, "-o", str(self.scenario.log)]
        return self.scenario.run(tracer)

    def places(self):
        """Which calls are made on the cache, by kind and by place in the order of a thread."""
        run = self.traced("-e", f"trace={','.join(CALLS)}")
        if run.returncode != 0:
            sys.exit(f"{self.scenario.name}: under strace: code {run.returncode}: {run.stderr}")
        places, counts = {name: set() for name in CALLS}, Counter()
        for thread, name, line in calls_of(self.scenario.log):
            counts[thread, name] += 1
            if name in CALLS and str(self.scenario.cache) in line:
                places[name].add(counts[thread, name])
        return places

    def disturb(self, name, place, error):
        """Lets one call fail."""
        run = self.traced("-e", f"inject={name}:error={error}:when={place}")
        failed = [line for _, call, line in calls_of(self.scenario.log) if call in CALLS and "(INJECTED)" in line]
        injected = [line for line in failed if str(self.scenario.cache) in line]
        self.suite.counts[f"{self.scenario.name}, {name} {'in the cache' if injected else 'elsewhere'}"] += 1
        if injected:
            self.suite.counts["faults in the cache"] += 1
            # strace lets the n-th call of each thread fail: the message itself may be lost.
            unheard = any(line.startswith("write(2<") for line in failed)
            what = f"{self.scenario.name}: {name} {place} {error}, {injected[0][:200]}"
            self.suite.break_(what, [*self.faults_of(run, unheard), *self.faults_after()])

    def faults_of(self, run, unheard):
        """What is wrong with a run that a call on the cache failed; `unheard` if writing the message failed too."""
        message = run.stderr[run.stderr.find("zoologist: "):].strip()
        if run.returncode != 6:
            yield f"code {run.returncode}, not 6: {run.stderr.strip()[-300:]}"
        if run.stdout:
            yield "something on standard output"
        if str(self.scenario.cache) not in message and not unheard:
            yield f"no path of the cache in: {message}"
        if len(message.splitlines()) > 5 or "panicked" in run.stderr:
            yield f"no proper message: {run.stderr.strip()}"

    def faults_after(self):
        """What is wrong with the run after it."""
        again = self.scenario.run()
        found = self.scenario.faults_of(again.returncode, again.stdout, again.stderr, self.expected)
        return [f"run again: {problem}" for problem in found]

    def all(self, calls, errors, every, most=None):
        """Each place in turn; at most so many of a kind."""
        places = self.places()
        for name in calls:
            for place in sorted(places[name])[:most]:
                for error in errors if every else [errors[place % len(errors)]]:
                    self.disturb(name, place, error)


def main():
    options = arguments(__doc__)
    options.add_argument("--calls", default=",".join(CALLS), help="kinds of system calls")
    options.add_argument("--errors", default=",".join(ERRORS))
    options.add_argument("--every", action="store_true", help="every error at every place: three times as long")
    options.add_argument("--scenarios", default="pictures,texts,kept")
    chosen = options.parse_args()
    with Suite([chosen.program]) as suite:
        prepare(suite.folder)
        for name in chosen.scenarios.split(","):
            data, zoo = ("pictures", "networks") if name == "pictures" else ("texts.csv", "vectors")
            faults = Faults(suite, suite.scenario(name, data, zoo, "--threads", "1"), name == "kept")
            faults.all(chosen.calls.split(","), chosen.errors.split(","), chosen.every)
        if not suite.counts["faults in the cache"]:
            suite.break_("syscall faults", ["no call on the cache failed"])
        suite.end()


if __name__ == "__main__":
    main()
