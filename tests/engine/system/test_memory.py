"""What is free is given back to the system."""

import subprocess
import sys

import pytest

GROWTH = """
import numpy as np
from engine.system.memory import give_large_blocks_back
{call}
def resident():
    return int(open("/proc/self/statm").read().split()[1]) * 4096
for size in (30_000_000, 20_000_000, 10_000_000):
    np.ones(size, np.uint8)  # and freed: what allocates then keeps blocks of that size
before = resident()
blocks = [np.ones(5_000_000, np.uint8) for _ in range(10)]
last = np.ones(1_000, np.uint8)  # behind them
del blocks
print(resident() - before)
"""


@pytest.mark.skipif(sys.platform != "linux", reason="glibc's")
def test_a_large_block_that_is_free_is_the_systems() -> None:
    def growth(call: str) -> int:
        program = [sys.executable, "-c", GROWTH.format(call=call)]
        return int(subprocess.run(program, capture_output=True, check=True, text=True).stdout)

    assert growth("give_large_blocks_back()") < 2_000_000
