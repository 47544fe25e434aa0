"""Eight neighbouring pixels at once, inside kernels: a numba type for one vector register of float32.

LLVM does not turn loops over eight pixels into vector instructions by itself: it unrolls them first. So the
kernels of `heatmap` say it: a `Lanes` value is an LLVM vector, with `+`, `-`, `*` and the functions below.
Nothing here can be called outside a kernel, except through `evaluated`, for tests.
"""

from __future__ import annotations

import operator
from collections.abc import Callable
from typing import Any

import numpy as np
from llvmlite import ir  # type: ignore[import-untyped]
from numba import njit, types
from numba.core import cgutils
from numba.extending import intrinsic, models, overload, register_model
from numpy.typing import NDArray

LANES = 8
LINE = 64  # bytes of a line of the cache
_F32, _I32 = ir.FloatType(), ir.IntType(32)
_V_F32, _V_I32 = ir.VectorType(_F32, LANES), ir.VectorType(_I32, LANES)
# Adding it rounds a float32 to a whole number, which then are its lowest bits.
_ROUND = np.float32(1.5 * 2**23)
_HALF_LEAST = (127 - 15) << 23  # 2^-15, as a float32's bits; a float16's exponent counts from 15, not 127


class _LanesType(types.Type):
    def __init__(self) -> None:
        super().__init__(name=f"Lanes{LANES}")


_LANES_TYPE = _LanesType()


@register_model(_LanesType)
class _LanesModel(models.PrimitiveModel):  # type: ignore[misc]
    def __init__(self, dmm: Any, fe_type: Any) -> None:
        super().__init__(dmm, fe_type, _V_F32)


def _instruction(count: int, emit: Callable[..., Any]) -> Any:
    """A kernel function of `count` Lanes that emits LLVM instructions."""
    arguments = (_LANES_TYPE,) * count

    def codegen(context, builder, signature, args):  # type: ignore[no-untyped-def]
        return emit(builder, *args)

    if count == 1:
        return intrinsic(lambda typingctx, a: (_LANES_TYPE(*arguments), codegen))
    return intrinsic(lambda typingctx, a, b: (_LANES_TYPE(*arguments), codegen))


_add = _instruction(2, lambda builder, a, b: builder.fadd(a, b))
_sub = _instruction(2, lambda builder, a, b: builder.fsub(a, b))
_mul = _instruction(2, lambda builder, a, b: builder.fmul(a, b))
maximum = _instruction(2, lambda builder, a, b: builder.select(builder.fcmp_ordered(">", a, b), a, b))


@overload(operator.add, inline="always")  # type: ignore[untyped-decorator]
def _plus(a, b):  # type: ignore[no-untyped-def]
    return (lambda a, b: _add(a, b)) if a is _LANES_TYPE and b is _LANES_TYPE else None


@overload(operator.sub, inline="always")  # type: ignore[untyped-decorator]
def _minus(a, b):  # type: ignore[no-untyped-def]
    return (lambda a, b: _sub(a, b)) if a is _LANES_TYPE and b is _LANES_TYPE else None


@overload(operator.mul, inline="always")  # type: ignore[untyped-decorator]
def _times(a, b):  # type: ignore[no-untyped-def]
    return (lambda a, b: _mul(a, b)) if a is _LANES_TYPE and b is _LANES_TYPE else None


def _spread(builder: ir.IRBuilder, number: ir.Value, kind: ir.VectorType) -> ir.Value:
    one = builder.insert_element(ir.Constant(kind, ir.Undefined), number, ir.Constant(_I32, 0))
    return builder.shuffle_vector(one, ir.Constant(kind, ir.Undefined), ir.Constant(_V_I32, [0] * LANES))


@intrinsic  # type: ignore[untyped-decorator]
def spread(typingctx, number):  # type: ignore[no-untyped-def]
    """The same float32 in every lane."""

    def codegen(context, builder, signature, args):  # type: ignore[no-untyped-def]
        return _spread(builder, args[0], _V_F32)

    return _LANES_TYPE(types.float32), codegen


