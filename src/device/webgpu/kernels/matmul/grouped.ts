import type { Kernels } from '../../../../tensor/kernels.ts';
import { program, programs } from '../../program.ts';
import type { Runtime } from '../../runtime.ts';
import { findExpert } from './find-expert.ts';
import {
  elementType,
  type TileOptions,
  tileBody,
  tileHead,
  tileSize,
  tileThreads,
} from './tile.ts';
import { runVectorProduct } from './vector-product.ts';

/** Up to this many rows, most experts have so few that a tile would be mostly empty. */
const fewRows = 64;

/** A workgroup a tile of one expert's rows; those beyond the last tile of an expert do nothing. */
const groupedTiles = programs((options: TileOptions) =>
  program({
    name: 'groupedMatmul',
    bindings: {
      a: `read ${elementType(options.vectorA)}`,
      b: `read ${elementType(options.vectorB)}`,
      offsets: 'read u32',
      out: `write ${elementType(options.vectorOut)}`,
    },
    parameters: { columns: 'u32', inner: 'u32', experts: 'u32' },
    threads: tileThreads,
    head: tileHead(options) + findExpert,
    body: /* wgsl */ `
  let expert = expertOfTile(group.y, p.experts, ${tileSize(options.blocks)}u);
  let tile = group.y - firstTile(expert, ${tileSize(options.blocks)}u);
  var r: Region;
  r.rowBegin = offsets[expert] + tile * ${tileSize(options.blocks)}u;
  r.rowEnd = offsets[expert + 1u];
  if (r.rowBegin >= r.rowEnd) { return; }
  r.columnBegin = group.x * ${tileSize(options.blocks)}u;
  r.columnEnd = p.columns;
  r.innerEnd = p.inner;
  r.aStride = p.inner;
  r.bStride = ${options.transposeB ? 'p.inner' : 'p.columns'};
  r.bBase = expert * p.inner * p.columns;
  r.outStride = p.columns;
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
  var r: Region;
  r.rowBegin = group.y * ${tileSize(options.blocks)}u;
  r.rowEnd = p.rows;
  r.columnBegin = group.x * ${tileSize(options.blocks)}u;
  r.columnEnd = p.columns;
  r.innerBegin = offsets[group.z];
  r.innerEnd = offsets[group.z + 1u];
  r.aStride = p.rows;
  r.bStride = p.columns;
  r.outStride = p.columns;
  r.outBase = group.z * p.rows * p.columns;
  ${tileBody(options)}`,
  }),
);

export function groupedMatmulKernels(
  runtime: Runtime,
): Pick<Kernels, 'groupedMatmul' | 'groupedMatmulTransposed'> {
  return {
    groupedMatmul({ a, b, offsets, out, transposeB, accumulate }) {
      const [rows, columns] = out.shape as [number, number];
      const [experts, inner] = [offsets.size - 1, a.columns];
      if (rows === 0) return;
      if (rows <= fewRows && transposeB) {
        runVectorProduct(runtime, { a, b, out, offsets, accumulate });
        return;
      }
      const blocks = rows >= 256 * experts && columns >= 128 ? 2 : 1;
      const size = tileSize(blocks);
      runtime.run(
        groupedTiles({
          blocks,
          transposeA: false,
          transposeB,
          accumulate,
          vectorA: inner % 4 === 0,
          vectorB: (transposeB ? inner : columns) % 4 === 0,
          vectorOut: columns % 4 === 0,
        }),
        { a, b, offsets, out },
        { columns, inner, experts },
        [Math.ceil(columns / size), Math.floor(rows / size) + experts, 1],
      );
    },

    groupedMatmulTransposed({ a, b, offsets, out, accumulate }) {
      const [experts, rows, columns] = out.shape as [number, number, number];
      const blocks = 1;
      const size = tileSize(blocks);
      runtime.run(
        groupedTransposedTiles({
          blocks,
          transposeA: true,
          transposeB: false,
          accumulate,
          vectorA: rows % 4 === 0,
          vectorB: columns % 4 === 0,
          vectorOut: columns % 4 === 0,
        }),
        { a, b, offsets, out },
        { rows, columns },
        [Math.ceil(columns / size), Math.ceil(rows / size), experts],
      );
    },
  };
}
