# ruff: noqa: INP001 - a script beside the tests whose vector it makes
"""Make the Groth16 proof of tests/vectors/contracts/groth16.json.

    pip install py_ecc==8.0.0 && python make_groth16.py > FILE

The circuit is a model of one weight. It knows x and w and shows, with t(v) = v^3 + v + c:

    request = t(x) with c = 5,  weights = t(w) with c = 7,  response = t(x * w) with c = 11

and one input of its own, the class: the square of the response's lower half. Inputs are those of
IProofVerifier, each hash as two halves of 128 bits. t is no hash, and the setup's secrets are
known: this is a real proof system about a toy statement, for tests alone.
"""

from __future__ import annotations

import json
import random

from py_ecc.bn128 import G1, G2, add, curve_order, multiply, pairing

R = curve_order
X, W = 123_456_789, 987_654_321

# Wires: one, six bound inputs, class, then private.
BOUND = ["one", "req_hi", "req_lo", "res_hi", "res_lo", "wt_hi", "wt_lo"]
WIRES = [*BOUND, "cls", "x", "w", "y", "x2", "x3", "w2", "w3", "y2", "y3"]
PUBLIC = 8
INDEX = {name: i for i, name in enumerate(WIRES)}

Row = dict[str, int]
CONSTRAINTS: list[tuple[Row, Row, Row]] = [
    ({"x": 1}, {"x": 1}, {"x2": 1}),
    ({"x2": 1}, {"x": 1}, {"x3": 1}),
    ({"x3": 1, "x": 1, "one": 5}, {"one": 1}, {"req_lo": 1}),
    ({"w": 1}, {"w": 1}, {"w2": 1}),
    ({"w2": 1}, {"w": 1}, {"w3": 1}),
    ({"w3": 1, "w": 1, "one": 7}, {"one": 1}, {"wt_lo": 1}),
    ({"x": 1}, {"w": 1}, {"y": 1}),
    ({"y": 1}, {"y": 1}, {"y2": 1}),
    ({"y2": 1}, {"y": 1}, {"y3": 1}),
    ({"y3": 1, "y": 1, "one": 11}, {"one": 1}, {"res_lo": 1, "res_hi": 2**128}),
    ({"req_hi": 1}, {"one": 1}, {}),
    ({"wt_hi": 1}, {"one": 1}, {}),
    ({"res_lo": 1}, {"res_lo": 1}, {"cls": 1}),
]


def witness() -> list[int]:
    y = X * W
    res = (y**3 + y + 11) % R
    lo, hi = res % 2**128, res >> 128
    values = {
        "one": 1,
        "req_hi": 0,
        "req_lo": X**3 + X + 5,
        "res_hi": hi,
        "res_lo": lo,
        "wt_hi": 0,
        "wt_lo": W**3 + W + 7,
        "cls": lo * lo,
        "x": X,
        "w": W,
        "y": y,
        "x2": X**2,
        "x3": X**3,
        "w2": W**2,
        "w3": W**3,
        "y2": y**2,
        "y3": y**3,
    }
    return [values[name] % R for name in WIRES]


def lagrange(points: int, at: int) -> list[int]:
    """Values at `at` of the polynomials that are 1 at one of 1…points and 0 at the others."""
    result = []
    for i in range(1, points + 1):
        value = 1
        for j in range(1, points + 1):
            if j != i:
                value = value * (at - j) * pow(i - j, -1, R) % R
        result.append(value)
    return result


def combine(part: int, basis: list[int]) -> list[int]:
    """Value of every wire's polynomial."""
    result = [0] * len(WIRES)
    for row, weight in zip(CONSTRAINTS, basis, strict=True):
        for name, factor in row[part].items():
            result[INDEX[name]] = (result[INDEX[name]] + factor * weight) % R
    return result


def quotient_at(values: list[int], tau: int) -> tuple[int, int]:
    """h(tau) and t(tau), where h = (A*B - C) / t."""
    basis = lagrange(len(CONSTRAINTS), tau)
    a, b, c = (
        sum(v * p for v, p in zip(values, combine(part, basis), strict=True)) % R
        for part in range(3)
    )
    target = 1
    for i in range(1, len(CONSTRAINTS) + 1):
        target = target * (tau - i) % R
    return (a * b - c) * pow(target, -1, R) % R, target


def g1(point: tuple) -> list[int]:
    return [int(c) for c in point]


def g2(point: tuple) -> list[int]:
    """In the order of the precompile: the imaginary part first."""
    return [int(c) for pair in point for c in (pair.coeffs[1], pair.coeffs[0])]


def words(values: list[int]) -> str:
    return "0x" + b"".join(value.to_bytes(32, "big") for value in values).hex()


def main() -> None:
    rng = random.Random("infera groth16 vector")  # noqa: S311 - a vector, made anew the same
    tau, alpha, beta, gamma, delta, r, s = (rng.randrange(1, R) for _ in range(7))
    values = witness()
    for left, right, out in CONSTRAINTS:
        a, b, c = (
            sum(f * values[INDEX[n]] for n, f in row.items()) % R for row in (left, right, out)
        )
        if a * b % R != c:
            raise SystemExit("the witness does not satisfy the circuit")
    basis = lagrange(len(CONSTRAINTS), tau)
    u, v, w = (combine(part, basis) for part in range(3))
    k = [(beta * u[i] + alpha * v[i] + w[i]) % R for i in range(len(WIRES))]
    ic = [multiply(G1, k[i] * pow(gamma, -1, R) % R) for i in range(PUBLIC)]

    h, target = quotient_at(values, tau)
    a = (alpha + sum(x * y for x, y in zip(values, u, strict=True)) + r * delta) % R
    b = (beta + sum(x * y for x, y in zip(values, v, strict=True)) + s * delta) % R
    private = sum(values[i] * k[i] for i in range(PUBLIC, len(WIRES)))
    c = ((private + h * target) * pow(delta, -1, R) + a * s + b * r - r * s * delta) % R
    proof_a, proof_b, proof_c = multiply(G1, a), multiply(G2, b), multiply(G1, c)

    sum_ic = ic[0]
    for value, point in zip(values[1:PUBLIC], ic[1:], strict=True):
        if value:
            sum_ic = add(sum_ic, multiply(point, value))
    key = [multiply(G1, alpha), multiply(G2, beta), multiply(G2, gamma), multiply(G2, delta)]
    left = pairing(proof_b, proof_a)
    right = pairing(key[1], key[0]) * pairing(key[2], sum_ic) * pairing(key[3], proof_c)
    if left != right:
        raise SystemExit("the proof does not hold")
    points = g1(key[0]) + [c for point in key[1:] for c in g2(point)]
    vector = {
        "key": words(points + [c for point in ic for c in g1(point)]),
        "proof": words(g1(proof_a) + g2(proof_b) + g1(proof_c)),
        "inputs": [words([value]) for value in values[1:PUBLIC]],
    }
    print(json.dumps(vector, indent=1))


if __name__ == "__main__":
    main()
