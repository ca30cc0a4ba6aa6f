import { createWasmDevice } from '../../src/device/wasm/device.ts';
import { conformance } from './conformance.ts';
import { samplingStatistics } from './sampling-statistics.ts';

const quantized = 'rounding';
const caches = ['f16', 'i8'] as const;
conformance('wasm, relaxed SIMD, two threads', () => createWasmDevice({ threads: 2 }), {
  ...{ quantized, caches },
});
conformance(
  'wasm, plain SIMD, one thread',
  () => createWasmDevice({ threads: 1, relaxed: false }),
  { quantized, caches },
);
// Memories so small that most ops have operands in several.
conformance(
  'wasm, several memories',
  () => createWasmDevice({ threads: 2, heapBytes: 7 * 2 ** 19 }),
  { quantized, caches },
);
samplingStatistics('wasm', () => createWasmDevice({ threads: 2 }));
