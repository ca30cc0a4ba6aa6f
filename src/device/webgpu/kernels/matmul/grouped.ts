import type { Kernels } from '../../../../tensor/kernels.ts';
import type { Matrix } from '../../../../tensor/quantized-matrix.ts';
import type { Tensor } from '../../../../tensor/tensor.ts';
import { matrixUnitDirectives } from '../../matrix-units.ts';
import { program, programs } from '../../program.ts';
import type { Runtime } from '../../runtime.ts';
import { memoryOf, tileWeights } from '../quantized-weights.ts';
import { findExpert } from './find-expert.ts';
import {
  elementType,
  type TileOptions,
  tileBody,
  tileElement,
  tileHead,
  tileSize,
  tileThreads,
} from './tile.ts';
import {
  fitsUnits,
  type UnitTileOptions,
  unitTileBody,
  unitTileHead,
  unitTileSize,
  unitTileThreads,
} from './unit-tile.ts';
import { runVectorProduct } from './vector-product.ts';

/** Up to this many rows, most experts have so few that a tile would be mostly empty. */
export const fewRows = 64;

const square = (size: number) => ({ rows: size, columns: size });

/** A workgroup a tile of one expert's rows; those beyond the last tile of an expert do nothing. */
const groupedTiles = programs((options: TileOptions) =>
  program({
    name: 'groupedMatmul',
    bindings: {
      a: `read ${elementType(options.vectorA)}`,
      b: `read ${tileElement(options.vectorB, options)}`,
      offsets: 'read u32',
      out: `write ${elementType(options.vectorOut)}`,
    },
    parameters: { columns: 'u32', inner: 'u32', experts: 'u32' },
    threads: tileThreads,
    head: tileHead(options) + findExpert,
    body: /* wgsl */ `
  ${groupedRegion(square(tileSize(options.blocks)), options.transposeB)}
  ${tileBody(options)}`,
  }),
);

/** A workgroup a tile of one expert's product; the inner dimension is that expert's rows. */
const groupedTransposedTiles = programs((options: TileOptions) =>
  program({
    name: 'groupedMatmulTransposed',
    bindings: {
      a: `read ${elementType(options.vectorA)}`,
      b: `read ${elementType(options.vectorB)}`,
      offsets: 'read u32',
      out: `write ${elementType(options.vectorOut)}`,
    },
    parameters: { rows: 'u32', columns: 'u32' },
    threads: tileThreads,
    head: tileHead(options),
    body: /* wgsl */ `
  ${transposedRegion(tileSize(options.blocks))}
  ${tileBody(options)}`,
  }),
);

/** Both on matrix units, with operands rounded to f16. */
const groupedUnits = programs((options: UnitTileOptions) =>
  program({
    name: `groupedMatmulUnits${options.transposeB ? 'NT' : 'NN'}`,
    directives: matrixUnitDirectives,
    bindings: {
      a: 'read vec4f',
      b: `read ${tileElement(true, options)}`,
      secondA: options.second ? 'read vec4f' : null,
      secondB: options.second ? 'read vec4f' : null,
      offsets: 'read u32',
      out: 'write f32',
    },
    parameters: { columns: 'u32', inner: 'u32', experts: 'u32', scale: 'f32' },
    threads: unitTileThreads(options),
    head: unitTileHead(options) + findExpert,
    body: /* wgsl */ `
  ${groupedRegion(square(unitTileSize), options.transposeB)}
  ${unitTileBody(options)}`,
  }),
);

const groupedTransposedUnits = programs((options: UnitTileOptions) =>
  program({
    name: 'groupedMatmulTransposedUnits',
    directives: matrixUnitDirectives,
    bindings: {
      a: 'read vec4f',
      b: 'read vec4f',
      rowNumbers: options.gathered === 'b' ? 'read u32' : null,
      offsets: 'read u32',
      out: 'write f32',
    },
    parameters: { rows: 'u32', columns: 'u32', scale: 'f32' },
    threads: unitTileThreads(options),
    head: unitTileHead(options),
    body: /* wgsl */ `
  ${transposedRegion(unitTileSize)}
  ${unitTileBody(options)}`,
  }),
);

/** The region of a tile among those of all experts. */
export function groupedRegion(
  { rows, columns }: { rows: number; columns: number },
  transposeB: boolean,
): string {
  return /* wgsl */ `
  let expert = expertOfTile(group.y, p.experts, ${rows}u);
  let tile = group.y - firstTile(expert, ${rows}u);
  var r: Region;
  r.rowBegin = offsets[expert] + tile * ${rows}u;
  r.rowEnd = offsets[expert + 1u];
  if (r.rowBegin >= r.rowEnd) { return; }
  r.columnBegin = group.x * ${columns}u;
  r.columnEnd = p.columns;
  r.innerEnd = p.inner;
  r.aStride = p.inner;
  r.bStride = ${transposeB ? 'p.inner' : 'p.columns'};
  r.bBase = expert * p.inner * p.columns;
  r.outStride = p.columns;`;
}

