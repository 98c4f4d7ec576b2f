"""`docs/errors.md`, made from the closed lists. Pure.

`python -m ingest.errors_page` writes it.
"""

import sys

from ingest.errors import ERRORS
from mailpipe.constraints import CONSTRAINTS

_HEAD = """\
# Errors

Every refusal has this shape, but for HTTP that cannot be parsed: the server answers that itself
with 400 and a plain text, which may quote the line at fault, and closes the connection. `details`
comes with `VALIDATION_ERROR` (and with a batch of too many e-mails), `retryAfter` (seconds)
wherever the header `Retry-After` does:

```json
{
  "success": false,
  "error": "VALIDATION_ERROR",
  "message": "Missing required field: subject",
  "details": {"field": "subject", "constraint": "required"}
}
```

Both lists below are closed: there are no other codes and no other constraints. `message` is for
people and may change. In `POST /send-emails` each entry has its own error, whose field is like
`emails[3].to[0]`. Mail that is put on the queue directly keeps to the same rules: what breaks one
ends as `rejected`, with field and constraint in its reason.
"""


def page() -> str:
    """The whole page."""
    codes = [
        f"| `{code}` | {error.status} | {error.cause} | {error.fix} |"
        for code, error in ERRORS.items()
    ]
    rules = [f"| `{name}` | {rule.cause} | {rule.fix} |" for name, rule in CONSTRAINTS.items()]
    lines = [
        *("## `error`", "", "| code | status | why | what to do |", "|---|---|---|---|"),
        *(*codes, ""),
        *("## `details.constraint`", "", "| constraint | why | what to do |", "|---|---|---|"),
        *rules,
    ]
    return _HEAD + "\n" + "\n".join(lines) + "\n"


if __name__ == "__main__":
    sys.stdout.write(page())
