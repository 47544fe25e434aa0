"""Four float32 numbers at once inside numba kernels: a joint and its score in one register.

LLVM does not find out by itself that a joint's few channels can be computed together, so these functions
say it. Arrays are contiguous and flat; an index names the first of four numbers, and nobody checks that all
four lie in the array.
"""

from __future__ import annotations

from typing import Any

from llvmlite import ir
from numba import types
from numba.extending import intrinsic

LANES = 4
_FOUR = ir.VectorType(ir.FloatType(), LANES)


def _place(context: Any, builder: Any, kind: Any, array: Any, index: Any) -> Any:
    """A pointer to four numbers of an array."""
    data = context.make_array(kind)(context, builder, array).data
    return builder.bitcast(builder.gep(data, [index]), _FOUR.as_pointer())


def _load(context: Any, builder: Any, kind: Any, array: Any, index: Any) -> Any:
    return builder.load(_place(context, builder, kind, array, index), align=4)


def _known(builder: Any, value: Any) -> Any:
    """The numbers, 0 for NaN."""
    return builder.select(builder.fcmp_ordered("ord", value, value), value, ir.Constant(_FOUR, [0.0] * LANES))


@intrinsic  # type: ignore[untyped-decorator]
def put(typing: Any, to: Any, i: Any, source: Any, j: Any) -> Any:
    """`to[i : i + 4] = source[j : j + 4]`, 0 for NaN."""

    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        into, source = signature.args[0], signature.args[2]
        value = _load(context, builder, source, arguments[2], arguments[3])
        place = _place(context, builder, into, arguments[0], arguments[1])
        builder.store(_known(builder, value), place, align=4)
        return context.get_dummy_value()

    return types.void(to, types.intp, source, types.intp), generate


def _step(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
    """`(a[j : j + 4] + b[k : k + 4] * signs) * scales`; weights holds four signs, then four scales."""
    _, _, a, _, b, _, weights, _ = signature.args
    _, _, a_data, j, b_data, k, weights_data, row = arguments
    first, second = _load(context, builder, a, a_data, j), _load(context, builder, b, b_data, k)
    signs = _load(context, builder, weights, weights_data, row)
    scales = _load(context, builder, weights, weights_data, builder.add(row, ir.Constant(row.type, LANES)))
    return builder.fmul(builder.fadd(first, builder.fmul(second, signs)), scales)


@intrinsic  # type: ignore[untyped-decorator]
def step(typing: Any, to: Any, i: Any, a: Any, j: Any, b: Any, k: Any, weights: Any, row: Any) -> Any:
    """`to[i : i + 4] = (a[j : j + 4] + b[k : k + 4] * signs) * scales`.

    The signs are `weights[row : row + 4]`, the scales the four numbers behind them.
    """

    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        place = _place(context, builder, signature.args[0], arguments[0], arguments[1])
        builder.store(_step(context, builder, signature, arguments), place, align=4)
        return context.get_dummy_value()

    return types.void(to, types.intp, a, types.intp, b, types.intp, weights, types.intp), generate


@intrinsic  # type: ignore[untyped-decorator]
def put_step(typing: Any, to: Any, i: Any, a: Any, j: Any, b: Any, k: Any, weights: Any, row: Any) -> Any:
    """As `step`, 0 for NaN."""

    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        place = _place(context, builder, signature.args[0], arguments[0], arguments[1])
        builder.store(_known(builder, _step(context, builder, signature, arguments)), place, align=4)
        return context.get_dummy_value()

    return types.void(to, types.intp, a, types.intp, b, types.intp, weights, types.intp), generate


@intrinsic  # type: ignore[untyped-decorator]
def put_four(
    typing: Any,
    to: Any,
    i: Any,
    depth: Any,
    table: Any,
    plane: Any,
    now: Any,
    then: Any,
    weights: Any,
    row: Any,
) -> Any:
    """Joint, bone, and the step of both from `now` to `then`: four times four numbers, 0 for NaN.

    They go to i, i + depth, i + 2 * depth and i + 3 * depth, in this order. The joint lies at `now` and
    `then` in the table, the bone `plane` numbers behind it; weights and row as in `step`.
    """

    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        into, i, depth, table, plane, now, then, weights, row = arguments
        kind, factors = signature.args[3], signature.args[7]
        signs = _load(context, builder, factors, weights, row)
        scales = _load(context, builder, factors, weights, builder.add(row, ir.Constant(row.type, LANES)))
        shown, steps = [], []
        for at in (now, builder.add(now, plane)):
            here = _load(context, builder, kind, table, at)
            next_one = _load(context, builder, kind, table, builder.add(at, builder.sub(then, now)))
            shown.append(here)
            steps.append(builder.fmul(builder.fadd(next_one, builder.fmul(here, signs)), scales))
        for value in (*shown, *steps):
            place = _place(context, builder, signature.args[0], into, i)
            builder.store(_known(builder, value), place, align=4)
            i = builder.add(i, depth)
        return context.get_dummy_value()

    index = types.intp
    return types.void(to, index, index, table, index, index, index, weights, index), generate


@intrinsic  # type: ignore[untyped-decorator]
def affine(typing: Any, to: Any, i: Any, x: Any, y: Any, z: Any, columns: Any) -> Any:
    """`to[i : i + 4] = x * columns[0] + y * columns[1] + z * columns[2] + columns[3]`; columns is flat."""

    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        into, index, *factors, columns = arguments
        column = [
            _load(context, builder, signature.args[5], columns, ir.Constant(ir.IntType(64), LANES * c))
            for c in range(4)
        ]
        x, y, z = (_spread(builder, factor) for factor in factors)
        value = builder.fadd(builder.fmul(x, column[0]), builder.fmul(y, column[1]))
        value = builder.fadd(builder.fadd(value, builder.fmul(z, column[2])), column[3])
        builder.store(value, _place(context, builder, signature.args[0], into, index), align=4)
        return context.get_dummy_value()

    number = types.float32
    return types.void(to, types.intp, number, number, number, columns), generate


def _spread(builder: Any, number: Any) -> Any:
    """The number in all four lanes."""
    first = builder.insert_element(ir.Constant(_FOUR, ir.Undefined), number, ir.Constant(ir.IntType(32), 0))
    every = ir.Constant(ir.VectorType(ir.IntType(32), LANES), [0] * LANES)
    return builder.shuffle_vector(first, first, every)
