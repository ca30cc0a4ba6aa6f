import type { Kernels } from '../../../../tensor/kernels.ts';
import type { Matrix } from '../../../../tensor/quantized-matrix.ts';
import type { Tensor } from '../../../../tensor/tensor.ts';
import { matrixUnitDirectives } from '../../matrix-units.ts';
import { program, programs } from '../../program.ts';
import type { Runtime } from '../../runtime.ts';
import { eachOf } from '../elementwise.ts';
import { memoryOf, tileWeights } from '../quantized-weights.ts';
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
      b: `read ${tileElement(options.vectorB, options)}`,
      out: `write ${elementType(options.vectorOut)}`,
    },
    parameters: { rows: 'u32', columns: 'u32', inner: 'u32', innerPerPart: 'u32' },
    threads: tileThreads,
    head: tileHead(options),
    body: /* wgsl */ `
  ${region(tileSize(options.blocks), options)}
  ${tileBody(options)}`,
  }),
);

/** The same on matrix units, with operands rounded to f16. */
const unitMatmul = programs((options: UnitTileOptions) =>
  program({
    name: `matmulUnits${layoutOf(options)}`,
    directives: matrixUnitDirectives,
    bindings: {
      a: 'read vec4f',
      b: `read ${tileElement(true, options)}`,
      residual: options.addend === 'residual' ? 'read f32' : null,
      out: 'write f32',
    },
    parameters: { rows: 'u32', columns: 'u32', inner: 'u32', innerPerPart: 'u32', scale: 'f32' },
    threads: unitTileThreads(options),
    head: unitTileHead(options),
    body: /* wgsl */ `
  ${region(unitTileSize, options)}
  ${unitTileBody(options)}`,
  }),
);

/** As profiles call a layout: N for a matrix as it is, T for a transposed one. */
function layoutOf({ transposeA, transposeB }: UnitTileOptions): string {
  return `${transposeA ? 'T' : 'N'}${transposeB ? 'T' : 'N'}`;
}

/** The region of a workgroup's tile. */
function region(
  size: number,
  { transposeA, transposeB }: { transposeA: boolean; transposeB: boolean },
): string {
  return /* wgsl */ `
  var r: Region;
  r.rowBegin = group.y * ${size}u;
  r.rowEnd = p.rows;
  r.columnBegin = group.x * ${size}u;
  r.columnEnd = p.columns;
  r.innerBegin = group.z * p.innerPerPart;
  r.innerEnd = min(r.innerBegin + p.innerPerPart, p.inner);
  r.aStride = ${transposeA ? 'p.rows' : 'p.inner'};
  r.bStride = ${transposeB ? 'p.inner' : 'p.columns'};
  r.outStride = p.columns;
  r.outBase = group.z * p.rows * p.columns;`;
}

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

export function matmulKernel(runtime: Runtime): Pick<Kernels<Matrix>, 'matmul'> {
  return {
    matmul({ a, b, out, transposeA, transposeB, accumulate, residual = null, ...options }) {
      const { exact = false, scaleA = 1 } = options;
      const [rows, columns] = out.shape as [number, number];
      const inner = transposeA ? a.shape[0]! : a.shape[1]!;
      /** Puts the residual where a product without a place for it can add to it. */
      const startFromResidual = () => {
        if (residual) runtime.copyWords(residual, out);
        return accumulate || residual !== null;
      };
      if (rows <= vectorRows && transposeB && !transposeA) {
        runVectorProduct(runtime, { a, b, out, offsets: null, accumulate: startFromResidual() });
        return;
      }
      const vectors = {
        vectorA: (transposeA ? rows : inner) % 4 === 0,
        vectorB: (transposeB ? inner : columns) % 4 === 0,
        vectorOut: columns % 4 === 0,
      };
      const units = !exact && fitsUnits({ rows, columns }, vectors) ? runtime.matrixUnits : null;
      const wide = Math.min(rows, columns) > tileSize(1);
      const blocks = wide && tilesOf(rows, columns, tileSize(2)) >= enoughGroups ? 2 : 1;
      const size = units ? unitTileSize : tileSize(blocks);
      const tiles = tilesOf(rows, columns, size);
      // Few tiles and long sums, as in the gradient of a weight: the sums are split.
      const wanted = Math.min(Math.floor(enoughGroups / tiles), Math.floor(inner / innerPerPart));
      const perPart = Math.ceil(inner / Math.max(wanted, 1) / 32) * 32;
      const parts = Math.max(1, Math.ceil(inner / Math.max(perPart, 1)));
      const sizes = { rows, columns, inner, innerPerPart: perPart };
      const groups = [Math.ceil(columns / size), Math.ceil(rows / size), parts] as const;
      const layout = { transposeA, transposeB };
      const product = (target: Tensor, addend: UnitTileOptions['addend']) => {
        if (units) {
          const operands = {
            units,
            ...layout,
            scaled: scaleA !== 1,
            gathered: null,
            second: null,
            ...tileWeights(b),
          };
          const program = unitMatmul({ ...operands, addend });
          runtime.run(
            program,
            { a, b: memoryOf(b), residual, out: target },
            { ...sizes, scale: scaleA },
            groups,
          );
        } else {
          const program = tiledMatmul({
            blocks,
            ...layout,
            accumulate: addend === 'out',
            ...vectors,
            ...tileWeights(b),
          });
          runtime.run(program, { a, b: memoryOf(b), out: target }, sizes, groups);
        }
      };
      if (parts === 1 && units && residual) {
        product(out, 'residual');
        return;
      }
      const adding = startFromResidual();
      if (parts === 1) {
        product(out, adding ? 'out' : null);
        return;
      }
      const partial = runtime.scratch([parts, rows, columns]);
      product(partial, null);
      runtime.run(
        addParts({ accumulate: adding }),
        { parts: partial, out },
        { size: out.size, count: parts },
        runtime.grid(out.size, 256),
      );
    },
  };
}

function tilesOf(rows: number, columns: number, size: number): number {
  return Math.ceil(rows / size) * Math.ceil(columns / size);
}
