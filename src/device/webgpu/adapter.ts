import { UserError } from '../../errors.ts';
import { mayHaveGpu, openGpu } from './platform.ts';

/** A GPU that was found, before it is opened. */
export interface FoundAdapter {
  adapter: GPUAdapter;
  /** What it is, for people. */
  description: string;
  /** Whether it is a CPU that plays a GPU. */
  software: boolean;
  /** Whether parameters can travel in the command stream, without a buffer. */
  immediates: boolean;
}

/** Features that kernels have variants for, or that the profiler needs. */
const wantedFeatures = [
  'shader-f16',
  'subgroups',
  'chromium-experimental-subgroup-matrix',
  'timestamp-query',
] as GPUFeatureName[];

/** Limits whose defaults are too small for weights and activations, or for tuned kernels. */
const wantedLimits = [
  'maxBufferSize',
  'maxStorageBufferBindingSize',
  'maxStorageBuffersPerShaderStage',
  'maxComputeWorkgroupStorageSize',
  'maxComputeInvocationsPerWorkgroup',
  'maxComputeWorkgroupSizeX',
  'maxComputeWorkgroupSizeY',
  'maxComputeWorkgroupsPerDimension',
] as const;

/**
 * Parameters of a dispatch, in bytes: what `maxImmediateSize` must hold to be used. The limit is not
 * yet in the standard, so a browser may lack it.
 */
export const parameterBytes = 64;

/** @throws UserError where there is no WebGPU or no adapter */
export async function findAdapter(): Promise<FoundAdapter> {
  const gpu = await openGpu();
  const adapter = await gpu.requestAdapter({ powerPreference: 'high-performance' });
  if (!adapter)
    throw new UserError(
      'no GPU: WebGPU finds no adapter (is a Vulkan driver there?); --device wasm needs none',
    );
  const { vendor, architecture, device, description } = adapter.info;
  const text = [vendor, architecture, device, description].join(' ');
  // Browsers leave out most of it; what `device` says may be a number of the bus.
  const model = /^(0x|$)/.test(device)
    ? [vendor, architecture].join(' ').trim()
    : device.replace(/-+$/, '');
  const immediateSize = adapter.limits.maxImmediateSize as number | undefined;
  return {
    adapter,
    description: [model, description].filter(Boolean).join(', ') || 'a GPU',
    software: adapter.info.isFallbackAdapter || /swiftshader|llvmpipe|lavapipe/i.test(text),
    immediates:
      (immediateSize ?? 0) >= parameterBytes &&
      gpu.wgslLanguageFeatures.has('immediate_address_space'),
  };
}

/** A GPU that is not played by the CPU; null if there is none or it cannot be reached. */
export async function findRealGpu(): Promise<FoundAdapter | null> {
  if (!mayHaveGpu()) return null;
  try {
    const found = await findAdapter();
    return found.software ? null : found;
  } catch (error) {
    if (error instanceof UserError) return null;
    throw error;
  }
}

/** Opens a device with all that the adapter offers of what we use. */
export async function openDevice({ adapter, immediates }: FoundAdapter): Promise<GPUDevice> {
  const limits: Record<string, number> = {};
  for (const name of wantedLimits) limits[name] = adapter.limits[name];
  if (immediates) limits.maxImmediateSize = parameterBytes;
  try {
    return await adapter.requestDevice({
      requiredFeatures: wantedFeatures.filter((feature) => adapter.features.has(feature)),
      requiredLimits: limits,
    });
  } catch (cause) {
    const reason = cause instanceof Error ? cause.message : String(cause);
    throw new UserError(
      `the GPU cannot be opened: ${reason.split('\n')[0]}; the device wasm needs none`,
      { cause },
    );
  }
}
