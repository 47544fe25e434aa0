"""Every benchmark in turn.

    python -m benchmarks.run [--clips DIR] [--detector FILE] [--mediapipe-python PYTHON] [--shared DIR]
                             [--runs DIR]

Without --clips the demo clips are used (made if absent); without --detector the SimCC figures are left out;
with --shared and --runs the networks are trained on real skeletons as well, which takes hours.
"""

from __future__ import annotations

import argparse
import os
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
    parser.add_argument("--runs", type=Path, help="where runs on real skeletons are kept; trains them")
    args = parser.parse_args()
    if args.runs and not args.shared:
        parser.error("--runs needs --shared, where the real skeletons are")
    if not args.clips.is_dir():
        from fidget.demo_clips import make_demo_clips

        make_demo_clips(args.clips)
    status = 0
    quiet = {"OMP_WAIT_POLICY": "PASSIVE"} | os.environ  # waiting threads leave the cores to others
    for name, options in _plan(args):
        print(f"== {name}", flush=True)
        done = subprocess.run([sys.executable, "-m", f"benchmarks.{name}", *options], check=False, env=quiet)
        status = status or done.returncode
    return status


def _plan(args: argparse.Namespace) -> list[tuple[str, list[str]]]:
    clip = str(sorted(args.clips.glob("*.mp4"))[0])
    detector = ["--detector", str(args.detector)] if args.detector else []
    peer = ["--mediapipe-python", args.mediapipe_python] if args.mediapipe_python else []
    plan = [
        ("start_up", []),
        ("decode", ["--clip", clip]),
        ("frame_reading", ["--clips", str(args.clips)]),
        ("cache", []),
        ("blazepose", ["--clip", clip, *peer]),
        ("end_to_end", ["--clips", str(args.clips), *detector, *peer]),
        ("memory", ["--clip", clip]),
        ("graph_samples", []),
        ("heatmaps", []),
        ("graph_training", []),
        ("ctrgcn_training", []),
        ("posec3d_training", []),
        ("rendering", []),
        ("soft_nms", []),
        ("detection_map", []),
        ("detection_inference", []),
        ("models", []),
        ("rgb_models", ["--measure"]),
    ]
    if detector:
        plan.insert(4, ("top_down", ["--clip", clip, *detector]))
    if args.shared:
        plan.append(("accuracy", ["--shared", str(args.shared)]))
    if args.runs:
        plan.append(("skeletons", ["--shared", str(args.shared), "--runs", str(args.runs)]))
    return plan


if __name__ == "__main__":
    sys.exit(main())
