"""`python -m mailpipe`: the command line. It needs the extra `cli` (click and rich)."""

import logging
import sys

import structlog


def main() -> None:
    """Run the command that the arguments name."""
    # What a person asked for goes to stdout, what failed is said in a sentence: no logs in between.
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.CRITICAL))
    try:
        from mailpipe.commands.group import mailpipe
    except ModuleNotFoundError as missing:
        if missing.name not in ("click", "rich"):
            raise
        sys.stderr.write("The command line needs click and rich: pip install 'mailpipe[cli]'\n")
        raise SystemExit(1) from None
    mailpipe(prog_name="python -m mailpipe")


if __name__ == "__main__":
    main()
