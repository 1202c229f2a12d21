"""How nodes talk to a router: one authenticated, multiplexed, flow-controlled WebSocket per peer
(docs/protocol.md §7).

The peer dials, so that a machine behind NAT needs no open port. `frames` is the wire format, `link`
the multiplexer,
`handshake` the mutual proof of identity, `sockets` the only place that knows the WebSocket library.
"""
