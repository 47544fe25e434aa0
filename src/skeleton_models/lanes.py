"""Four float32 numbers at once inside numba kernels, a joint and its score, or four such joints.

LLVM does not find out by itself that a joint's few channels can be computed together, so these functions
say it. Arrays are contiguous and flat; an index names the first of four numbers, and nobody checks that all
of them lie in the array. Where four joints are handled together (`GROUP`), what is written is exact: no
number behind the last joint is touched.
"""

from __future__ import annotations

from typing import Any

from llvmlite import ir
from numba import types
from numba.extending import intrinsic

LANES = GROUP = 4
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


def _spread(builder: Any, number: Any, kind: Any = _FOUR) -> Any:
    """The number in every lane of a value of this type."""
    first = builder.insert_element(ir.Constant(kind, ir.Undefined), number, ir.Constant(ir.IntType(32), 0))
    return _pick(builder, first, first, [0] * kind.count)


def _numbers(count: int) -> Any:
    return ir.VectorType(ir.FloatType(), count)


def _pick(builder: Any, a: Any, b: Any, lanes: list[int]) -> Any:
    """Lanes of two values of one size, counted through both."""
    return builder.shuffle_vector(a, b, ir.Constant(ir.VectorType(ir.IntType(32), len(lanes)), lanes))


def _many(context: Any, builder: Any, kind: Any, array: Any, index: Any, count: int) -> Any:
    """Numbers of an array in one value."""
    place = _place(context, builder, kind, array, index)
    return builder.load(builder.bitcast(place, _numbers(count).as_pointer()), align=4)


def _store(context: Any, builder: Any, kind: Any, array: Any, index: Any, value: Any) -> Any:
    """Write a value of any size, 0 for NaN."""
    zeros = ir.Constant(value.type, [0.0] * value.type.count)
    value = builder.select(builder.fcmp_ordered("ord", value, value), value, zeros)
    place = _place(context, builder, kind, array, index)
    builder.store(value, builder.bitcast(place, value.type.as_pointer()), align=4)
    return context.get_dummy_value()


def _repeated(builder: Any, lanes: Any) -> Any:
    """The four numbers of a tuple, once for each joint of a group."""
    held = _held(builder, lanes)
    return _pick(builder, held, held, [*range(LANES)] * GROUP)


def _placing(channels: int, depth: int = 0) -> Any:
    """Kernel functions that place four joints: into a table, or with a depth straight into a batch."""

    @intrinsic  # type: ignore[untyped-decorator]
    def place(
        typing: Any, to: Any, i: Any, xyz: Any, j: Any, score: Any, k: Any, origin: Any,
        of_x: Any, of_y: Any, of_z: Any, of_1: Any, least: Any, blank: Any,
    ) -> Any:  # fmt: skip
        def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
            into, i, points, j, scores, k, *rest = arguments
            kinds = signature.args
            point = _many(context, builder, kinds[2], points, j, GROUP * channels)
            certain = _many(context, builder, kinds[4], scores, k, GROUP)
            value = _placed(builder, channels, point, certain, *rest)
            if depth:
                value = _pick(builder, value, value, _wanted(depth, GROUP))
                return _store(context, builder, kinds[0], into, i, value)
            place = _place(context, builder, kinds[0], into, i)
            builder.store(value, builder.bitcast(place, value.type.as_pointer()), align=4)
            return context.get_dummy_value()

        number, index = types.float32, types.intp
        held = (_HELD,) * 5
        return types.void(to, index, xyz, index, score, index, *held, number, number), generate

    return place


