"""The command of a benchmark, how fast the gateway is beside others: see `gateway/gateway_bench.py`."""

import sys

from folders import command

if __name__ == "__main__":
    sys.exit(command("gateway_bench"))
