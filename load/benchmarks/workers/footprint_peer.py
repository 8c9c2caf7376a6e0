"""The peer of ``footprint``: ``python -m clickstream.load.benchmarks.workers.footprint_peer APPLICATION``, by amazon_kclpy.

Each process carries for itself what the forks of ours share: the application, its libraries, the AWS clients.
"""

from __future__ import annotations

import sys

from amazon_kclpy import kcl

from clickstream.consumers.runtime.worker import child
from clickstream.load.benchmarks.rig.stock_processor import StockProcessor
from clickstream.settings import from_env

if __name__ == "__main__":
    prepared = child.prepare(sys.argv[1], from_env())
    kcl.KCLProcess(StockProcessor()).run()
