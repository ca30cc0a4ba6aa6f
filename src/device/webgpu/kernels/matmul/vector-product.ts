/**
 * Products of few rows with a linear layer's weight, as in decoding: out [M,N] = a [M,K] · bᵀ, b [N,K].
 * The weight is read once and the time is that of reading it. A workgroup has 8 columns of out, and 32
 * threads share the sum of each.
 */
import type { Tensor } from '../../../../tensor/tensor.ts';
import { program, programs, unroll } from '../../program.ts';
import type { Runtime } from '../../runtime.ts';
import { findExpert } from './find-expert.ts';
import { elementType } from './tile.ts';

/** Up to this many rows of a plain product are worked on this way. */
export const vectorRows = 8;

const threads = 256;
const columnsPerGroup = 8;
const lanes = threads / columnsPerGroup;
/** One place more than there are columns, so that the threads of a column write to different banks. */
const partsPerRow = lanes * (columnsPerGroup + 1);
/** Rows that one workgroup multiplies with the same weights. */
const mostRowsPerGroup = 4;

interface Options {
  rowsPerGroup: number;
  /** Each row has an expert of its own, whose weight it is multiplied with. */
  grouped: boolean;
  vector: boolean;
  accumulate: boolean;
}

const vectorProduct = programs(({ rowsPerGroup, grouped, vector, accumulate }: Options) => {
  const element = elementType(vector);
  const zero = vector ? 'vec4f()' : '0.0';
  const total = (name: string) => (vector ? `dot(${name}, vec4f(1.0))` : name);
  return program({
    name: grouped ? 'groupedVectorProduct' : 'vectorProduct',
    bindings: {
      a: `read ${element}`,
      b: `read ${element}`,
      out: 'write f32',
      offsets: grouped ? 'read u32' : null,
    },
    // `inner` counts elements of the arrays as they are declared.
    parameters: { rows: 'u32', columns: 'u32', inner: 'u32', experts: 'u32' },
    threads,
    head: /* wgsl */ `
var<workgroup> parts: array<f32, ${partsPerRow * rowsPerGroup}>;
${grouped ? findExpert : ''}`,
    body: /* wgsl */ `
  let lane = thread % ${lanes}u;
  let column = group.x * ${columnsPerGroup}u + thread / ${lanes}u;
  let slot = lane * ${columnsPerGroup + 1}u + thread / ${lanes}u;
  let firstRow = group.y * ${rowsPerGroup}u;
  let weight = ${grouped ? 'expertOfRow(firstRow, p.experts) * p.columns + column' : 'column'};
  ${unroll(rowsPerGroup, (i) => `var sum${i} = ${zero};`)}
  if (column < p.columns) {
    ${unroll(rowsPerGroup, (i) => `let begin${i} = min(firstRow + ${i}u, p.rows - 1u) * p.inner;`)}
    for (var k = lane; k < p.inner; k += ${lanes}u) {
      let factor = b[weight * p.inner + k];
      ${unroll(rowsPerGroup, (i) => `sum${i} += a[begin${i} + k] * factor;`)}
    }
  }
  ${unroll(rowsPerGroup, (i) => `parts[${i * partsPerRow}u + slot] = ${total(`sum${i}`)};`)}
  workgroupBarrier();
  if (lane < ${rowsPerGroup}u && column < p.columns && firstRow + lane < p.rows) {
    var value = 0.0;
    for (var i = 0u; i < ${lanes}u; i++) {
      value += parts[lane * ${partsPerRow}u + i * ${columnsPerGroup + 1}u + thread / ${lanes}u];
    }
    out[(firstRow + lane) * p.columns + column] ${accumulate ? '+=' : '='} value;
  }`,
  });
});

/** `offsets`: row r is multiplied with the weight of the expert whose range holds r. */
export function runVectorProduct(
  runtime: Runtime,
  {
    a,
    b,
    out,
    offsets,
    accumulate,
  }: {
    a: Tensor;
    b: Tensor;
    out: Tensor;
    offsets: Tensor | null;
    accumulate: boolean;
  },
): void {
  const [rows, columns] = out.shape as [number, number];
  const vector = a.columns % 4 === 0;
  const rowsPerGroup = offsets ? 1 : Math.max(1, Math.min(rows, mostRowsPerGroup));
  runtime.run(
    vectorProduct({ rowsPerGroup, grouped: offsets !== null, vector, accumulate }),
    { a, b, out, offsets },
    {
      rows,
      columns,
      inner: vector ? a.columns / 4 : a.columns,
      experts: offsets ? offsets.size - 1 : 0,
    },
    [Math.ceil(columns / columnsPerGroup), Math.ceil(rows / rowsPerGroup), 1],
  );
}
