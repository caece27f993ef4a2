"""Where the program starts and ends: signals, closed pipes and exit codes, in one place."""

from __future__ import annotations

import codecs
import errno
import io
import os
import signal
import sys

EXIT_FAILED, EXIT_USAGE, EXIT_INTERRUPTED = 1, 2, 130


def main() -> None:
    """Run the command line and exit with its code."""
    # The engine brings its own threads; BLAS reads this when NumPy is first imported.
    os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")
    for name in ("SIGTERM", "SIGHUP"):
        number = getattr(signal, name, None)
        if number and signal.getsignal(number) is not signal.SIG_IGN:  # as under nohup
            signal.signal(number, lambda number, _: sys.exit(128 + number))
    try:
        _prepare_streams()
        code = _run()
    except KeyboardInterrupt:
        code = EXIT_INTERRUPTED
    except SystemExit as exit_:  # a termination signal
        code = exit_.code if isinstance(exit_.code, int) else EXIT_FAILED
    _remove_temporary_files()
    try:
        sys.stdout.flush()
    except OSError as error:
        if error.errno != errno.EPIPE:  # `| head` has read enough: not our failure
            code = code or _fail_by(error)
    sys.stderr.flush()
    os._exit(code)  # all is written: taking the interpreter down would take as long as its start


def _remove_temporary_files() -> None:
    """What threads were writing when a second signal came."""
    atomic = sys.modules.get("cnntool.files.atomic")
    if atomic is not None:
        atomic.remove_temporaries()


def _prepare_streams() -> None:
    """Open the standard streams that are closed, and let them take any text.

    What would go to a closed stdout is an error where it is written, as on a full disk; what cannot
    be told on stderr ends no work. File names need not be text, and a terminal need not know every
    letter: what the encoding lacks is written as an escape, and bytes that were no text as they
    were.
    """
    for number, name in enumerate(["stdin", "stdout", "stderr"]):
        if getattr(sys, name) is None:
            descriptor = os.open(os.devnull, os.O_WRONLY if name == "stderr" else os.O_RDONLY)
            if descriptor != number:  # so that no file of ours becomes a standard stream
                os.dup2(descriptor, number)
                os.close(descriptor)
            setattr(sys, name, open(number, "w" if number else "r", closefd=False))  # noqa: SIM115
    codecs.register_error("as-it-was", _as_it_was)
    if os.name == "posix":  # a console of Windows takes text in its own way
        told = io.BufferedWriter(_Told(2, "w", closefd=False))
        sys.stderr = io.TextIOWrapper(told, sys.stderr.encoding, line_buffering=True)
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="as-it-was")


class _Told(io.FileIO):
    """What people are told: where nobody reads it, or the disk is full, it is lost."""

    def write(self, data) -> int:
        try:
            return super().write(data) or 0
        except OSError:
            return len(data)


def _as_it_was(error: UnicodeError) -> tuple[str | bytes, int]:
    try:
        return codecs.lookup_error("surrogateescape")(error)
    except UnicodeError:
        return codecs.lookup_error("backslashreplace")(error)


def _run() -> int:
    import click

    from cnntool.cli.main import cli
    from cnntool.errors import InputError, RequestError

    try:
        return cli.main(prog_name="cnntool", standalone_mode=False) or 0
    except click.exceptions.Exit as exit_:
        return exit_.exit_code
    except click.exceptions.NoArgsIsHelpError as error:
        click.echo(error.format_message(), err=True)
        return EXIT_USAGE
    except click.UsageError as error:
        command = error.ctx.command_path if error.ctx else "cnntool"
        return _fail(f"{command}: {error.format_message()} ({command} --help)", EXIT_USAGE)
    except (click.Abort, KeyboardInterrupt):
        signal.signal(signal.SIGINT, signal.SIG_IGN)  # a second one finds us on the way out
        print("interrupted", file=sys.stderr)
        return EXIT_INTERRUPTED
    except RequestError as error:
        return _fail(f"cnntool: {error}", EXIT_USAGE)
    except (InputError, click.ClickException) as error:
        return _fail(f"cnntool: {error}", EXIT_FAILED)
    except SystemExit as exit_:
        if exit_.code != 1:
            raise
        return 0  # Click's and Rich's answer to a closed pipe; no command of ours calls sys.exit(1)
    except MemoryError as error:
        detail = f" ({error})" if str(error) else ""
        return _fail(
            f"cnntool: not enough memory{detail}: use smaller data, or a smaller network",
            EXIT_FAILED,
        )
    except OSError as error:
        return _fail_by(error)


def _fail(message: str, code: int) -> int:
    from cnntool.cli.console import complain

    complain(message)
    return code


def _fail_by(error: OSError) -> int:
    from cnntool.cli.console import system_reason

    return _fail(f"cnntool: {system_reason(error)}", EXIT_FAILED)


if __name__ == "__main__":
    main()
