"""Every benchmark in turn.

    python -m benchmarks.run [--clips DIR] [--detector FILE] [--mediapipe-python PYTHON] [--shared DIR]

Without --clips the demo clips are used (made if absent); without --detector the SimCC figures are left out.
"""

from __future__ import annotations

import argparse
import subprocess
import sys
from pathlib import Path


def main() -> int:
    """Run them; the first failure's exit status, or 0."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--clips", type=Path, default=Path("demo/videos"))
    parser.add_argument("--detector", type=Path)
    parser.add_argument("--mediapipe-python")
    parser.add_argument("--shared", type=Path, help="the real material; adds the accuracy table")
    args = parser.parse_args()
    if not args.clips.is_dir():
        from fidget.demo_clips import make_demo_clips

        make_demo_clips(args.clips)
    status = 0
    for name, options in _plan(args):
        print(f"== {name}", flush=True)
        done = subprocess.run([sys.executable, "-m", f"benchmarks.{name}", *options], check=False)
        status = status or done.returncode
    return status


def _plan(args: argparse.Namespace) -> list[tuple[str, list[str]]]:
    clip = str(sorted(args.clips.glob("*.mp4"))[0])
    detector = ["--detector", str(args.detector)] if args.detector else []
    peer = ["--mediapipe-python", args.mediapipe_python] if args.mediapipe_python else []
    plan = [
        ("start_up", []),
        ("decode", ["--clip", clip]),
        ("cache", []),
        ("blazepose", ["--clip", clip, *peer]),
        ("end_to_end", ["--clips", str(args.clips), *detector, *peer]),
        ("memory", ["--clip", clip]),
    ]
    if detector:
        plan.insert(4, ("top_down", ["--clip", clip, *detector]))
    if args.shared:
        plan.append(("accuracy", ["--shared", str(args.shared)]))
    return plan


if __name__ == "__main__":
    sys.exit(main())
