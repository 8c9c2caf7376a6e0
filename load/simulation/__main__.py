"""``python -m clickstream.load.simulation``: the fleets of our own applications."""

import sys

from clickstream.load.simulation.command import simulate

if __name__ == "__main__":
    sys.exit(simulate(standalone_mode=False))
