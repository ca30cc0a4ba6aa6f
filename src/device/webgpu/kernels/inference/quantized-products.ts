import { groupSize, type QuantizedBits } from '../../../../tensor/quantized-matrix.ts';
import { unroll } from '../../program.ts';
import { chunkNumbers, numbersFrom, scaleFrom } from '../quantized-weights.ts';
import type { Operands, Products } from './products.ts';

/**
 * `addProducts` with quantised weights. A chunk has several units of a row; its numbers are scaled before
 * they are multiplied, for all rows at once.
 */
export function addQuantizedProducts(
  { rows, columns, inner, lanes, normed }: Products,
  bits: QuantizedBits,
  { x, weights, norm, factor, part }: Operands,
): string {
  const size = chunkNumbers(bits);
  const chunks = inner / size;
  const firstChunk = (4 * (part?.beginUnits ?? 0)) / size;
  const steps = Math.ceil(chunks / lanes);
  const perRound = Math.min(steps, columns > 1 ? 2 : 4);
  const isFull = chunks % (lanes * perRound) === 0;
  const multiply = (u: number) =>
    unroll(size / 4, (q) => {
      const word = (c: number) => `chunk${c}x${u}[${q % 4}]`;
      const value = normed ? 'value * normOfQuad' : 'value';
      return /* wgsl */ `{
      let unit = chunk${u} * ${size / 4}u + ${q}u;
      ${normed ? `let normOfQuad = ${norm}[unit];` : ''}
      ${unroll(columns, (c) => `let weight${c} = ${numbersFrom(word(c), bits, q >= 4)} * scale${c}x${u};`)}
      ${unroll(
        rows,
        (r) => /* wgsl */ `{
        let value = ${x}[rowBegin${r} + unit];
        let factored = ${value};
        ${unroll(columns, (c) => `sum${r}x${c} += dot(factored, weight${c});`)}
        ${normed ? `squares${r} += dot(value, value);` : ''}
      }`,
      )}
    }`;
    });
  return /* wgsl */ `
  for (var k = lane; k < ${chunks}u; k += ${lanes * perRound}u) {
    ${unroll(perRound, (u) => {
      const index = `k + ${u * lanes}u`;
      return /* wgsl */ `
    let chunk${u} = ${isFull ? index : `min(${index}, ${chunks - 1}u)`};
    let group${u} = (chunk${u} + ${firstChunk}u) * ${size}u / ${groupSize}u;
    ${unroll(
      columns,
      (c) => /* wgsl */ `
    let chunk${c}x${u} = ${weights[c]}[weightBegin${c} + chunk${u} + ${firstChunk}u];
    let scales${c}x${u} = ${weights[c]}[scaleBegin${c} + group${u} / 2u][weightRow${c} % 4u];`,
    )}`;
    })}
    ${unroll(
      perRound,
      (u) => /* wgsl */ `
    ${unroll(columns, (c) => {
      const scale = scaleFrom(`scales${c}x${u}`, `group${u}`);
      return `let scale${c}x${u} = ${factor ? `${factor} * ` : ''}${scale};`;
    })}
    ${isFull ? '' : `if (k + ${u * lanes}u < ${chunks}u)`} { ${multiply(u)} }`,
    )}
  }`;
}
