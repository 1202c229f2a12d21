"""What `infera doctor` looks at when a configuration uses `kind: echo`."""

from infera.checks import CheckContext, HealthCheck, Severity

from infera_echo.engine import EchoConfig


async def prefix_is_short(context: CheckContext) -> str | None:
    """None when all is well, else what is wrong and what to do."""
    longest = max(len(config.prefix) for config in context.configs(EchoConfig))
    return None if longest <= 64 else f"{longest} characters, all of them billed; shorten `prefix`"


PREFIX_SHORT = HealthCheck(
    code="echo_prefix_short",
    title="echo's prefix leaves room for the echo",
    run=prefix_is_short,
    severity=Severity.WARNING,
    kinds=("echo",),
)