@intrinsic  # type: ignore[untyped-decorator]
def ramp(typingctx):  # type: ignore[no-untyped-def]
    """0, 1, 2, ..."""

    def codegen(context, builder, signature, args):  # type: ignore[no-untyped-def]
        return ir.Constant(_V_F32, [float(i) for i in range(LANES)])

    return _LANES_TYPE(), codegen


@intrinsic  # type: ignore[untyped-decorator]
def lane(typingctx, lanes, i):  # type: ignore[no-untyped-def]
    """Number i of them."""

    def codegen(context, builder, signature, args):  # type: ignore[no-untyped-def]
        return builder.extract_element(args[0], builder.trunc(args[1], _I32))

    return types.float32(_LANES_TYPE, types.int64), codegen


@intrinsic  # type: ignore[untyped-decorator]
def only(typingctx, lanes, at, begin, end):  # type: ignore[no-untyped-def]
    """0 in the lanes that are not begin..end - 1, where lane 0 is number `at`."""

    def codegen(context, builder, signature, args):  # type: ignore[no-untyped-def]
        numbers = [builder.trunc(number, _I32) for number in args[1:]]
        at, begin, end = (_spread(builder, number, _V_I32) for number in numbers)
        index = builder.add(at, ir.Constant(_V_I32, list(range(LANES))))
        above, below = builder.icmp_signed(">=", index, begin), builder.icmp_signed("<", index, end)
        return builder.select(builder.and_(above, below), args[0], ir.Constant(_V_F32, [0.0] * LANES))

    return _LANES_TYPE(_LANES_TYPE, types.int64, types.int64, types.int64), codegen


def _whole(number: int) -> ir.Constant:
    return ir.Constant(_V_I32, [number] * LANES)


def _real(number: float) -> ir.Constant:
    return ir.Constant(_V_F32, [float(np.float32(number))] * LANES)


def _exp(builder: ir.IRBuilder, a: ir.Value) -> ir.Value:
    """2^n * exp(f): n is a / ln 2 to the nearest whole number, f the rest, -0.35..0.35."""
    z = builder.fmul(a, _real(1 / np.log(2)))
    z = builder.select(builder.fcmp_ordered(">", z, _real(-40.0)), z, _real(-40.0))
    rounded = builder.fadd(z, _real(_ROUND))
    f = builder.fmul(builder.fsub(z, builder.fsub(rounded, _real(_ROUND))), _real(np.log(2)))
    p = _real(1 / 5040)
    for coefficient in (1 / 720, 1 / 120, 1 / 24, 1 / 6, 0.5, 1.0, 1.0):  # the Taylor series is short
        p = builder.fadd(_real(coefficient), builder.fmul(f, p))
    n = builder.sub(builder.bitcast(rounded, _V_I32), _whole(int(_ROUND.view(np.int32)) - 127))
    return builder.fmul(p, builder.bitcast(builder.shl(n, _whole(23)), _V_F32))


# exp(a) of numbers at most 0, to 1e-7; not below 1e-12, for denormal numbers are slow.
exp = _instruction(1, _exp)


def _numbers(builder: ir.IRBuilder, value: ir.Value, size: int) -> ir.Value:
    """Values in 0..1 as numbers of a volume: float32 and float16 as bits, uint8 as 255 times the value.

    Halves are the nearest ones (ties to even); below 2^-14, where they are spaced evenly, one may be wrong
    by half of the value, 3e-5 at most.
    """
    if size == 4:
        return builder.bitcast(value, _V_I32)
    if size == 1:
        scaled = builder.fmul(value, ir.Constant(_V_F32, [255.0] * LANES))
        scaled = builder.fadd(scaled, ir.Constant(_V_F32, [0.5] * LANES))
        return builder.trunc(builder.fptosi(scaled, _V_I32), ir.VectorType(ir.IntType(8), LANES))
    bits = builder.bitcast(value, _V_I32)
    bits = builder.select(builder.icmp_signed(">", bits, _whole(_HALF_LEAST)), bits, _whole(_HALF_LEAST))
    odd = builder.and_(builder.lshr(bits, _whole(13)), _whole(1))
    bits = builder.add(builder.sub(bits, _whole(_HALF_LEAST - 0x0FFF)), odd)
    return builder.trunc(builder.lshr(bits, _whole(13)), ir.VectorType(ir.IntType(16), LANES))


