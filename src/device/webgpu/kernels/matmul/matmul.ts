import type { Kernels } from '../../../../tensor/kernels.ts';
import type { Tensor } from '../../../../tensor/tensor.ts';
import { program, programs } from '../../program.ts';
import type { Runtime } from '../../runtime.ts';
import { eachOf } from '../elementwise.ts';
import {
  elementType,
  type TileOptions,
  tileBody,
  tileHead,
  tileSize,
  tileThreads,
} from './tile.ts';
import { runVectorProduct, vectorRows } from './vector-product.ts';

/** Workgroups that keep a large GPU busy. */
const enoughGroups = 256;
/** Inner indices that are worth a workgroup of their own. */
const innerPerPart = 512;

/** A workgroup a tile; with several parts, each sums its own range of the inner dimension. */
const tiledMatmul = programs((options: TileOptions) =>
  program({
    name: 'matmul',
    bindings: {
      a: `read ${elementType(options.vectorA)}`,
      b: `read ${elementType(options.vectorB)}`,
      out: `write ${elementType(options.vectorOut)}`,
    },
    parameters: { rows: 'u32', columns: 'u32', inner: 'u32', innerPerPart: 'u32' },
    threads: tileThreads,
    head: tileHead(options),
    body: /* wgsl */ `
  var r: Region;
  r.rowBegin = group.y * ${tileSize(options.blocks)}u;
  r.rowEnd = p.rows;
  r.columnBegin = group.x * ${tileSize(options.blocks)}u;
  r.columnEnd = p.columns;
  r.innerBegin = group.z * p.innerPerPart;
  r.innerEnd = min(r.innerBegin + p.innerPerPart, p.inner);
  r.aStride = ${options.transposeA ? 'p.rows' : 'p.inner'};
  r.bStride = ${options.transposeB ? 'p.inner' : 'p.columns'};
  r.outStride = p.columns;
  r.outBase = group.z * p.rows * p.columns;
  ${tileBody(options)}`,
  }),
);

/** out = the sum of its parts, added in their order. */
const addParts = programs(({ accumulate }: { accumulate: boolean }) =>
  program({
    name: 'matmulParts',
    bindings: { parts: 'read f32', out: 'write f32' },
    parameters: { size: 'u32', count: 'u32' },
    threads: 256,
    body: eachOf(
      'p.size',
      /* wgsl */ `
    var sum = ${accumulate ? 'out[i]' : '0.0'};
    for (var part = 0u; part < p.count; part++) { sum += parts[part * p.size + i]; }
    out[i] = sum;`,
    ),
  }),
);

export function matmulKernel(runtime: Runtime): Pick<Kernels, 'matmul'> {
  return {
    matmul({ a, b, out, transposeA, transposeB, accumulate }) {
      const [rows, columns] = out.shape as [number, number];
      const inner = transposeA ? a.shape[0]! : a.shape[1]!;
      if (rows <= vectorRows && transposeB && !transposeA) {
        runVectorProduct(runtime, { a, b, out, offsets: null, accumulate });
        return;
      }
      const blocks = tilesOf(rows, columns, 2) >= enoughGroups ? 2 : 1;
      const tiles = tilesOf(rows, columns, blocks);
      // Few tiles and long sums, as in the gradient of a weight: the sums are split.
      const wanted = Math.min(Math.floor(enoughGroups / tiles), Math.floor(inner / innerPerPart));
      const perPart = Math.ceil(inner / Math.max(wanted, 1) / 32) * 32;
      const parts = Math.max(1, Math.ceil(inner / Math.max(perPart, 1)));
      const product = (target: Tensor, adding: boolean) =>
        runtime.run(
          tiledMatmul({
            blocks,
            transposeA,
            transposeB,
            accumulate: adding,
            vectorA: (transposeA ? rows : inner) % 4 === 0,
            vectorB: (transposeB ? inner : columns) % 4 === 0,
            vectorOut: columns % 4 === 0,
          }),
          { a, b, out: target },
          { rows, columns, inner, innerPerPart: perPart },
          [Math.ceil(columns / tileSize(blocks)), Math.ceil(rows / tileSize(blocks)), parts],
        );
      if (parts === 1) {
        product(out, accumulate);
        return;
      }
      const partial = runtime.scratch([parts, rows, columns]);
      product(partial, false);
      runtime.run(
        addParts({ accumulate }),
        { parts: partial, out },
        { size: out.size, count: parts },
        runtime.grid(out.size, 256),
      );
    },
  };
}

function tilesOf(rows: number, columns: number, blocks: number): number {
  return Math.ceil(rows / tileSize(blocks)) * Math.ceil(columns / tileSize(blocks));
}
