import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { Device } from '../../../tensor/device.ts';
import { readFloats, Scope } from '../../../tensor/scope.ts';
import { createWasmDevice } from '../device.ts';

/** Where the kernels' own exponential and logarithm, and their sums, could lose accuracy. */
describe.each([true, false])('accuracy with relaxed SIMD %s', (relaxed) => {
  let device: Device;
  let scope: Scope;
  beforeAll(async () => {
    device = await createWasmDevice({ threads: 2, relaxed });
    scope = new Scope(device);
  });
  afterAll(async () => {
    scope.close();
    await device.destroy();
  });

  /** e^x through the gradient of a log-probability: −1·(0 − e^(x − 0)). */
  async function exponentials(x: Float32Array): Promise<Float32Array> {
    const logits = scope.from([1, x.length], x);
    device.kernels.tokenLogprobsBackward({
      logits,
      targets: scope.from([1], Int32Array.of(0)),
      logSumExp: scope.zeros([1]),
      dLogProbability: scope.from([1], Float32Array.of(-1)),
    });
    return readFloats(device, logits);
  }

  async function logprobs(rows: Float32Array[], targets: number[]) {
    const count = rows.length;
    const logits = scope.empty([count, rows[0]!.length]);
    rows.forEach((row, i) => {
      device.kernels.copy({
        source: scope.from([1, row.length], row),
        out: logits.slice(i, i + 1),
      });
    });
    const [logProbability, entropy, logSumExp] = [0, 1, 2].map(() => scope.empty([count]));
    const outputs = { logProbability: logProbability!, entropy: entropy!, logSumExp: logSumExp! };
    const wanted = scope.from([count], Int32Array.from(targets));
    device.kernels.tokenLogprobs({ logits, targets: wanted, ...outputs });
    return {
      logProbability: await readFloats(device, logProbability!),
      entropy: await readFloats(device, entropy!),
      logSumExp: await readFloats(device, logSumExp!),
    };
  }

  it('has exponentials within two units in the last place', async () => {
    const x = Float32Array.from({ length: 200_003 }, (_, i) => -87.3 + (i * 175.9) / 200_003);
    const result = await exponentials(x);
    let worst = 0;
    for (let i = 1; i < x.length; i++) {
      const exact = Math.exp(x[i]!);
      const unit = 2 ** (Math.floor(Math.log2(exact)) - 23);
      worst = Math.max(worst, Math.abs(result[i]! - exact) / unit);
    }
    expect(worst).toBeLessThan(2);
  });

  it('has exponentials of what is not in the range of f32', async () => {
    const x = Float32Array.of(0, -Infinity, -1e30, -90, -0, 88.73, 1e5, Infinity, Number.NaN, 0);
    const result = await exponentials(x);
    expect([...result.slice(1, 5)]).toEqual([0, 0, 0, 1]);
    for (const large of result.slice(5, 8)) expect(large).toBeGreaterThan(3.3e38);
    expect(result[8]).toBeNaN();
    expect(result[9]).toBe(1);
  });

  it('sums probabilities of a large vocabulary', async () => {
    const size = 150_001;
    const { logProbability, entropy } = await logprobs([new Float32Array(size).fill(5)], [7]);
    expect(logProbability[0]).toBeCloseTo(-Math.log(size), 5);
    expect(entropy[0]).toBeCloseTo(Math.log(size), 5);
  });

  it('takes extreme logits', async () => {
    const certain = new Float32Array(9).fill(-3e4);
    certain[8] = 2e4;
    const masked = new Float32Array(9).fill(-Infinity);
    masked[2] = 1;
    masked[5] = 1;
    const broken = Float32Array.of(1, 2, Number.NaN, 4, 5, 6, 7, 8, 9);
    const result = await logprobs([certain, certain, masked, masked, broken], [8, 0, 2, 0, 1]);
    const [sure, absurd, half, never, unknown] = result.logProbability;
    expect(sure).toBe(0);
    expect(absurd).toBe(-5e4);
    expect(half).toBeCloseTo(-Math.LN2, 6);
    expect(never).toBe(-Infinity);
    expect(unknown).toBeNaN();
    expect(result.entropy[0]).toBe(0);
    expect(result.entropy[2]).toBeCloseTo(Math.LN2, 6);
    expect(result.logSumExp[3]).toBeCloseTo(1 + Math.LN2, 6);
  });

  it('activates extreme gates', async () => {
    const gate = scope.from([6], Float32Array.of(-1e4, -100, -20, 0, 100, 1e4));
    const up = scope.from([6], new Float32Array(6).fill(2));
    const out = scope.empty([6]);
    device.kernels.swiglu({ gate, up, out });
    const values = [...(await readFloats(device, out))];
    expect(values.slice(3)).toEqual([0, 200, 2e4]);
    expect(values[2]).toBeCloseTo(-40 * Math.exp(-20), 13);
    for (const tiny of values.slice(0, 2)) expect(Math.abs(tiny)).toBeLessThan(1e-30);
  });

  it('sums the squares of many gradients, and of small ones', async () => {
    const size = 1_000_003;
    const data = new Float32Array(2 * size).fill(0.1, 0, size).fill(1e-15, size);
    data[size - 1] = 0;
    data[size + 3] = -0;
    const out = scope.empty([2, 2]);
    device.kernels.gradientStatistics({ x: scope.from([2, size], data), out });
    const [large, zeros, small, moreZeros] = await readFloats(device, out);
    expect(large! / ((size - 1) * Math.fround(0.1) ** 2)).toBeCloseTo(1, 6);
    expect(small! / ((size - 1) * Math.fround(1e-15) ** 2)).toBeCloseTo(1, 6);
    expect([zeros, moreZeros]).toEqual([1, 1]);
  });

  it('attends with scores far apart', async () => {
    const shape = { heads: 1, keyValueHeads: 1, keyDim: 1, valueDim: 1, scale: 1, valueScale: 1 };
    const rows = 5;
    const [out, logSumExp] = [scope.empty([rows, 1]), scope.empty([rows, 1])];
    device.kernels.attention({
      ...shape,
      window: null,
      query: scope.from([rows, 1], new Float32Array(rows).fill(1)),
      key: scope.from([rows, 1], Float32Array.of(-2e4, -1e4, 3e4, 3e4, -3e4)),
      value: scope.from([rows, 1], Float32Array.of(1, 2, 3, 5, 7)),
      sinks: scope.from([1], Float32Array.of(-1e4)),
      rowStart: scope.from([rows], new Int32Array(rows)),
      past: null,
      out,
      logSumExp,
    });
    expect([...(await readFloats(device, out))]).toEqual([0, 1, 3, 4, 4]);
    const total = await readFloats(device, logSumExp);
    expect(total[0]).toBe(-1e4);
    expect(total[4]).toBeCloseTo(3e4 + Math.LN2, 1);
  });
});