def _put(builder: ir.IRBuilder, place: ir.Value, value: ir.Value, size: int, count: ir.Value, over: ir.Value):  # type: ignore[no-untyped-def] # fmt: skip
    """Write `count` lanes at a byte address; `over` only where they are higher than what is there."""
    numbers = _numbers(builder, value, size)
    item = ir.IntType(8 * size)
    whole = builder.icmp_signed("==", count, ir.Constant(count.type, LANES))
    with builder.if_else(whole) as (all_lanes, some_lanes):
        with all_lanes:
            pointer = builder.bitcast(place, ir.VectorType(item, LANES).as_pointer())
            with builder.if_else(over) as (raising, empty):
                with raising:
                    old = builder.load(pointer)
                    old.align = 1
                    higher = builder.icmp_unsigned(">", numbers, old)
                    builder.store(builder.select(higher, numbers, old), pointer).align = 1
                with empty:
                    builder.store(numbers, pointer).align = 1
        with some_lanes, cgutils.for_range(builder, count) as loop:
            pointer = builder.gep(builder.bitcast(place, item.as_pointer()), [loop.index])
            number = builder.extract_element(numbers, builder.trunc(loop.index, _I32))
            old = builder.load(pointer)
            higher = builder.icmp_unsigned(">", number, old)
            builder.store(builder.select(higher, number, old), pointer)


@intrinsic  # type: ignore[untyped-decorator]
def put(typingctx, memory, size, at, lanes, count, over):  # type: ignore[no-untyped-def]
    """Write the first `count` lanes (1..LANES), values in 0..1, into a volume.

    `memory` is the address of its first byte (an array would be counted as referenced at every call), `size`
    the bytes of a number: 4 for float32, 2 for float16, 1 for uint8, which holds 255 times the value; numbers
    from 0 up are in the order of their bits. `at` is the place of lane 0, in numbers. With `over`, what is
    higher there stays; without, all of it may be overwritten.
    """
    given = types.void(*(types.int64,) * 3, _LANES_TYPE, types.int64, types.boolean)

    def codegen(context, builder, signature, args):  # type: ignore[no-untyped-def]
        address = builder.add(args[0], builder.mul(args[1], args[2]))
        place = builder.inttoptr(address, ir.IntType(8).as_pointer())
        end = builder.append_basic_block("written")
        switch = builder.switch(args[1], end)
        for bytes_each in (4, 2, 1):
            block = builder.append_basic_block(f"bytes{bytes_each}")
            switch.add_case(ir.Constant(args[1].type, bytes_each), block)
            with builder.goto_block(block):
                _put(builder, place, args[3], bytes_each, args[4], args[5])
                builder.branch(end)
        builder.position_at_end(end)
        return context.get_dummy_value()

    return given, codegen


@intrinsic  # type: ignore[untyped-decorator]
def reverse(typingctx, lanes):  # type: ignore[no-untyped-def]
    """Last lane first."""

    def codegen(context, builder, signature, args):  # type: ignore[no-untyped-def]
        order = ir.Constant(_V_I32, list(range(LANES))[::-1])
        return builder.shuffle_vector(args[0], ir.Constant(_V_F32, ir.Undefined), order)

    return _LANES_TYPE(_LANES_TYPE), codegen


