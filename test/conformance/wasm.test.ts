import { createWasmDevice } from '../../src/device/wasm/device.ts';
import { conformance } from './conformance.ts';
import { samplingStatistics } from './sampling-statistics.ts';

conformance('wasm, relaxed SIMD, two threads', () => createWasmDevice({ threads: 2 }));
conformance('wasm, plain SIMD, one thread', () => createWasmDevice({ threads: 1, relaxed: false }));
// Memories so small that most ops have operands in several.
conformance('wasm, several memories', () =>
  createWasmDevice({ threads: 2, heapBytes: 5 * 2 ** 19 }),
);
samplingStatistics('wasm', () => createWasmDevice({ threads: 2 }));
