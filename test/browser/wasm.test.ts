import { createWasmDevice } from '../../src/device/wasm/device.ts';
import { conformance } from '../conformance/conformance.ts';

conformance('wasm in a browser, two threads', () => createWasmDevice({ threads: 2 }), {
  quantized: 'rounding',
  caches: ['f16', 'i8'],
});
