"""Single PTX instructions, also those that numba's compiler writes seldom, against Python and
NumPy."""

from fractions import Fraction

import numpy as np
import ptx_machine
import pytest

pytestmark = [pytest.mark.compiled, pytest.mark.slow]

_MODULE = """
.version 8.5
.target sm_90
.address_size 64
.global .align 4 .u32 table[4] = {{10, 20, 30, 40}};
.func (.param .b32 back) doubled(.param .b64 where)
{{
	.reg .b32 %r<3>; .reg .b64 %rd<2>;
	ld.param.u64 %rd1, [where];
	ld.u32 %r1, [%rd1+4];
	add.s32 %r2, %r1, %r1;
	st.param.b32 [back+0], %r2;
	ret;
}}
.visible .entry one({params})
{{
	.local .align 8 .b8 depot[16];
	.reg .b64 %rd<12>; .reg .pred %p, %q; .reg .b{bits} %a, %b, %c, %d; .reg .b32 %i<4>;
	mov.u32 %i0, %tid.x;
	mul.wide.u32 %rd0, %i0, {bytes};
	ld.param.u64 %rd1, [p4]; add.s64 %rd1, %rd1, %rd0; ld.global.b{bits} %a, [%rd1];
	ld.param.u64 %rd2, [p11]; add.s64 %rd2, %rd2, %rd0; ld.global.b{bits} %b, [%rd2];
	ld.param.u64 %rd3, [p18]; add.s64 %rd3, %rd3, %rd0; ld.global.b{bits} %c, [%rd3];
	{text}
	ld.param.u64 %rd4, [p25]; add.s64 %rd4, %rd4, %rd0; st.global.b{bits} [%rd4], %d;
	ret;
}}
"""


