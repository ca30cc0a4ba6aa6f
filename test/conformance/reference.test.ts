import { createReferenceDevice } from '../../src/device/reference/device.ts';
import { conformance } from './conformance.ts';

conformance('reference', async () => createReferenceDevice());
