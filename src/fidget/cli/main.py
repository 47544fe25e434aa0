"""`fidget`: one subcommand per verb, each a thin module that imports what it needs when it runs."""

from __future__ import annotations

import argparse
import os
import sys
from importlib import import_module

TYPE_CHECKING = False  # what type checkers take for typing.TYPE_CHECKING; typing costs a fifth of a start
if TYPE_CHECKING:
    from collections.abc import Sequence
    from typing import Any, NoReturn

_EPILOG = """\
examples:
  fidget poses check poses
  fidget poses preview poses
  fidget doctor

Poses are made by extract-poses. Exit status: 0 all is well, 1 something failed (it is named),
2 wrong usage. FIDGET_TRACEBACK=1 shows where an error comes from.
"""


COMMANDS = {
    "poses": "look at, check, convert and merge pose caches",
    "train": "train a network from a pose cache, or from videos",
    "evaluate": "accuracy and F1 of score files",
    "export": "a run's network as an ONNX file or a torch.export program",
    "fuse": "one score file from several: weights chosen on validation, a gate",
    "submit": "a file for a challenge server, written from scores or checked",
    "benchmark": "published protocols: run them, print their tables, audit and simulate data",
    "detect": "actions found in time: detectors trained, run, measured and diagnosed",
    "recognize": "own videos to micro-actions over time: JSON, CSV, ELAN, BORIS, overlay, HTML",
    "faces": "faces on the heads of a pose cache: where they are, and why not",
    "emotion": "emotion from faces and micro-actions, and what goes with what",
    "weights": "list, fetch and find the models' weight files",
    "doctor": "what this machine has and what works",
}
_WITH_VERBS = ("poses", "benchmark", "detect", "emotion")


class OneLineParser(argparse.ArgumentParser):
    """An argument parser whose errors are one line."""

    def error(self, message: str) -> NoReturn:
        """Print what is wrong and where the help is; exit with 2."""
        self.exit(2, f"{self.prog}: {one_line(message)}; see {self.prog} --help\n")


class _Version(argparse.Action):
    """Looks the version up only when it is asked for: the lookup costs more than the rest of a start."""

    def __call__(self, parser: argparse.ArgumentParser, *_: Any) -> NoReturn:
        from importlib.metadata import version

        print(f"fidget {version('fidget')}")
        parser.exit()


def build_parser(command: str | None = None, verb: str | None = None) -> argparse.ArgumentParser:
    """The command line with the options of one command and of one of its verbs, or of all where None.

    The modules of the others are not imported; the help lists them all the same.
    """
    parser = OneLineParser(
        prog="fidget",
        description="See micro-actions in interview video, skeleton first.",
        epilog=_EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("-V", "--version", action=_Version, nargs=0, help="print the version and leave")
    verbs = parser.add_subparsers(title="commands", metavar="COMMAND", required=True)
    for name, summary in COMMANDS.items():
        if command is not None and name != command:
            verbs.add_parser(name, help=summary)
        elif name in _WITH_VERBS:
            import_module(f"fidget.cli.{name}").add_parser(verbs, verb)
        else:
            import_module(f"fidget.cli.{name}").add_parser(verbs)
    return parser


def one_line(message: object) -> str:
    """A message without line breaks."""
    return " ".join(str(message).split())


def _status_of(error: Exception) -> int | None:
    """Exit status of an error that our packages raise on purpose; None for a bug."""
    from fidget.cli.usage import UsageError
    from weights.errors import WeightError

    schema = sys.modules.get("poses.cache_schema")  # not imported: then it did not raise either
    if isinstance(error, UsageError) or (schema is not None and isinstance(error, schema.NotACacheError)):
        return 2
    return 1 if isinstance(error, (ValueError, OSError, WeightError)) else None


def _told(error: Exception) -> str:
    if isinstance(error, OSError) and error.strerror and error.filename is not None:
        return one_line(f"{os.fspath(error.filename)}: {error.strerror}")
    return one_line(error) or type(error).__name__


def main(argv: Sequence[str] | None = None) -> int:
    """Entry point; returns the exit status."""
    if hasattr(sys.stdout, "reconfigure"):  # names that the terminal cannot show become escapes, not errors
        sys.stdout.reconfigure(errors="backslashreplace")
    words = sys.argv[1:] if argv is None else argv
    command, verb, *_ = (*(word for word in words if not word.startswith("-")), "", "")
    args = build_parser(command, verb).parse_args(words)
    try:
        status: int = args.run(args)
        sys.stdout.flush()
        return status
    except KeyboardInterrupt:
        print("\nfidget: stopped", file=sys.stderr)
        return 130
    except BrokenPipeError:  # whoever read our output has left: fidget ... | head
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 141
    except Exception as error:
        known = _status_of(error)
        if known is None or os.environ.get("FIDGET_TRACEBACK"):
            raise
        print(f"fidget: {_told(error)}", file=sys.stderr)
        return known


if __name__ == "__main__":
    sys.exit(main())