/** The region of a tile of one expert's gradient. */
function transposedRegion(size: number): string {
  return /* wgsl */ `
  var r: Region;
  r.rowBegin = group.y * ${size}u;
  r.rowEnd = p.rows;
  r.columnBegin = group.x * ${size}u;
  r.columnEnd = p.columns;
  r.innerBegin = offsets[group.z];
  r.innerEnd = offsets[group.z + 1u];
  r.aStride = p.rows;
  r.bStride = p.columns;
  r.outStride = p.columns;
  r.outBase = group.z * p.rows * p.columns;`;
}

export function groupedMatmulKernels(
  runtime: Runtime,
  { gatherRows }: Pick<Kernels, 'gatherRows'>,
): Pick<Kernels<Matrix>, 'groupedMatmul' | 'groupedMatmulTransposed'> {
  return {
    groupedMatmul({ a, b, second = null, offsets, out, transposeB, accumulate, scaleA = 1 }) {
      const [rows, columns] = out.shape as [number, number];
      const [experts, inner] = [offsets.size - 1, a.columns];
      if (rows === 0) return;
      const layout = { transposeA: false, transposeB };
      const vectors = {
        vectorA: inner % 4 === 0,
        vectorB: (transposeB ? inner : columns) % 4 === 0,
        vectorOut: columns % 4 === 0,
      };
      const sizes = { columns, inner, experts };
      const grid = (size: number) =>
        [Math.ceil(columns / size), Math.floor(rows / size) + experts, 1] as const;
      const { matrixUnits: units } = runtime;
      const few = rows <= fewRows && transposeB;
      if (units && !few && fitsUnits({ rows, columns }, vectors)) {
        const operands = { units, ...layout, scaled: scaleA !== 1, gathered: null } as const;
        runtime.run(
          groupedUnits({
            ...{ ...operands, second: second && 'sum', addend: accumulate ? 'out' : null },
            ...tileWeights(b),
          }),
          {
            a,
            b: memoryOf(b),
            secondA: second?.a ?? null,
            secondB: second?.b ?? null,
            offsets,
            out,
          },
          { ...sizes, scale: scaleA },
          grid(unitTileSize),
        );
        return;
      }
      const blocks = rows >= 256 * experts && columns >= 128 ? 2 : 1;
      const product = (left: Tensor, right: Matrix, adding: boolean) => {
        const tensors = { a: left, offsets, out };
        if (few) {
          runVectorProduct(runtime, { ...tensors, b: right, accumulate: adding });
          return;
        }
        const program = groupedTiles({
          ...{ blocks, ...layout, accumulate: adding, ...vectors },
          ...tileWeights(right),
        });
        runtime.run(program, { ...tensors, b: memoryOf(right) }, sizes, grid(tileSize(blocks)));
      };
      product(a, b, accumulate);
      if (second) product(second.a, second.b, true);
    },

    groupedMatmulTransposed({ a, b, rowsOfB = null, offsets, out, accumulate, scaleA = 1 }) {
      const [experts, rows, columns] = out.shape as [number, number, number];
      const vectors = {
        vectorA: rows % 4 === 0,
        vectorB: columns % 4 === 0,
        vectorOut: columns % 4 === 0,
      };
      const units = fitsUnits({ rows, columns }, vectors) ? runtime.matrixUnits : null;
      const layout = { transposeA: true, transposeB: false };
      const blocks = 1;
      const size = units ? unitTileSize : tileSize(blocks);
      const sizes = { rows, columns };
      const groups = [Math.ceil(columns / size), Math.ceil(rows / size), experts] as const;
      if (units) {
        const gathered = rowsOfB && 'b';
        const operands = {
          units,
          ...layout,
          scaled: scaleA !== 1,
          gathered,
          second: null,
        } as const;
        runtime.run(
          groupedTransposedUnits({ ...operands, addend: accumulate ? 'out' : null }),
          { a, b, rowNumbers: rowsOfB, offsets, out },
          { ...sizes, scale: scaleA },
          groups,
        );
        return;
      }
      let table = b;
      if (rowsOfB) {
        table = runtime.scratch([rowsOfB.size, columns]);
        gatherRows({ table: b, indices: rowsOfB, out: table });
      }
      const program = groupedTransposedTiles({ blocks, ...layout, accumulate, ...vectors });
      runtime.run(program, { a, b: table, offsets, out }, sizes, groups);
    },
  };
}
