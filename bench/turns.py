"""Rounds of two checkouts in turns, each in a process of its own; of each slice the quickest round counts.

For the module that is run, not for the process of a round: that has the `bench` of its own checkout.
"""

import json
import os
import subprocess
import sys


def round_of(script, checkout, *words):
    """What one round of `script` prints with the code of `checkout`."""
    command = [sys.executable, "-P", script, *words, "--once"]
    environ = {**os.environ, "PYTHONPATH": str(checkout)}
    return json.loads(subprocess.run(command, env=environ, stdout=subprocess.PIPE, text=True, check=True).stdout)


def quickest(rounds, part):
    """CPU seconds of a part: of each slice the quickest of the rounds, summed up. The slices are taken out of them."""
    return sum(map(min, zip(*(line.pop(part) for line in rounds), strict=True)))
