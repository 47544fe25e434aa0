"""The recogniser that comes with the project: trained by our own recipe on simulated poses, to try things.

It knows the 82 actions of MMA-82 as the simulator moves them; what it says of people means nothing. How its
file is made, from nothing, in half an hour on one core::

    python -m fidget.recognition.demo_recogniser -o demo_recogniser.zip --work demo-training

This simulates the poses and trains on them, by the commands of `COMMANDS` and with the seeds that these have
by default, packs the run, and prints what the network knows. Stopped and given again it goes on.

The file is a zip of what `load_recogniser` reads of a run: large tensors in half precision (eleven bits of
each weight), the times and paths of the machine left out.
"""

from __future__ import annotations

import argparse
import io
import json
import subprocess
import sys
import tempfile
import zipfile
from collections.abc import Callable
from pathlib import Path

import torch
from torch import Tensor

from fidget.recognition.trained_network import stored_json
from fidget.training.run_directory import load_tensors
from poses.whole_file import replacing

FILE = Path(__file__).with_name("demo_recogniser.zip")
MOST_BYTES = 1_000_000  # what the repository takes of one file
NOTE = "trained on simulated data"
_COPIED = ("recipe.toml", "inputs.json", "scores/val.parquet")
_WEIGHTS = "checkpoints/selected.pt"
_MADE = (_WEIGHTS, "environment.json", "summary.json")
_SMALL = 1024  # numbers; larger tensors are kept in half precision
_KEPT_OF_ENVIRONMENT = ("model", "parameters", "layout", "precision", "fidget", "torch")
_DROPPED_OF_SUMMARY = ("train_s", "validation_s", "data_wait_share")
COMMANDS = (
    ("benchmark", "simulate", "--scale", "0.05", "--seed", "0", "-o", "simulated"),
    ("benchmark", "run", "mma82/cross-domain", "--poses", "simulated", "--method", "mma82_stgcnpp_small",
     "-o", "trained"),
)  # fmt: skip
"""Of `fidget`, in a directory of their own: what the run is made by."""
_RUN = Path("trained", "runs", "mma82-laboratory", "mma82_stgcnpp_small", "seed0")
_EARLIEST = (1980, 1, 1, 0, 0, 0)  # of a zip: the same bytes whenever it is made


def make_run(work: Path, say: Callable[[str], None]) -> Path:
    """Simulate and train in a directory; returns the run. What is there is kept.

    Args:
        work: made if absent.
        say: told each command.

    Raises:
        ValueError: a command failed; names it.
    """
    work.mkdir(parents=True, exist_ok=True)
    for words in COMMANDS:
        told = f"fidget {' '.join(words)}"
        say(told)
        program = "import sys; from fidget.cli.main import main; sys.exit(main(sys.argv[1:]))"
        status = subprocess.run([sys.executable, "-c", program, *words], cwd=work, check=False).returncode
        if status:
            raise ValueError(f"{told}: ended with status {status} in {work}; see what it said")
    return work / _RUN


def known(file: Path) -> str:
    """What the network of a packed run knows, in words; of simulated clips alone.

    Raises:
        ValueError: the file is none of `pack_run`.
    """
    with tempfile.TemporaryDirectory() as scratch:
        summary = stored_json(unpack_run(file, Path(scratch)) / "summary.json")
    test = summary["test"]
    return (
        f"On {test['clips']} simulated clips of other subjects {100 * test['top1']:.0f} % of its best "
        f"actions are right, and {100 * test['mean_class_recall']:.0f} % on average over classes."
    )


