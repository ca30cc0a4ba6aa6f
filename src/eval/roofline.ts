/**
 * What a device does at best, measured: products and moving memory. Kernels are judged by it
 * (Williams et al. 2009): one can be no faster than its operations at the rate of the best product,
 * and no faster than its bytes at the rate of the best pass over memory.
 */
import { Random } from '../random.ts';
import type { Device, Precision } from '../tensor/device.ts';
import { readFloats, Scope } from '../tensor/scope.ts';
import type { Tensor } from '../tensor/tensor.ts';
import { queuedSeconds } from './measure.ts';
import type { Work } from './work.ts';

export interface ProductFigure {
  /** M = N = K. */
  size: number;
  layout: string;
  precision: Precision;
  gflops: number;
}

export interface Bandwidth {
  /** Gigabytes a second: of reading alone, and, read and written, of a copy. */
  read: number;
  copy: number;
}

/** Operations and bytes a second. */
export interface Roofline {
  f32: number;
  /** Of products whose operands may be rounded; the same as `f32` on a device that does not. */
  rounded: number;
  bytes: number;
}

export function rooflineOf(products: readonly ProductFigure[], bandwidth: Bandwidth): Roofline {
  const best = (figures: readonly ProductFigure[]) =>
    1e9 * Math.max(...figures.map(({ gflops }) => gflops));
  return {
    f32: best(products.filter(({ precision }) => precision === 'f32')),
    rounded: best(products),
    bytes: 1e9 * Math.max(bandwidth.read, bandwidth.copy),
  };
}

/** The least seconds that the roofline leaves for the operations and for the bytes of some work. */
export function leastSeconds(
  { operations, bytes, roundable }: Work,
  roofline: Roofline,
): { arithmetic: number; memory: number } {
  return {
    arithmetic: operations / (roundable ? roofline.rounded : roofline.f32),
    memory: bytes / roofline.bytes,
  };
}

/** The products of a linear layer: its output, the gradient of its input, that of its weight. */
const layouts = [
  { layout: 'A·Bᵀ', transposeA: false, transposeB: true },
  { layout: 'A·B', transposeA: false, transposeB: false },
  { layout: 'Aᵀ·B', transposeA: true, transposeB: false },
] as const;

/** Square products in the three layouts of training. */
export async function measureProducts(
  device: Device,
  size: number,
  precision: Precision,
): Promise<ProductFigure[]> {
  const scope = new Scope(device);
  const random = new Random(size);
  const a = scope.from([size, size], random.normals(size * size, 1));
  const b = scope.from([size, size], random.normals(size * size, 1));
  const out = scope.empty([size, size]);
  const figures: ProductFigure[] = [];
  for (const { layout, ...transposed } of layouts) {
    const call = { a, b, out, ...transposed, accumulate: false, exact: precision === 'f32' };
    const seconds = await queuedSeconds(
      () => device.kernels.matmul(call),
      () => readFloats(device, out.slice(0, 1)),
    );
    figures.push({ size, layout, precision, gflops: (2 * size ** 3) / seconds / 1e9 });
  }
  scope.close();
  return figures;
}

/**
 * Passes over 512 MB, larger than most caches. Reading is the faster of the two kernels that read more
 * than they compute, summing squares and multiplying one row.
 */
export async function measureBandwidth(device: Device): Promise<Bandwidth> {
  const { kernels } = device;
  const scope = new Scope(device);
  const x = scope.zeros([2 ** 14, 2 ** 13]);
  const statistics = scope.empty([64, 2]);
  const row = scope.zeros([1, 2 ** 13]);
  const product = scope.empty([1, 2 ** 14]);
  const rate = async (run: () => void, out: Tensor, bytes: number) =>
    bytes / (await queuedSeconds(run, () => readFloats(device, out))) / 1e9;
  const summing = await rate(
    () => kernels.gradientStatistics({ x, out: statistics }),
    statistics,
    x.byteLength,
  );
  const options = { transposeA: false, transposeB: true, accumulate: false, exact: true };
  const multiplying = await rate(
    () => kernels.matmul({ a: row, b: x, out: product, ...options }),
    product,
    x.byteLength,
  );
  const target = scope.empty(x.shape);
  const copy = await rate(
    () => kernels.copy({ source: x, out: target }),
    target.slice(0, 1),
    2 * x.byteLength,
  );
  scope.close();
  return { read: Math.max(summing, multiplying), copy };
}

/** Keeps the device busy until its clocks are up: an idle GPU is several times slower. */
export async function warmUp(device: Device): Promise<void> {
  const scope = new Scope(device);
  const x = scope.zeros([512, 512]);
  const out = scope.empty([512, 512]);
  const transposed = { transposeA: false, transposeB: true };
  const begin = performance.now();
  while (performance.now() - begin < 300) {
    for (let i = 0; i < 100; i++) {
      device.kernels.matmul({ a: x, b: x, out, ...transposed, accumulate: false });
    }
    await readFloats(device, out.slice(0, 1));
  }
  scope.close();
}
