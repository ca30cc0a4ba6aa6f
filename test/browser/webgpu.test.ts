import { createWebgpuDevice } from '../../src/device/webgpu/device.ts';
import { conformance } from '../conformance/conformance.ts';

conformance('webgpu in a browser', () => createWebgpuDevice(), {
  quantized: 'exact',
  caches: ['f16'],
});
