/**
 * Rotary position embedding. The angle position·frequency is rounded to f32 as everywhere (see
 * tensor/rotary-table.ts), but it may be 200000 radians large, and a shader's cos of that is noise. So
 * the angle is reduced exactly first: its 24 bits of mantissa times 1/2π in 64 bits of fraction, in
 * integers, of which only what is left after whole turns is kept.
 */
import type { Kernels } from '../../../tensor/kernels.ts';
import { rotaryFrequencies } from '../../../tensor/rotary-table.ts';
import type { Tensor } from '../../../tensor/tensor.ts';
import { program, programs } from '../program.ts';
import type { Runtime } from '../runtime.ts';
import { eachOf, sameMemory } from './elementwise.ts';

export const exactAngles = /* wgsl */ `
/** The low and high word of a·b. */
fn wideProduct(a: u32, b: u32) -> vec2u {
  let low = (a & 0xffffu) * (b & 0xffffu);
  let middle = (a >> 16u) * (b & 0xffffu) + (low >> 16u);
  let other = (a & 0xffffu) * (b >> 16u) + (middle & 0xffffu);
  let high = (a >> 16u) * (b >> 16u) + (middle >> 16u) + (other >> 16u);
  return vec2u((other << 16u) | (low & 0xffffu), high);
}

/** The fraction of a turn of an angle ≥ 0, in units of 2⁻³²; below 2²⁴ radians. */
fn turnOf(angle: f32) -> u32 {
  let bits = bitcast<u32>(angle);
  let exponent = i32(bits >> 23u) - 150;
  let mantissa = (bits & 0x7fffffu) | 0x800000u;
  // 1/2π = 0.28be60db 9391054a… in base 16; mantissa·that is an integer word and two of fraction.
  let low = wideProduct(mantissa, 0x9391054au);
  let high = wideProduct(mantissa, 0x28be60dbu);
  let fraction = high.x + low.y;
  let whole = high.y + select(0u, 1u, fraction < high.x);
  let shift = u32(clamp(-exponent, 0, 31));
  return select((fraction >> shift) | (whole << (32u - shift)), fraction, shift == 0u);
}

/** Cosine and sine of a position's angle. */
fn rotation(position: i32, frequency: f32) -> vec2f {
  let angle = f32(abs(position)) * frequency;
  // The nearest quarter turn, and what is left of it in ±π/4.
  let turn = turnOf(angle);
  let quarter = (turn + 0x20000000u) >> 30u;
  let rest = bitcast<i32>(turn - (quarter << 30u));
  let far = f32(rest) * 1.4629180792671596e-9;
  // Less than an eighth of a turn is the angle itself, and small angles keep all their bits.
  let x = select(far, angle, angle < 0.785);
  let square = x * x;
  let c = 1.0 + square * (-0.5 + square * (0.041666666 + square * (-0.0013888889 +
    square * (2.4801587e-5 + square * -2.7557319e-7))));
  let s = x + x * square * (-0.16666667 + square * (0.008333333 + square * (-1.9841270e-4 +
    square * (2.7557319e-6 + square * -2.5052108e-8))));
  var both = vec2f(c, s);
  if (angle >= 0.785) {
    if ((quarter & 1u) == 1u) { both = vec2f(-both.y, both.x); }
    if ((quarter & 2u) == 2u) { both = -both; }
  }
  return vec2f(both.x, select(both.y, -both.y, position < 0));
}`;

/**
 * A thread takes a pair that is rotated, or one of the elements after them. In place there is only
 * `out`, and the others stay as they are.
 */
const rotary = programs(({ inPlace }: { inPlace: boolean }) => {
  const x = inPlace ? 'out' : 'x';
  return program({
    name: 'rotary',
    bindings: {
      x: inPlace ? null : 'read f32',
      positions: 'read i32',
      frequencies: 'read f32',
      out: 'write f32',
    },
    parameters: { size: 'u32', perRow: 'u32', headDim: 'u32', half: 'u32', direction: 'f32' },
    threads: 256,
    head: exactAngles,
    body: eachOf(
      'p.size',
      /* wgsl */ `
    let perHead = ${inPlace ? 'p.half' : 'p.headDim - p.half'};
    let at = i % perHead;
    let begin = i / perHead * p.headDim + at;
    ${
      inPlace
        ? ''
        : `if (at >= p.half) {
      out[begin + p.half] = x[begin + p.half];
      continue;
    }`
    }
    let turned = rotation(positions[i / p.perRow], frequencies[at]);
    let s = turned.y * p.direction;
    let first = ${x}[begin];
    let second = ${x}[begin + p.half];
    out[begin] = first * turned.x - second * s;
    out[begin + p.half] = second * turned.x + first * s;`,
    ),
  });
});

export function rotaryKernels(runtime: Runtime): Pick<Kernels, 'rotary'> {
  return {
    rotary({ x, positions, headDim, rotaryDim, theta, inverse, out }) {
      const half = rotaryDim / 2;
      const inPlace = sameMemory(x, out);
      const perRow = (x.columns / headDim) * (inPlace ? half : headDim - half);
      const size = x.rows * perRow;
      const frequencies: Tensor = runtime.constant(`rotary ${rotaryDim} ${theta}`, () =>
        rotaryFrequencies(rotaryDim, theta),
      );
      runtime.run(
        rotary({ inPlace }),
        { x, positions, frequencies, out },
        { size, perRow, headDim, half, direction: inverse ? -1 : 1 },
        runtime.grid(size, 256),
      );
    },
  };
}
