import { createReferenceDevice } from '../../src/device/reference/device.ts';
import { conformance } from './conformance.ts';
import { samplingStatistics } from './sampling-statistics.ts';

conformance('reference', async () => createReferenceDevice(), {
  quantized: 'exact',
  caches: ['f16', 'i8'],
});
samplingStatistics('reference', async () => createReferenceDevice());
