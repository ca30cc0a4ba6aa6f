/** What a kernel called on pieces of a large tensor needs besides: indices, columns and rows of a piece. */
import { program } from '../program.ts';
import { eachOf } from './elementwise.ts';

export const shiftIndices = program({
  name: 'shiftIndices',
  bindings: { indices: 'read i32', out: 'write i32' },
  parameters: { size: 'u32', begin: 'i32', end: 'i32' },
  threads: 256,
  body: eachOf(
    'p.size',
    /* wgsl */ `
    let index = indices[i];
    out[i] = select(-1, index - p.begin, index >= p.begin && index < p.end);`,
  ),
});

export const stretchOffsets = program({
  name: 'stretchOffsets',
  bindings: { offsets: 'read u32', out: 'write u32' },
  parameters: { begin: 'u32', end: 'u32', total: 'u32' },
  threads: 64,
  body: eachOf(
    'p.end - p.begin + 1u',
    /* wgsl */ `
    out[i] = offsets[p.begin + i];
    if (i == 0u) { out[i] = 0u; }
    if (p.begin + i == p.end) { out[i] = p.total; }`,
  ),
});

/** Rows of experts `begin` to `end`. */
const rowsBetween = (assign: string) =>
  program({
    name: 'copyRowsBetween',
    bindings: { source: 'read f32', offsets: 'read u32', out: 'write f32' },
    parameters: { size: 'u32', columns: 'u32', begin: 'u32', end: 'u32' },
    threads: 256,
    body: eachOf(
      'p.size',
      /* wgsl */ `
    let row = i / p.columns;
    if (row >= offsets[p.begin] && row < offsets[p.end]) { out[i] ${assign} source[i]; }`,
    ),
  });
export const copyRowsBetween = rowsBetween('=');
export const addRowsBetween = rowsBetween('+=');

const columnMove = (
  matrix: 'read f32' | 'write f32',
  part: 'read f32' | 'write f32',
  work: string,
) =>
  program({
    name: 'moveColumns',
    bindings: { matrix, part },
    parameters: { size: 'u32', columns: 'u32', stride: 'u32', begin: 'u32' },
    threads: 256,
    body: eachOf(
      'p.size',
      /* wgsl */ `
    let place = i / p.columns * p.stride + p.begin + i % p.columns;
    ${work}`,
    ),
  });
export const moves = {
  take: columnMove('read f32', 'write f32', 'part[i] = matrix[place];'),
  put: columnMove('write f32', 'read f32', 'matrix[place] = part[i];'),
  add: columnMove('write f32', 'read f32', 'matrix[place] += part[i];'),
};
