"""The command line: python -m cpnet --help."""

import os
import sys
from collections.abc import Sequence
from difflib import get_close_matches
from importlib import import_module

# What each command does; `data check` is the function data_check in cpnet/commands/data_check.py.
COMMANDS = {
    "reproduce": "train the runs of a table that are not stored yet, and print it",
    "config": "print the whole setting of a row of a table",
    "compare": "print how far fresh results are from stored ones",
    "train": "train a network of your own choice on a data set",
    "evaluate": "test a trained network: top-1 and top-5 over many views",
    "predict": "print the five most likely classes of a video",
    "explore": "write a page of what a CPNet proposes for any position of a video",
    "models": "list the networks",
    "summary": "print a network's stages, parameters and multiply-adds",
    "data check": "decode every video of a data set, and list the damaged ones",
    "data render": "render a stand-in for a data set",
    "bench cp": "CP module and search against direct forms and faiss",
    "bench models": "a training step of each network against C2D's",
    "bench train": "time and memory of CP modules against NL blocks",
    "bench run-time": "what the chapter on run time shows: speed, memory, approximate searches",
    "bench correspondences": "what the chapter on correspondences shows: proposals, winners and changes, by the truth",
    "bench coverage": "how often the intervals of the claims contain the truth, by simulation",
    "bench runs": "minutes that the runs of a table take here",
    "bench data": "clips a second, by layout, decoder and workers",
}
USAGE = "python -m cpnet COMMAND ...   (COMMAND --help lists its options)\n\n" + "".join(
    f"  {name:23}{what}\n" for name, what in COMMANDS.items()
)


def main(args: Sequence[str] | None = None) -> None:
    """Run a command; errors of the user end with one line, not a traceback."""
    args = list(sys.argv[1:] if args is None else args)
    if not args or args[0] in ("-h", "--help"):
        print(USAGE, end="")
        return
    words = 2 if " ".join(args[:2]) in COMMANDS else 1
    name = " ".join(args[:words])
    if name not in COMMANDS:
        sys.exit(f"error: {_unknown(args)}\n\n{USAGE}")
    try:
        _run(name, args[words:])
    except BrokenPipeError:  # such as by `| head`
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    except (ValueError, FloatingPointError, TimeoutError) as error:
        sys.exit(f"error: {error}")
    except RuntimeError as error:
        if type(error).__name__ != "OutOfMemoryError":  # torch's, which is imported late
            raise
        options = ", by --recipe.batch-size or --data.size" if name == "train" else ", or more memory"
        sys.exit(f"error: {error}: give fewer or smaller clips{options}")
    except OSError as error:
        place = error.filename  # a full disk is said without one
        said = f"{place} cannot be used ({error.strerror}): give another place" if place else str(error)
        sys.exit(f"error: {said}")
    except KeyboardInterrupt:
        print("stopped: the same command goes on from the last checkpoint, where there is one", file=sys.stderr)
        sys.exit(130)


def _run(name: str, args: list[str]) -> None:
    import tyro

    from cpnet.engine.machine import leave_processes

    module = name.replace(" ", "_").replace("-", "_")
    command = getattr(import_module(f"cpnet.commands.{module}"), module)
    tyro.cli(command, args=args, prog=f"python -m cpnet {name}")
    leave_processes()


def _unknown(args: list[str]) -> str:
    asked = [" ".join(args[:2]), args[0]]
    near = [match for words in asked for match in get_close_matches(words, COMMANDS, n=1)]
    near += [command for command in COMMANDS if command.startswith(f"{args[0]} ")]
    return f"no command {args[0]!r}" + (f", did you mean {near[0]}?" if near else "")


if __name__ == "__main__":
    main()
