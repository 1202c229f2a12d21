"""The optimistic tier: a provider commits to the tokens, a drawn validator runs the job again."""

from __future__ import annotations

from infera.hookspecs import Manifest, Register, hookimpl


@hookimpl
def infera_manifest() -> Manifest:
    return Manifest(name="optimistic", summary="Checks sampled jobs by running them again")


@hookimpl
def infera_register_verifiers(register: Register) -> None:
    from infera_plugins.verification.optimistic.config import OptimisticConfig
    from infera_plugins.verification.optimistic.verifier import OptimisticVerifier

    register("optimistic", OptimisticVerifier, OptimisticConfig)
