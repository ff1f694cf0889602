"""What a program connects to and which files it writes, as strace sees it (Linux).

Python's audit hooks see Python alone; the libraries that call home are written in C++.
Not here: the uses that are watched (``test_privacy``).
"""

import re
from collections.abc import Iterator, Sequence
from pathlib import Path

_NETWORK = "connect,bind,sendto,sendmsg,sendmmsg"
_FILES = (
    "open,openat,openat2,creat,rename,renameat,renameat2,mkdir,mkdirat,"
    "link,linkat,symlink,symlinkat,mknod,mknodat"
)
_CALL = re.compile(r"^\d+ +(?P<name>\w+)\((?P<arguments>.*)\) += (?P<result>-?\d+)")
_DONE_LATER = re.compile(r"^(?P<pid>\d+) +(?P<call>\w+\(.*?)(?: <unfinished \.\.\.>)$")
_RESUMED = re.compile(r"^(?P<pid>\d+) +<\.\.\. \w+ resumed>(?P<rest>.*)$")
_PLACE = re.compile(r'(?:(?:AT_FDCWD|\d+)<(?P<folder>[^>]*)>, )?"(?P<path>(?:[^"\\]|\\.)*)"')
_WRITES = ("O_WRONLY", "O_RDWR", "O_CREAT")
_LOOPBACK = ('inet_addr("127.', '"::1"', 'htons(0), sin_addr=inet_addr("0.0.0.0")')


def watched(command: Sequence[str], log: Path) -> list[str]:
    """Return ``command`` under strace; the process itself is the one that is started."""
    calls = f"trace={_NETWORK},{_FILES}"
    return ["strace", "-D", "-f", "-qq", "-y", "-s", "4096", "-e", calls, "-o", str(log), *command]


def calls(log: Path) -> Iterator[tuple[str, str, int]]:
    """Yield each call's name, arguments and result; what was interrupted is put together."""
    begun: dict[str, str] = {}
    for line in log.read_text(errors="replace").splitlines():
        if (later := _DONE_LATER.match(line)) is not None:
            begun[later["pid"]] = later["call"]
            continue
        if (resumed := _RESUMED.match(line)) is not None:
            line = f"{resumed['pid']} {begun.pop(resumed['pid'], '')}{resumed['rest']}"
        if (call := _CALL.match(line)) is not None:
            yield call["name"], call["arguments"], int(call["result"])


def contacts(log: Path) -> set[str]:
    """Return the calls that reach for another machine, or ask for the address of one."""
    found = set()
    for name, arguments, _ in calls(log):
        is_outside = "sa_family=AF_INET" in arguments and not any(s in arguments for s in _LOOPBACK)
        asks_for_name = "htons(53)" in arguments or "systemd/resolve" in arguments
        if name in _NETWORK.split(",") and (is_outside or asks_for_name):
            found.add(f"{name}({arguments})")
    return found


def written(log: Path, cwd: Path) -> set[Path]:
    """Return every file, folder and link that was made, or opened to be written."""
    found = set()
    for name, arguments, result in calls(log):
        if name in _NETWORK.split(",") or result < 0:
            continue
        if name.startswith("open") and not any(flag in arguments for flag in _WRITES):
            continue
        *_, place = _PLACE.finditer(arguments)  # the new name comes last
        found.add(cwd / (place["folder"] or "") / place["path"])
    return found