def _run(text, a, b, c):
    """The instructions' %d of %a, %b and %c, one thread for each."""
    bits = 8 * a.itemsize
    params = ", ".join(f".param .u64 p{i}" for i in range(28))
    d = np.zeros_like(a)
    module = _MODULE.format(params=params, bits=bits, bytes=bits // 8, text=text)
    ptx_machine.run(module, 1, len(a), (a, b, c, d), races=True)
    return d


def _signed(x, bits=32):
    return (x & (1 << bits) - 1) - (x >> (bits - 1) & 1) * (1 << bits)


def _prmt(a, b, c):
    eight = (b << 32 | a).to_bytes(8, "little")
    chosen = [c >> 4 * i & 15 for i in range(4)]
    return int.from_bytes(
        [eight[n & 7] if n < 8 else 255 * (eight[n & 7] >> 7) for n in chosen], "little"
    )


def _bfe(a, b, c, signed):
    position, length = b & 255, c & 255
    if not signed:
        return a >> position & (1 << length) - 1
    return (
        sum((_signed(a) >> (position + min(i, length - 1)) & 1) << i for i in range(32))
        if length
        else 0
    )


def _bfi(a, b, position, length):
    mask = ((1 << length) - 1) << position
    return a << position & mask | b & ~mask


INTEGERS = {
    "prmt.b32 %d, %a, %b, %c;": _prmt,
    "and.b32 %b, %b, 63; and.b32 %c, %c, 63; bfe.u32 %d, %a, %b, %c;": lambda a, b, c: _bfe(
        a, b & 63, c & 63, False
    ),
    "and.b32 %b, %b, 31; and.b32 %c, %c, 31; bfe.s32 %d, %a, %b, %c;": lambda a, b, c: _bfe(
        a, b & 31, c & 31, True
    ),
    "bfi.b32 %d, %a, %b, 5, 9;": lambda a, b, c: _bfi(a, b, 5, 9),
    "shf.l.wrap.b32 %d, %a, %b, %c;": lambda a, b, c: (b << 32 | a) << (c & 31) >> 32,
    "shf.r.clamp.b32 %d, %a, %b, %c;": lambda a, b, c: (b << 32 | a) >> min(c, 32),
    "lop3.b32 %d, %a, %b, %c, 0xE8;": lambda a, b, c: a & b | a & c | b & c,
    "lop3.b32 %d, %a, %b, %c, 0x1B;": lambda a, b, c: _lop3(a, b, c, 0x1B),
    "clz.b32 %d, %a;": lambda a, b, c: 32 - a.bit_length(),
    "popc.b32 %d, %a;": lambda a, b, c: a.bit_count(),
    "brev.b32 %d, %a;": lambda a, b, c: int(f"{a:032b}"[::-1], 2),
    "bfind.u32 %d, %a;": lambda a, b, c: a.bit_length() - 1,
    "bfind.s32 %d, %a;": lambda a, b, c: (a ^ -(a >> 31)).__and__(0xFFFFFFFF).bit_length() - 1,
    "mul24.lo.s32 %d, %a, %b;": lambda a, b, c: _signed(a, 24) * _signed(b, 24),
    "mul.hi.s32 %d, %a, %b;": lambda a, b, c: _signed(a) * _signed(b) >> 32,
    "mul.hi.u32 %d, %a, %b;": lambda a, b, c: a * b >> 32,
    "mad.hi.u32 %d, %a, %b, %c;": lambda a, b, c: (a * b >> 32) + c,
    "mad.lo.cc.u32 %b, %a, %b, %c; madc.hi.u32 %d, %a, %b, 7;": lambda a, b, c: (
        (a * (a * b + c & 0xFFFFFFFF) >> 32) + 7 + ((a * b & 0xFFFFFFFF) + c >> 32)
    ),
    "add.cc.u32 %d, %a, %b; addc.u32 %d, %c, 0;": lambda a, b, c: c + (a + b >> 32),
    "sub.cc.u32 %d, %a, %b; subc.u32 %d, %c, 0;": lambda a, b, c: c - (a < b),
    "shl.b32 %d, %a, %b;": lambda a, b, c: a << b if b < 32 else 0,
    "shr.s32 %d, %a, %b;": lambda a, b, c: _signed(a) >> min(b, 31),
    "shr.u32 %d, %a, %b;": lambda a, b, c: a >> b if b < 32 else 0,
    "max.s32 %d, %a, %b;": lambda a, b, c: max(_signed(a), _signed(b)),
    "min.u32 %d, %a, %b;": lambda a, b, c: min(a, b),
    "or.b32 %b, %b, 1; div.s32 %d, %a, %b;": lambda a, b, c: int(
        np.trunc(_signed(a) / _signed(b | 1))
    ),
    "or.b32 %b, %b, 1; rem.u32 %d, %a, %b;": lambda a, b, c: a % (b | 1),
    "cvt.s32.s8 %d, %a;": lambda a, b, c: _signed(a, 8),
    "cvt.u32.u16 %d, %a;": lambda a, b, c: a & 0xFFFF,
    "setp.lt.s32 %p, %a, %b; selp.b32 %d, %b, %c, %p;": lambda a, b, c: (
        b if _signed(a) < _signed(b) else c
    ),
    "setp.hi.u32 %p|%q, %a, %b; selp.b32 %d, 1, %c, %q;": lambda a, b, c: c if a > b else 1,
    "setp.eq.s32 %p, %a, 0; setp.lt.or.s32 %q, %a, %b, !%p; mov.b32 %d, 5; "
    "@%q mov.b32 %d, %b;": lambda a, b, c: b if _signed(a) < _signed(b) or a else 5,
    "setp.gt.u32 %p, %a, %b; mov.b32 %d, %c; @!%p st.local.b32 [depot], %a; @!%p ld.local.b32 %d, "
    "[depot];": (lambda a, b, c: c if a > b else a),
    "set.gt.u32.s32 %d, %a, %b;": lambda a, b, c: 0xFFFFFFFF * (_signed(a) > _signed(b)),
    "mov.u64 %rd5, depot; cvta.local.u64 %rd5, %rd5; st.b32 [%rd5+4], %a; "
    "{ .param .b64 q; .param .b32 r; st.param.b64 [q+0], %rd5; "
    "call.uni (r), doubled, (q); ld.param.b32 %d, [r+0]; }": lambda a, b, c: 2 * a,
    "mov.u64 %rd5, depot; st.local.v2.b32 [%rd5+8], {%a, %b}; ld.local.u64 %rd6, [depot+8]; "
    "shr.u64 %rd6, %rd6, 16; "
    "cvt.u32.u64 %d, %rd6;": lambda a, b, c: (b << 32 | a) >> 16,
    "mov.b64 %rd5, {%a, %b}; mov.b64 {%c, %d}, %rd5;": lambda a, b, c: b,
    "and.b32 %a, %a, 3; mul.wide.u32 %rd5, %a, 4; mov.u64 %rd6, table; add.s64 %rd5, %rd5, %rd6; "
    "ld.global.nc.u32 %d, "
    "[%rd5];": lambda a, b, c: 10 * (a % 4 + 1),
    "and.b32 %a, %a, 1; mov.b32 %d, 3; $T: .branchtargets $L1, $L2; brx.idx %a, $T; $L1: mov.b32 "
    "%d, %b; $L2:": (lambda a, b, c: 3 if a & 1 else b),
}


def _lop3(a, b, c, table):
    return sum(
        (table >> (4 * (a >> i & 1) + 2 * (b >> i & 1) + (c >> i & 1)) & 1) << i for i in range(32)
    )


@pytest.mark.parametrize("text", INTEGERS)
def test_integer_instructions(text, generator):
    """Words at the ends of their range, small ones and random ones."""
    ends = [0, 1, 5, 31, 32, 33, 0x7FFFFFFF, 0x80000000, 0xFFFFFFFF]
    words = np.array(ends * 3 + generator.integers(0, 1 << 32, 33).tolist(), np.uint32)
    a, b, c = (generator.permutation(words) for _ in range(3))
    expected = [INTEGERS[text](*map(int, row)) & 0xFFFFFFFF for row in zip(a, b, c, strict=True)]
    assert _run(text, a, b, c).tolist() == expected


_TINY = np.float32(2.0**-126)


def _flush(x):
    return np.where(np.abs(x) < _TINY, np.copysign(np.float32(0), x), x)


FLOATS = {
    "add.f32 %d, %a, %b;": lambda a, b, c: a + b,
    "add.ftz.f32 %d, %a, %b;": lambda a, b, c: _flush(_flush(a) + _flush(b)),
    "max.f32 %d, %a, %b;": lambda a, b, c: np.fmax(a, b),
    "min.NaN.f32 %d, %a, %b;": lambda a, b, c: np.minimum(a, b),
    "copysign.f32 %d, %a, %b;": lambda a, b, c: np.copysign(b, a),
    "neg.f32 %d, %a;": lambda a, b, c: -a,
    "cvt.rni.f32.f32 %d, %a;": lambda a, b, c: np.rint(a),
    "cvt.rmi.f32.f32 %d, %a;": lambda a, b, c: np.floor(a),
    "cvt.sat.f32.f32 %d, %a;": lambda a, b, c: np.clip(np.nan_to_num(a), 0, 1),
    "cvt.rzi.s32.f32 %i1, %a; cvt.rn.f32.s32 %d, %i1;": lambda a, b, c: (
        [np.float32(min(max(int(one), -(2**31)), 2**31 - 1)) for one in np.nan_to_num(a)]
    ),
    "cvt.f64.f32 %rd5, %a; cvt.rn.f32.f64 %d, %rd5;": lambda a, b, c: a,
    "testp.subnormal.f32 %p, %a; selp.f32 %d, 0f3F800000, 0f00000000, %p;": lambda a, b, c: (
        (np.abs(a) < _TINY) & (a != 0)
    ),
    "setp.leu.f32 %p, %a, %b; selp.f32 %d, %a, %c, %p;": lambda a, b, c: np.where(~(a > b), a, c),
    "setp.num.f32 %p, %a, %b; selp.f32 %d, %a, %c, %p;": lambda a, b, c: np.where(
        np.isnan(a) | np.isnan(b), c, a
    ),
    "sqrt.rn.f32 %d, %a;": lambda a, b, c: np.sqrt(a),
    "rcp.rn.f32 %d, %a;": lambda a, b, c: 1 / a,
    "fma.rn.f32 %d, %a, %b, %c;": lambda a, b, c: _fma(a, b, c),
    "fma.rm.f32 %d, %a, %b, %c;": lambda a, b, c: _towards(-np.inf, a, b, c),
    "fma.rz.f32 %d, %a, %b, %c;": lambda a, b, c: _towards(0, a, b, c),
    "add.rz.f32 %d, %a, %b;": lambda a, b, c: _towards(0, a, np.ones_like(a), b),
    "mul.rp.f32 %d, %a, %b;": lambda a, b, c: _towards(np.inf, a, b, np.float32(-0.0)),
}


def _fma(a, b, c):
    """The product of two float32 is exact in a longer float, and 64 bits of the sum are enough for
    these numbers."""
    if np.finfo(np.longdouble).nmant < 60:
        pytest.skip("no float longer than float64 here")
    return (a.astype(np.longdouble) * b + c).astype(np.float32)


def _towards(end, a, b, c):
    """a b + c, rounded towards a number: one float on, where the nearest lies on the wrong side."""
    nearest, answer = _fma(a, b, c), []
    for x, p, q, r in zip(nearest, a, b, np.broadcast_to(c, a.shape), strict=True):
        if np.isfinite([x, p, q, r]).all():
            wrong = Fraction(float(x)) - (
                Fraction(float(p)) * Fraction(float(q)) + Fraction(float(r))
            )
            side = (
                wrong > 0
                if end == -np.inf
                else wrong < 0
                if end == np.inf
                else wrong * np.sign(x) > 0
            )
            x = np.nextafter(x, np.float32(end)) if side else x
        answer.append(x)
    return answer


@pytest.mark.parametrize("text", FLOATS)
def test_float_instructions(text, generator):
    """NaN, infinities, zeros of both signs, subnormal and random numbers."""
    special = [0.0, -0.0, np.inf, -np.inf, np.nan, 1e-40, -1e-39, 2.5, -0.5, 3e9, 1e-30]
    numbers = np.array(special * 3 + generator.normal(size=31).tolist(), np.float32)
    a, b, c = (generator.permutation(numbers) for _ in range(3))
    with np.errstate(all="ignore"):
        expected = np.asarray(FLOATS[text](a, b, c), np.float32)
    got = _run(text, a, b, c)
    np.testing.assert_array_equal(got, expected)
    if not any(
        word in text for word in ("max", "sat", ".rm", ".rz")
    ):  # which of two zeros it is is left open
        numbers = ~np.isnan(expected)
        np.testing.assert_array_equal(np.signbit(got[numbers]), np.signbit(expected[numbers]))


def test_products_and_sums_are_fused_on_demand():
    """ptxas may fuse a product and a sum, never those with .rn."""
    x = np.full(1, 1 + 2.0**-30)
    for rounding, fuse, expected in (("", False, 0.0), ("", True, 2.0**-60), (".rn", True, 0.0)):
        text = f"mul{rounding}.f64 %c, %a, %b; sub.f64 %d, %c, %rd5;"
        params = ", ".join(f".param .u64 p{i}" for i in range(28))
        text = f"mov.f64 %rd5, 0d{np.float64(1 + 2.0**-29).view(np.uint64):016X}; " + text
        d = np.zeros(1)
        module = _MODULE.format(params=params, bits=64, bytes=8, text=text)
        ptx_machine.run(module, 1, 1, (x, x, x.copy(), d), fuse=fuse)
        assert d[0] == expected


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("div.rz.f32 %d, %a, %b;", "does not know div.rz"),
        ("wgmma.fence.sync.aligned;", "does not know wgmma"),
        ("mov.b32 %b, 0; div.u32 %d, %a, %b;", "divides by the integer zero; PTX line"),
        ("ld.local.b32 %d, [depot+8];", "never written"),
        ("ld.global.b32 %d, [%rd1+2];", "wrong alignment"),
        ("mov.u64 %rd5, 0; ld.b32 %d, [%rd5];", "not there"),
        ("trap;", "meets a trap"),
    ],
)
def test_what_the_card_would_not_do_is_refused(text, message):
    """Faults name their reason and line; instructions that the machine does not have are never
    guessed."""
    a = np.ones(1, np.float32)
    with pytest.raises(ptx_machine.PtxError, match=message):
        _run(text, a, a, a)
