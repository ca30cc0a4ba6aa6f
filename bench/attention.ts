/**
 * How fast a device attends: GFLOP/s of the visible scores alone (what is computed and masked does not
 * count), forward and backward, and GB/s of reading the cache in decoding.
 * Run: node bench/attention.ts [threads …]
 */
import { createWasmDevice } from '../src/device/wasm/device.ts';
import type { Device } from '../src/tensor/device.ts';
import type { PastKeys } from '../src/tensor/kernels.ts';
import { Scope } from '../src/tensor/scope.ts';
import type { Tensor } from '../src/tensor/tensor.ts';

interface Sizes {
  heads: number;
  keyValueHeads: number;
  keyDim: number;
  valueDim: number;
}

const small: Sizes = { heads: 8, keyValueHeads: 2, keyDim: 24, valueDim: 16 };
const middle: Sizes = { heads: 8, keyValueHeads: 4, keyDim: 48, valueDim: 32 };
const real: Sizes = { heads: 64, keyValueHeads: 4, keyDim: 192, valueDim: 128 };

/** The best of several runs: other programs only ever make a run slower. */
function bestSeconds(work: () => void): number {
  const begin = performance.now();
  let best = Number.POSITIVE_INFINITY;
  for (let run = 0; run < 5 || performance.now() - begin < 1000; run++) {
    const start = performance.now();
    work();
    best = Math.min(best, performance.now() - start);
  }
  return best / 1000;
}

function filled(scope: Scope, shape: number[]): Tensor {
  const tensor = scope.empty(shape);
  scope.device.kernels.fill({ out: tensor, value: 0.5 });
  return tensor;
}

function tensors(scope: Scope, sizes: Sizes, rows: number) {
  const { heads, keyValueHeads, keyDim, valueDim } = sizes;
  return {
    query: filled(scope, [rows, heads * keyDim]),
    key: filled(scope, [rows, keyValueHeads * keyDim]),
    value: filled(scope, [rows, keyValueHeads * valueDim]),
    sinks: filled(scope, [heads]),
    out: filled(scope, [rows, heads * valueDim]),
    logSumExp: filled(scope, [rows, heads]),
  };
}

function label({ heads, keyValueHeads, keyDim, valueDim }: Sizes): string {
  return `${heads}/${keyValueHeads} heads of ${keyDim}/${valueDim}`;
}

function training(device: Device, sizes: Sizes, document: number, window: number | null): void {
  const rows = 4096;
  const scope = new Scope(device);
  const { kernels } = device;
  const rowStart = Int32Array.from({ length: rows }, (_, t) => t - (t % document));
  const inputs = {
    ...tensors(scope, sizes, rows),
    rowStart: scope.from([rows], rowStart),
    ...{ ...sizes, window, scale: sizes.keyDim ** -0.5, valueScale: 0.707 },
  };
  const gradients = {
    dOut: filled(scope, inputs.out.shape as number[]),
    dQuery: scope.empty(inputs.query.shape),
    dKey: scope.empty(inputs.key.shape),
    dValue: scope.empty(inputs.value.shape),
    dSinks: scope.zeros(inputs.sinks.shape as number[]),
  };
  let scores = 0;
  for (let t = 0; t < rows; t++) {
    scores += sizes.heads * Math.min((t % document) + 1, window ?? rows);
  }
  const forward = bestSeconds(() => kernels.attention({ ...inputs, past: null }));
  const backward = bestSeconds(() => kernels.attentionBackward({ ...inputs, ...gradients }));
  const { keyDim, valueDim } = sizes;
  const rate = (products: number, seconds: number) =>
    `${(seconds * 1e3).toFixed(1)} ms ${((2 * scores * products) / seconds / 1e9).toFixed(1)} GFLOP/s`;
  const name = `${label(sizes)}, documents of ${document}, window ${window ?? 'none'}`;
  const times = [rate(keyDim + valueDim, forward), rate(3 * keyDim + 2 * valueDim, backward)];
  console.log(`  ${name.padEnd(58)}${times.map((time) => time.padStart(24)).join('')}`);
  scope.close();
}

function decoding(device: Device, sizes: Sizes, sequences: number, length: number): void {
  const scope = new Scope(device);
  const pageSize = 64;
  const width = Math.ceil(length / pageSize);
  const each = Int32Array.from({ length: sequences }, (_, i) => i);
  const cached = tensors(scope, sizes, sequences * width * pageSize);
  const past: PastKeys = {
    keys: cached.key,
    values: cached.value,
    pageSize,
    table: scope.from(
      [sequences, width],
      Int32Array.from({ length: sequences * width }, (_, i) => i),
    ),
    lengths: scope.from([sequences], new Int32Array(sequences).fill(length)),
    sequence: scope.from([sequences], each),
  };
  const inputs = {
    ...tensors(scope, sizes, sequences),
    rowStart: scope.from([sequences], each),
    ...{ ...sizes, window: null, scale: 0.1, valueScale: 1 },
  };
  const seconds = bestSeconds(() => device.kernels.attention({ ...inputs, past }));
  const { keyValueHeads, keyDim, valueDim } = sizes;
  const bytes = 4 * sequences * length * keyValueHeads * (keyDim + valueDim);
  const name = `${label(sizes)}, ${sequences} × 1 row over a past of ${length}`;
  const bandwidth = `${(seconds * 1e6).toFixed(0)} µs ${(bytes / seconds / 1e9).toFixed(1)} GB/s`;
  console.log(`  ${name.padEnd(58)}${bandwidth.padStart(24)}`);
  scope.close();
}

const threadCounts = process.argv.slice(2).map(Number);
for (const threads of threadCounts.length > 0 ? threadCounts : [undefined]) {
  const device = await createWasmDevice(threads === undefined ? {} : { threads });
  console.log(`${device.description}: 4096 rows, forward and backward`);
  for (const sizes of [small, middle]) {
    for (const document of [128, 4096]) {
      for (const window of [128, null]) training(device, sizes, document, window);
    }
  }
  console.log(`${device.description}: decoding`);
  decoding(device, small, 1, 1000);
  decoding(device, middle, 16, 1000);
  decoding(device, real, 1, 4000);
  await device.destroy();
}