def pack_run(run: Path, file: Path) -> int:
    """Write what recognition needs of a finished run on simulated data as one file; returns its bytes.

    Raises:
        ValueError: the run lacks a file, or what it makes is larger than `MOST_BYTES`.
        OSError: the place cannot be written.
    """
    lacking = [name for name in (*_COPIED, *_MADE) if not (run / name).is_file()]
    if lacking:
        raise ValueError(f"{run}: expected a finished run with validation scores, there is no {lacking[0]}")
    environment, summary = stored_json(run / "environment.json"), stored_json(run / "summary.json")
    kept = {key: environment[key] for key in _KEPT_OF_ENVIRONMENT if key in environment}
    told = {key: value for key, value in summary.items() if key not in _DROPPED_OF_SUMMARY}
    contents = {name: (run / name).read_bytes() for name in _COPIED}
    contents[_WEIGHTS] = _halved(run / _WEIGHTS)
    contents["environment.json"] = _json_bytes(kept)
    contents["summary.json"] = _json_bytes({**told, "simulated": True, "note": NOTE})
    with replacing(file) as part:
        with zipfile.ZipFile(part, "w") as archive:
            for name in sorted(contents):
                entry = zipfile.ZipInfo(name, _EARLIEST)
                archive.writestr(entry, contents[name], zipfile.ZIP_DEFLATED, 9)
        size = part.stat().st_size
        if size > MOST_BYTES:
            part.unlink()
            raise ValueError(f"{run} makes {size:,} bytes, expected {MOST_BYTES:,} at most")
    return size


def unpack_run(file: Path, directory: Path) -> Path:
    """Write the run of a file below a directory, unless it is there; returns the directory.

    Only names that `pack_run` writes are taken, and no more bytes than it may write of them.

    Raises:
        ValueError: the file is none of `pack_run`; names it.
        OSError: the place cannot be written.
    """
    try:
        with zipfile.ZipFile(file) as archive:
            entries = {entry.filename: entry for entry in archive.infolist()}
            if set(entries) != {*_COPIED, *_MADE} or len(entries) != len(archive.infolist()):
                raise ValueError(f"{file}: expected the files of a run, got {sorted(entries)[:8]}")
            if sum(entry.file_size for entry in entries.values()) > 4 * MOST_BYTES:
                raise ValueError(f"{file}: larger than any run that was packed")
            contents = {name: archive.read(name) for name in entries}
    except zipfile.BadZipFile as error:
        raise ValueError(f"{file}: expected a packed run, got no zip file ({error})") from error
    for name, content in contents.items():
        path = directory / name
        if path.is_file() and path.read_bytes() == content:
            continue
        with replacing(path) as part:
            part.write_bytes(content)
    return directory


def _halved(weights: Path) -> bytes:
    """The weights of a run as a file, large tensors in half precision; networks take them as they are.

    Raises:
        ValueError: a weight is beyond what half precision holds.
    """
    stored = load_tensors(weights)
    model: dict[str, Tensor] = {}
    for name, tensor in stored["model"].items():
        model[name] = tensor.half() if tensor.is_floating_point() and tensor.numel() > _SMALL else tensor
        if not torch.isfinite(model[name]).all():
            raise ValueError(f"{weights}: {name} has numbers that half precision cannot hold")
    content = io.BytesIO()
    torch.save({**stored, "model": model}, content)
    return content.getvalue()


def _json_bytes(plain: dict[str, object]) -> bytes:
    return (json.dumps(plain, indent=2, sort_keys=True) + "\n").encode()


def main(argv: list[str] | None = None) -> int:
    """See the module."""
    parser = argparse.ArgumentParser(prog="python -m fidget.recognition.demo_recogniser")
    add = parser.add_argument
    add("-o", "--output", type=Path, default=Path(FILE.name), help=f"the file to write ({FILE.name})")
    add(
        "--work", type=Path, default=Path("demo-training"), help="where to simulate and train (demo-training)"
    )
    add("--run", type=Path, help="pack this finished run on simulated poses, train nothing")
    args = parser.parse_args(argv)
    try:
        run = args.run or make_run(args.work, lambda line: print(line, flush=True))
        size = pack_run(run, args.output)
        print(f"{args.output}: {size:,} bytes, {NOTE}. {known(args.output)}")
    except (ValueError, OSError) as error:
        print(f"demo_recogniser: {error}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
