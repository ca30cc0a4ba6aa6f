/**
 * Whether the matrix units of a GPU do what its driver says. They are a draft of WebGPU over driver
 * extensions that few programs use: a driver may offer them and not compile them, or compute wrongly. A
 * tiny product tells before anything is lost.
 */
import { UserError } from '../../errors.ts';
import type { Device } from '../../tensor/device.ts';
import { readFloats, Scope } from '../../tensor/scope.ts';

/** More rows than decoding has, which are not multiplied on matrix units. */
const size = 144;

/** @throws UserError that names what was offered, and how to go on without it */
export async function checkMatrixUnits(gpu: GPUDevice, device: Device): Promise<void> {
  gpu.pushErrorScope('internal');
  gpu.pushErrorScope('validation');
  const found = await product(device).catch((error: Error) => error);
  const refused = (await gpu.popErrorScope()) ?? (await gpu.popErrorScope());
  const reason = refused?.message ?? (found instanceof Error ? found.message : null);
  const isWrong = !reason && wrongElements(found as Float32Array) > 0;
  if (!reason && !isWrong) return;
  const what = isWrong
    ? 'but their products are wrong'
    : `but cannot use them (${reason!.split('\n')[0]})`;
  throw new UserError(
    `${device.description}: the driver offers matrix units for f16 ` +
      `(chromium-experimental-subgroup-matrix), ${what}; go on with --precision f32`,
  );
}

/** Small whole numbers: exact in f16, and so are their sums in f32. */
const left = (row: number, k: number) => ((3 * row + 5 * k) % 7) - 3;
const right = (k: number, column: number) => ((2 * k + 3 * column) % 5) - 2;

async function product(device: Device): Promise<Float32Array> {
  const scope = new Scope(device);
  try {
    const indices = Array.from({ length: size * size }, (_, i) => [Math.floor(i / size), i % size]);
    const shape = [size, size];
    const a = scope.from(
      shape,
      Float32Array.from(indices, ([row, k]) => left(row!, k!)),
    );
    const b = scope.from(
      shape,
      Float32Array.from(indices, ([column, k]) => right(k!, column!)),
    );
    const out = scope.empty(shape);
    const layout = { transposeA: false, transposeB: true, accumulate: false };
    device.kernels.matmul({ a, b, out, ...layout });
    return await readFloats(device, out);
  } finally {
    scope.close();
  }
}

function wrongElements(found: Float32Array): number {
  return found.filter((value, i) => {
    const [row, column] = [Math.floor(i / size), i % size];
    let sum = 0;
    for (let k = 0; k < size; k++) sum += left(row, k) * right(k, column);
    return value !== sum;
  }).length;
}
