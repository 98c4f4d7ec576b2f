"""`suppression add|remove|list|check`."""

import click


@click.group()
def suppression() -> None:
    """Addresses that get no mail."""