def _placed(
    builder: Any, channels: int, point: Any, certain: Any, origin: Any,
    of_x: Any, of_y: Any, of_z: Any, of_1: Any, least: Any, blank: Any,
) -> Any:  # fmt: skip
    """Four joints, four numbers each, of their coordinates and scores."""
    joint = [lane // LANES for lane in range(GROUP * LANES)]
    certain = _pick(builder, certain, certain, joint)
    axes = [_pick(builder, point, point, [n * channels + c for n in joint]) for c in range(channels)]
    for c in range(channels):
        shift = _pick(builder, _held(builder, origin), _held(builder, origin), [c] * len(joint))
        axes[c] = builder.fsub(axes[c], shift)
    x, y, z = axes if channels == 3 else (*axes, certain)
    column = [_repeated(builder, lanes) for lanes in (of_x, of_y, of_z, of_1)]
    value = builder.fadd(builder.fmul(x, column[0]), builder.fmul(y, column[1]))
    value = builder.fadd(builder.fadd(value, builder.fmul(z, column[2])), column[3])
    scored = [n if n % LANES < channels else len(joint) + n for n in range(len(joint))]
    if channels == 3:
        value = _pick(builder, value, certain, scored)
    least, blank = (_spread(builder, number, certain.type) for number in (least, blank))
    seen = builder.fcmp_ordered(">", certain, least)
    return builder.select(seen, value, _pick(builder, blank, certain, scored))


def _putting(depth: int) -> Any:
    @intrinsic  # type: ignore[untyped-decorator]
    def put_group(typing: Any, to: Any, i: Any, source: Any, j: Any) -> Any:
        def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
            value = _many(context, builder, signature.args[2], arguments[2], arguments[3], GROUP * LANES)
            value = _pick(builder, value, value, _wanted(depth, GROUP))
            return _store(context, builder, signature.args[0], arguments[0], arguments[1], value)

        return types.void(to, types.intp, source, types.intp), generate

    return put_group


def _putting_steps(depth: int) -> Any:
    @intrinsic  # type: ignore[untyped-decorator]
    def put_group(typing: Any, to: Any, i: Any, table: Any, j: Any, k: Any, signs: Any, scales: Any) -> Any:
        def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
            into, i, table, j, k, signs, scales = arguments
            kind = signature.args[2]
            first = _many(context, builder, kind, table, j, GROUP * LANES)
            second = _many(context, builder, kind, table, k, GROUP * LANES)
            change = builder.fadd(first, builder.fmul(second, _repeated(builder, signs)))
            change = builder.fmul(change, _repeated(builder, scales))
            value = _pick(builder, change, change, _wanted(depth, GROUP))
            return _store(context, builder, signature.args[0], into, i, value)

        return types.void(to, types.intp, table, types.intp, types.intp, _HELD, _HELD), generate

    return put_group


def _putting_four(depth: int) -> Any:
    @intrinsic  # type: ignore[untyped-decorator]
    def put_four(
        typing: Any, to: Any, i: Any, table: Any, plane: Any, now: Any, then: Any, signs: Any, scales: Any
    ) -> Any:
        def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
            into, i, table, plane, now, then, signs, scales = arguments
            kind, both = signature.args[2], [*range(2 * LANES)]

            def joint_and_bone(at: Any) -> Any:
                joint = _load(context, builder, kind, table, at)
                return _pick(
                    builder, joint, _load(context, builder, kind, table, builder.add(at, plane)), both
                )

            signs, scales = _held(builder, signs), _held(builder, scales)
            twice = [*range(LANES)] * 2
            here = joint_and_bone(now)
            change = builder.fadd(
                joint_and_bone(then), builder.fmul(here, _pick(builder, signs, signs, twice))
            )
            change = builder.fmul(change, _pick(builder, scales, scales, twice))
            value = _pick(builder, here, change, _wanted(depth, 4))
            return _store(context, builder, signature.args[0], into, i, value)

        index = types.intp
        return types.void(to, index, table, index, index, index, _HELD, _HELD), generate

    return put_four


def _wanted(depth: int, count: int) -> list[int]:
    """The lanes that a batch has, of some times four."""
    return [n * LANES + c for n in range(count) for c in range(depth)]


place_2, place_3 = _placing(2), _placing(3)
show_2, show_2_scored = _placing(2, 2), _placing(2, 3)
show_3, show_3_scored = _placing(3, 3), _placing(3, 4)
put_2, put_3, put_4 = _putting(2), _putting(3), _putting(4)
put_steps_2, put_steps_3, put_steps_4 = _putting_steps(2), _putting_steps(3), _putting_steps(4)
put_four_2, put_four_3, put_four_4 = _putting_four(2), _putting_four(3), _putting_four(4)
