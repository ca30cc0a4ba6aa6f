/**
 * How fast a device multiplies: GFLOP/s of the products that training and prefill consist of, and GB/s
 * of reading weights in those of decoding. Run: node bench/matmul.ts [threads …]
 */
import { createWasmDevice } from '../src/device/wasm/device.ts';
import type { Device } from '../src/tensor/device.ts';
import { Scope } from '../src/tensor/scope.ts';
import type { Tensor } from '../src/tensor/tensor.ts';

/** The best of several runs: other programs only ever make a run slower. */
function bestSeconds(work: () => void): number {
  const begin = performance.now();
  let best = Infinity;
  for (let run = 0; run < 5 || performance.now() - begin < 600; run++) {
    const start = performance.now();
    work();
    best = Math.min(best, performance.now() - start);
  }
  return best / 1000;
}

function report(name: string, seconds: number, operations: number, bytes: number): void {
  const rate = `${(operations / seconds / 1e9).toFixed(1)} GFLOP/s`;
  const bandwidth = `${(bytes / seconds / 1e9).toFixed(1)} GB/s`;
  const time = `${(seconds * 1e6).toFixed(seconds < 1e-4 ? 1 : 0)} µs`;
  console.log(
    `  ${name.padEnd(44)}${time.padStart(12)}${rate.padStart(16)}${bandwidth.padStart(14)}`,
  );
}

function filled(scope: Scope, shape: number[]): Tensor {
  const tensor = scope.empty(shape);
  scope.device.kernels.fill({ out: tensor, value: 0.5 });
  return tensor;
}

function plain(device: Device, rows: number, columns: number, depth: number, form: string): void {
  const scope = new Scope(device);
  const transposeA = form[0] === 'T';
  const transposeB = form[1] === 'T';
  const a = filled(scope, transposeA ? [depth, rows] : [rows, depth]);
  const b = filled(scope, transposeB ? [columns, depth] : [depth, columns]);
  const out = scope.empty([rows, columns]);
  const seconds = bestSeconds(() =>
    device.kernels.matmul({ a, b, out, transposeA, transposeB, accumulate: false }),
  );
  const bytes = 4 * (rows * depth + depth * columns + rows * columns);
  report(`${form} ${rows}×${columns}×${depth}`, seconds, 2 * rows * columns * depth, bytes);
  scope.close();
}

/** Rows spread over experts about as unevenly as routing does. */
function unevenOffsets(experts: number, rows: number): Int32Array {
  const shares = Array.from({ length: experts }, (_, e) => 1 + ((e * 7) % 5) / 2);
  const total = shares.reduce((sum, share) => sum + share, 0);
  const offsets = new Int32Array(experts + 1);
  let sum = 0;
  for (let e = 0; e < experts; e++) {
    sum += shares[e]!;
    offsets[e + 1] = Math.round((rows * sum) / total);
  }
  return offsets;
}

function grouped(
  device: Device,
  experts: number,
  rows: number,
  columns: number,
  depth: number,
  form: 'NT' | 'NN' | 'TN',
): void {
  const scope = new Scope(device);
  const offsets = scope.from([experts + 1], unevenOffsets(experts, rows));
  const x = filled(scope, [rows, depth]);
  const y = filled(scope, [rows, columns]);
  const weight = filled(scope, [experts, columns, depth]);
  const seconds = bestSeconds(() => {
    const { kernels } = device;
    if (form === 'TN') {
      kernels.groupedMatmulTransposed({ a: y, b: x, offsets, out: weight, accumulate: true });
    } else if (form === 'NT') {
      const transposeB = true;
      kernels.groupedMatmul({ a: x, b: weight, offsets, out: y, transposeB, accumulate: false });
    } else {
      const transposeB = false;
      kernels.groupedMatmul({ a: y, b: weight, offsets, out: x, transposeB, accumulate: false });
    }
  });
  const name = `${form} ${experts} experts, ${rows} rows, ${columns}×${depth}`;
  const bytes = 4 * (rows * (depth + columns) + experts * columns * depth);
  report(name, seconds, 2 * rows * columns * depth, bytes);
  scope.close();
}

const counts = process.argv.slice(2).map(Number);
for (const threads of counts.length > 0 ? counts : [1, 2]) {
  const device = await createWasmDevice({ threads });
  console.log(device.description);
  for (const form of ['NN', 'NT', 'TN']) plain(device, 1024, 1024, 1024, form);
  for (const form of ['NN', 'NT', 'TN']) plain(device, 256, 256, 256, form);
  plain(device, 4096, 512, 512, 'NT');
  plain(device, 512, 512, 4096, 'TN');
  plain(device, 2048, 32, 512, 'NT');
  plain(device, 32, 512, 2048, 'TN');
  plain(device, 16, 1024, 1024, 'NT');
  for (const form of ['NT', 'NN', 'TN'] as const) grouped(device, 16, 4096, 256, 512, form);
  for (const form of ['NT', 'NN', 'TN'] as const) grouped(device, 32, 16384, 512, 1024, form);
  for (const rows of [1, 2, 4, 8]) plain(device, rows, 16384, 4096, 'NT');
  for (const rows of [1, 4]) plain(device, rows, 1024, 1024, 'NT');
  plain(device, 1, 64, 64, 'NT');
  grouped(device, 8, 8, 512, 1024, 'NT');
  grouped(device, 8, 8, 512, 1024, 'NN');
  await device.destroy();
}
