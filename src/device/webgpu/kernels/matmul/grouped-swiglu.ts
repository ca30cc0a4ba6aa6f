/**
 * The first half of experts' feed-forward. On matrix units it is one kernel: a tile has the same 64
 * columns of both weights, so that a subgroup has gate and up of the same elements, and rows are read
 * where they are. Elsewhere rows are copied together first.
 */
import type { Kernels } from '../../../../tensor/kernels.ts';
import type { Tensor } from '../../../../tensor/tensor.ts';
import { type MatrixUnits, matrixUnitDirectives, storeUnit } from '../../matrix-units.ts';
import { program, programs, unroll } from '../../program.ts';
import type { Runtime } from '../../runtime.ts';
import { sigmoid } from '../activation.ts';
import { findExpert } from './find-expert.ts';
import { fewRows, groupedRegion } from './grouped.ts';
import {
  fitsUnits,
  unitBlock,
  unitSums,
  unitSumsHead,
  unitTileSize,
  unitTileThreads,
} from './unit-tile.ts';

/** Columns of each weight in a tile. */
const tileColumns = unitTileSize / 2;

interface Options {
  units: MatrixUnits;
  /** Whether gate and up are wanted beside their product. */
  kept: boolean;
}

const swigluUnits = programs(({ units, kept }: Options) => {
  const operands = {
    ...{ units, transposeA: false, transposeB: true, scaled: false },
    ...({ gathered: 'a', second: 'columns' } as const),
  };
  const [unitRows, unitColumns] = [units.rows, units.columns];
  // Padded by a quad, so that neighbouring rows lie in different banks.
  const stride = unitColumns / 4 + 1;
  const size = unitRows * stride;
  const perBlock = unitTileSize / 2 / unitColumns / 2;
  return program({
    name: 'groupedSwigluUnits',
    directives: matrixUnitDirectives,
    bindings: {
      a: 'read vec4f',
      b: 'read vec4f',
      secondB: 'read vec4f',
      rowNumbers: 'read u32',
      offsets: 'read u32',
      gate: kept ? 'write vec4f' : null,
      up: kept ? 'write vec4f' : null,
      out: 'write vec4f',
    },
    parameters: { columns: 'u32', inner: 'u32', experts: 'u32' },
    threads: unitTileThreads(operands),
    head: /* wgsl */ `
${unitSumsHead(operands)}
${findExpert}
${sigmoid}
/** One unit of gate and one of up, of each subgroup. */
var<workgroup> pairs: array<vec4f, ${2 * size * (unitTileThreads(operands) / units.subgroupSize)}>;`,
    body: /* wgsl */ `
  ${groupedRegion({ rows: unitTileSize, columns: tileColumns }, true)}
  ${unitBlock(operands)}
  ${unitSums(operands)}
  let corner = subgroup * ${2 * size}u;
  ${unroll((unitTileSize / 2 / unitRows) * perBlock, (n) => {
    const [i, j] = [Math.floor(n / perBlock), n % perBlock];
    return /* wgsl */ `
  workgroupBarrier();
  ${storeUnit('pairs', 'corner', `sum${i}_${j}`, `${stride}u`)};
  ${storeUnit('pairs', `corner + ${size}u`, `sum${i}_${j + perBlock}`, `${stride}u`)};
  workgroupBarrier();
  for (var at = thread % ${units.subgroupSize}u; at < ${(unitRows * unitColumns) / 4}u; at += ${units.subgroupSize}u) {
    let down = at / ${unitColumns / 4}u;
    let along = at % ${unitColumns / 4}u;
    let row = r.rowBegin + blockRow + ${i * unitRows}u + down;
    let column = r.columnBegin + blockColumn / 2u + ${j * unitColumns}u + 4u * along;
    if (row < r.rowEnd && column < r.columnEnd) {
      let place = (row * r.outStride + column) / 4u;
      let g = pairs[corner + down * ${stride}u + along];
      let u = pairs[corner + ${size}u + down * ${stride}u + along];
      ${kept ? 'gate[place] = g;\nup[place] = u;' : ''}
      out[place] = g * vec4f(sigmoid(g.x), sigmoid(g.y), sigmoid(g.z), sigmoid(g.w)) * u;
    }
  }`;
  })}`,
  });
});

export function groupedSwigluKernel(
  runtime: Runtime,
  kernels: Pick<Kernels, 'gatherRows' | 'groupedMatmul' | 'swiglu'>,
): Pick<Kernels, 'groupedSwiglu'> {
  return {
    groupedSwiglu({ x, tokens, offsets, gateWeight, upWeight, gate, up, out }) {
      const [rows, columns] = out.shape as [number, number];
      const [inner, experts] = [x.columns, offsets.size - 1];
      const vectors = { inner: inner % 4 === 0, columns: columns % 4 === 0 };
      const { matrixUnits } = runtime;
      if (matrixUnits && rows > fewRows && fitsUnits({ rows, columns }, vectors)) {
        runtime.run(
          swigluUnits({ units: matrixUnits, kept: gate !== null }),
          { a: x, b: gateWeight, secondB: upWeight, rowNumbers: tokens, offsets, gate, up, out },
          { columns, inner, experts },
          [Math.ceil(columns / tileColumns), Math.floor(rows / unitTileSize) + experts, 1],
        );
        return;
      }
      const table = runtime.scratch([rows, inner]);
      kernels.gatherRows({ table: x, indices: tokens, out: table });
      const product = (weight: Tensor, into: Tensor | null) => {
        const to = into ?? runtime.scratch([rows, columns]);
        const options = { transposeB: true, accumulate: false };
        kernels.groupedMatmul({ a: table, b: weight, offsets, out: to, ...options });
        return to;
      };
      kernels.swiglu({ gate: product(gateWeight, gate), up: product(upWeight, up), out });
    },
  };
}
