"""The protocol of docs/protocol.md: pure functions and frozen values, no I/O.

`messages` and `eip712` (what is signed), `jobs` and `rules` (what it says), `pricing`, `leaves`,
`batches` and `audit` (settlement), `sampling` (who checks what), `receipts` (offline checks),
`apikeys`, `signatures`; `abi` is the coding layer below.
"""
