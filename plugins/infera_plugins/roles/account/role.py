"""The hosted account as a component: deposit, lock, issue; then top the lockup up as it is
spent.
"""

from __future__ import annotations

from time import time
from typing import TYPE_CHECKING

import anyio

from infera.abc import Gateway, Role
from infera.errors import (
    ChainError,
    ChainUnavailableError,
    NeedsOperatorError,
    RequestError,
    TransientError,
)
from infera.events import KeyIssued, ProgressMade, usdc
from infera.protocol.apikeys import key_hash, new_api_key
from infera.protocol.messages import KeyGrant
from infera.types import Address
from infera_plugins.roles.account.keyring import Keyring

if TYPE_CHECKING:
    from anyio.abc import TaskStatus

    from infera.context import Context
    from infera_plugins.roles.account.config import AccountConfig

_MICRO = 1_000_000
_WATCH_S = 15.0


class AccountRole(Role):
    """One developer account whose key this node keeps."""

    def __init__(self, config: AccountConfig, context: Context) -> None:
        self.name = config.key
        self._config = config
        self._context = context
        self._chain = context.chain(config.chain)
        self._signer = context.keys.get_or_create(config.key)
        self._keyring = Keyring(context.home / "api_keys")

    async def serve(self, *, task_status: TaskStatus[None]) -> None:
        gateway = self._context.require_gateway()
        router = Address(gateway.network()["router"])
        try:
            await self._fund(router)
            for name in self._config.api_keys:
                await self._issue(gateway, router, name)
        except ChainUnavailableError as error:
            raise TransientError(f"the account cannot be set up: {error.message}") from error
        except ChainError as error:
            raise NeedsOperatorError(
                f"account {self._signer.address} cannot be set up: {error.revert or error.message}",
                hint=error.hint or "check its ETH for gas and its USDC",
            ) from error
        task_status.started()
        while True:
            await anyio.sleep(_WATCH_S)
            try:
                await self._fund(router)
            except ChainError as error:
                self._say(f"cannot top up the lockup, trying again: {error.message}")

    async def _fund(self, router: Address) -> None:
        """Deposit once, then lock what is missing from `lock_usdc` out of the free balance."""
        account, chain = self._signer.address, self._chain
        locked = (await chain.lockup(account, router)).locked
        free = await chain.free_balance(account)
        wanted = self._config.deposit_usdc * _MICRO
        if wanted and not self._keyring.deposited and free + locked > 0:
            self._keyring.mark_deposited()  # it was made, and a crash came before the note of it
        if wanted and not self._keyring.deposited:
            held = await chain.usdc_balance(account)
            if held < wanted:
                raise NeedsOperatorError(
                    f"account {account} wants to deposit {usdc(wanted)} but holds {usdc(held)}",
                    hint="send USDC to that address, or lower `deposit_usdc:`",
                )
            await chain.deposit(self._signer, wanted)
            self._keyring.mark_deposited()
            free += wanted
            self._say(f"deposited {usdc(wanted)}")
        # Topping up for every cent spent would cost a transaction each: wait until a tenth is gone.
        missing = self._config.lock_usdc * _MICRO - locked
        if missing * 10 >= self._config.lock_usdc * _MICRO and min(missing, free) > 0:
            amount = min(missing, free)
            await chain.lock(self._signer, router, amount)
            self._say(f"locked {usdc(amount)} for router {router[:10]}")

    async def _issue(self, gateway: Gateway, router: Address, name: str) -> None:
        """Make the named key if its bearer string is not on this machine yet, and have the
        router know its grant.
        """
        bearer, fresh = self._keyring.get_or_create(name, new_api_key)
        generation = await self._chain.generation(self._signer.address)
        grant = self._keyring.grant(name)
        now = int(time())
        if (
            grant is None
            or grant.generation != generation
            or router not in grant.routers
            or grant.not_after <= now
        ):
            grant = KeyGrant(
                account=self._signer.address,
                key_hash=key_hash(bearer),
                routers=(router,),
                models=(),
                max_price_in=self._config.max_price_in,
                max_price_out=self._config.max_price_out,
                per_job_cap=int(self._config.per_job_cap_usdc * _MICRO),
                daily_cap=int(self._config.daily_cap_usdc * _MICRO),
                total_cap=int(self._config.total_cap_usdc * _MICRO),
                not_before=now - 60,
                not_after=now + self._config.days_valid * 86_400,
                generation=generation,
            )
            self._keyring.save_grant(name, grant)
        signature = self._signer.sign(grant.digest(self._chain.domain))
        try:
            await gateway.register_grant(grant, signature)
        except RequestError as error:
            # Its owner has revoked this very key: it must not come back by itself.
            self._say(f"API key {name} stays out of use: {error.message}")
            return
        if fresh:
            self._context.bus.publish(KeyIssued(self._signer.address, name))

    def _say(self, text: str) -> None:
        self._context.bus.publish(ProgressMade(self.name, text))
