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
_HELD = types.UniTuple(types.float32, LANES)


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


@intrinsic  # type: ignore[untyped-decorator]
def hold(typing: Any, array: Any, i: Any) -> Any:
    """`array[i : i + 4]` as a tuple: it stays in registers, where an array is read anew after every write."""

    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        value = _load(context, builder, signature.args[0], *arguments)
        lanes = [builder.extract_element(value, ir.Constant(ir.IntType(32), lane)) for lane in range(LANES)]
        return context.make_tuple(builder, signature.return_type, lanes)

    return _HELD(array, types.intp), generate


def _held(builder: Any, lanes: Any) -> Any:
    """The four numbers of a tuple."""
    value = ir.Constant(_FOUR, ir.Undefined)
    for lane in range(LANES):
        number = builder.extract_value(lanes, lane)
        value = builder.insert_element(value, number, ir.Constant(ir.IntType(32), lane))
    return value


def _step(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
    """`(a[j : j + 4] + b[k : k + 4] * signs) * scales`."""
    a, b = signature.args[2], signature.args[4]
    _, _, a_data, j, b_data, k, signs, scales = arguments
    first, second = _load(context, builder, a, a_data, j), _load(context, builder, b, b_data, k)
    change = builder.fadd(first, builder.fmul(second, _held(builder, signs)))
    return builder.fmul(change, _held(builder, scales))


@intrinsic  # type: ignore[untyped-decorator]
def step(typing: Any, to: Any, i: Any, a: Any, j: Any, b: Any, k: Any, signs: Any, scales: Any) -> Any:
    """`to[i : i + 4] = (a[j : j + 4] + b[k : k + 4] * signs) * scales`; signs and scales from `hold`."""

    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        place = _place(context, builder, signature.args[0], arguments[0], arguments[1])
        builder.store(_step(context, builder, signature, arguments), place, align=4)
        return context.get_dummy_value()

    return types.void(to, types.intp, a, types.intp, b, types.intp, _HELD, _HELD), generate


@intrinsic  # type: ignore[untyped-decorator]
def put_step(typing: Any, to: Any, i: Any, a: Any, j: Any, b: Any, k: Any, signs: Any, scales: Any) -> Any:
    """As `step`, 0 for NaN."""

    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        place = _place(context, builder, signature.args[0], arguments[0], arguments[1])
        builder.store(_known(builder, _step(context, builder, signature, arguments)), place, align=4)
        return context.get_dummy_value()

    return types.void(to, types.intp, a, types.intp, b, types.intp, _HELD, _HELD), generate


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
    signs: Any,
    scales: Any,
) -> Any:
    """Joint, bone, and the step of both from `now` to `then`: four times four numbers, 0 for NaN.

    They go to i, i + depth, i + 2 * depth and i + 3 * depth, in this order. The joint lies at `now` and
    `then` in the table, the bone `plane` numbers behind it; signs and scales as in `step`.
    """

    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        into, i, depth, table, plane, now, then, signs, scales = arguments
        kind, signs, scales = signature.args[3], _held(builder, signs), _held(builder, scales)
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
    return types.void(to, index, index, table, index, index, index, _HELD, _HELD), generate


@intrinsic  # type: ignore[untyped-decorator]
def affine(
    typing: Any, to: Any, i: Any, x: Any, y: Any, z: Any, of_x: Any, of_y: Any, of_z: Any, of_1: Any
) -> Any:
    """`to[i : i + 4] = x * of_x + y * of_y + z * of_z + of_1`; the last four as `hold` gives them."""

    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        into, index, x, y, z, *columns = arguments
        x, y, z = (_spread(builder, factor) for factor in (x, y, z))
        column = [_held(builder, lanes) for lanes in columns]
        value = builder.fadd(builder.fmul(x, column[0]), builder.fmul(y, column[1]))
        value = builder.fadd(builder.fadd(value, builder.fmul(z, column[2])), column[3])
        builder.store(value, _place(context, builder, signature.args[0], into, index), align=4)
        return context.get_dummy_value()

    number = types.float32
    return types.void(to, types.intp, number, number, number, _HELD, _HELD, _HELD, _HELD), generate


def _spread(builder: Any, number: Any) -> Any:
    """The number in all four lanes."""
    first = builder.insert_element(ir.Constant(_FOUR, ir.Undefined), number, ir.Constant(ir.IntType(32), 0))
    every = ir.Constant(ir.VectorType(ir.IntType(32), LANES), [0] * LANES)
    return builder.shuffle_vector(first, first, every)
