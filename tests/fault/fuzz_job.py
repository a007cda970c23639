"""One parser under atheris, guided by the coverage of this package:

    python tests/fault/fuzz_job.py grbl -max_total_time=60
"""

from __future__ import annotations

import sys
import tempfile
from pathlib import Path

import atheris

with atheris.instrument_imports(include=["precision"]):
    import fuzz_parsers


def main(arguments: list[str]) -> None:
    name = arguments[0] if arguments else ""
    if name not in fuzz_parsers.TARGETS:
        raise SystemExit(f"usage: fuzz_job.py TARGET [libFuzzer options]; targets: {' '.join(fuzz_parsers.TARGETS)}")
    target = fuzz_parsers.TARGETS[name]
    with tempfile.TemporaryDirectory() as corpus:
        for number, seed in enumerate(fuzz_parsers.seeds(name)):
            (Path(corpus) / f"seed-{number}").write_bytes(seed)
        options = ["-timeout=10", "-rss_limit_mb=2048", "-max_len=65536", f"-artifact_prefix=fuzz-{name}-", *arguments[1:], corpus]
        atheris.Setup([sys.argv[0], *options], lambda data: fuzz_parsers.taken_or_refused(target, data))
        atheris.Fuzz()


if __name__ == "__main__":
    main(sys.argv[1:])
