import { type FoundAdapter, findAdapter } from '../../src/device/webgpu/adapter.ts';
import { UserError } from '../../src/errors.ts';

/**
 * The adapter to test on; any will do, a software one too: see docs/architecture.md for how to get one.
 * Without one, why there is none, for tests to skip with; where MIMOFLASH_REQUIRE_WEBGPU is set, as in
 * CI, that fails instead.
 */
export async function adapterToTest(): Promise<FoundAdapter | string> {
  try {
    return await findAdapter();
  } catch (error) {
    const isRequired = typeof process === 'undefined' || process.env.MIMOFLASH_REQUIRE_WEBGPU;
    if (isRequired || !(error instanceof UserError)) throw error;
    return error.message;
  }
}