@intrinsic  # type: ignore[untyped-decorator]
def turned(typingctx, lanes, count):  # type: ignore[no-untyped-def]
    """The first `count` lanes, last first; the others are of no meaning."""

    def codegen(context, builder, signature, args):  # type: ignore[no-untyped-def]
        result = args[0]
        for i in range(LANES):
            place = builder.sub(builder.trunc(args[1], _I32), ir.Constant(_I32, i + 1))
            number = builder.extract_element(args[0], builder.and_(place, ir.Constant(_I32, LANES - 1)))
            result = builder.insert_element(result, number, ir.Constant(_I32, i))
        return result

    return _LANES_TYPE(_LANES_TYPE, types.int64), codegen


@intrinsic  # type: ignore[untyped-decorator]
def clear(typingctx, address, count):  # type: ignore[no-untyped-def]
    """Zero `count` bytes from an address."""

    def codegen(context, builder, signature, args):  # type: ignore[no-untyped-def]
        cgutils.memset(builder, builder.inttoptr(args[0], ir.IntType(8).as_pointer()), args[1], 0)
        return context.get_dummy_value()

    return types.void(types.int64, types.int64), codegen


@intrinsic  # type: ignore[untyped-decorator]
def fetch(typingctx, address):  # type: ignore[no-untyped-def]
    """Ask for the line of the cache that holds an address, to write to it soon; nobody waits for it."""

    def codegen(context, builder, signature, args):  # type: ignore[no-untyped-def]
        place = builder.inttoptr(args[0], ir.IntType(8).as_pointer())
        kinds = ir.FunctionType(ir.VoidType(), [place.type, _I32, _I32, _I32])
        ask = cgutils.get_or_insert_function(builder.module, kinds, "llvm.prefetch.p0")
        builder.call(ask, [place, *(ir.Constant(_I32, number) for number in (1, 3, 1))])  # write, near, data
        return context.get_dummy_value()

    return types.void(types.int64), codegen


@intrinsic  # type: ignore[untyped-decorator]
def stream(typingctx, target, source, count):  # type: ignore[no-untyped-def]
    """Copy `count` bytes, both addresses and the count multiples of LINE, past the caches.

    A plain store first reads the line it changes from memory: half of the traffic of a batch.
    """

    def codegen(context, builder, signature, args):  # type: ignore[no-untyped-def]
        line = ir.VectorType(ir.IntType(8), LINE)
        hint = builder.module.add_metadata([ir.Constant(_I32, 1)])
        with cgutils.for_range(builder, builder.udiv(args[2], ir.Constant(args[2].type, LINE))) as loop:
            offset = builder.mul(loop.index, ir.Constant(args[2].type, LINE))
            source, target = (
                builder.inttoptr(builder.add(address, offset), line.as_pointer())
                for address in (args[1], args[0])
            )
            store = builder.store(builder.load(source, align=LINE), target, align=LINE)
            store.set_metadata("nontemporal", hint)
        return context.get_dummy_value()

    return types.void(*(types.int64,) * 3), codegen


@intrinsic  # type: ignore[untyped-decorator]
def settle(typingctx):  # type: ignore[no-untyped-def]
    """What was streamed is there for everybody from here on."""

    def codegen(context, builder, signature, args):  # type: ignore[no-untyped-def]
        builder.fence("seq_cst")
        return context.get_dummy_value()

    return types.void(), codegen


def evaluated(numbers: NDArray[np.float32]) -> NDArray[np.float32]:
    """`exp` of (n,) numbers at most 0, LANES at a time: what the kernels see, for tests."""
    out = np.zeros(-(-len(numbers) // LANES) * LANES, np.float32)
    out[: len(numbers)] = numbers
    _exp_all(out)
    return out[: len(numbers)]


@njit  # type: ignore[untyped-decorator]
def _exp_all(numbers):  # type: ignore[no-untyped-def]
    for at in range(0, len(numbers), LANES):
        for i in range(LANES):
            numbers[at + i] = lane(exp(spread(numbers[at + i])), i)
