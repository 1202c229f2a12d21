"""What the commands that read or call the deployed contracts share."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

from infera.cli.common import default_home, home_option, run_async

from .contracts import rpc_option, sending_options

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Sequence
    from pathlib import Path

    from ..binding import Call
    from .deed import Deed


def contracts_option(function: Callable[..., Any]) -> Callable[..., Any]:
    """`--contracts`."""
    return click.option(
        "--contracts",
        "where",
        metavar="FILE",
        default="home",
        show_default=True,
        help="The deployment's manifest; `home`: contracts.json of the home.",
    )(function)


def showing_options(function: Callable[..., Any]) -> Callable[..., Any]:
    """What every command that only reads takes."""
    function = click.option("--json", "as_json", is_flag=True, help="Print JSON.")(function)
    return rpc_option(contracts_option(home_option(function)))


def sends(group: click.Group, name: str, *params: Callable[..., Any]) -> Callable[..., Any]:
    """A command that makes calls: the function returns them, or a deed; this shows, tries and
    sends them.
    """

    def wrap(function: Callable[..., Awaitable[Deed | Sequence[Call]]]) -> click.Command:
        def run(
            rpc: str,
            where: str,
            key: str,
            dry_run: bool,
            yes: bool,
            as_json: bool,
            home: Path | None,
            **given: Any,
        ) -> None:
            from .desk import Manner, at_contracts, signer_of

            manner, folder = Manner(dry_run, yes, as_json), default_home(home)

            async def main() -> None:
                signer = signer_of(key, folder)
                async with at_contracts(rpc, where, folder) as desk:
                    deed = await function(desk, signer, folder, **given)
                    await desk.act(signer, deed, manner)

            run_async(main)

        run.__doc__ = function.__doc__
        run.__name__ = function.__name__
        decorated: Callable[..., Any] = sending_options(run)
        for option in (contracts_option, rpc_option, *reversed(params)):
            decorated = option(decorated)
        return group.command(name)(decorated)

    return wrap
