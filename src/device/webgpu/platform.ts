/**
 * Where a GPU comes from: the browser's own WebGPU, or in Node the optional package `webgpu` (Dawn).
 * The package is imported only when a GPU is asked for.
 */
/// <reference types="@webgpu/types" />
import { UserError } from '../../errors.ts';

/**
 * f16 is offered on NVIDIA only by request; experimental features only if unsafe ones are allowed.
 * Bounds checks are left out because our kernels never leave their tensors, and so is clearing workgroup
 * memory, which they write before they read it: on a software adapter it is most of the time of
 * compiling a kernel and half of that of running it.
 */
const dawnFeatures = [
  'allow_unsafe_apis',
  'vulkan_enable_f16_on_nvidia',
  'disable_robustness',
  'disable_workgroup_init',
];

/** Timestamps are rounded to 65 µs, against spies; a profile of kernels of 5 µs needs them as they are. */
const dawnWithout = ['timestamp_quantization'];

/** @throws UserError where there is no WebGPU */
export async function openGpu(): Promise<GPU> {
  const browser = browserGpu();
  if (browser) return browser;
  // Kept for good: if it is collected, calls on what it made crash the process.
  const kept = globalThis as { mimoflashGpu?: GPU };
  kept.mimoflashGpu ??= await createNodeGpu();
  return kept.mimoflashGpu;
}

/**
 * Whether it is worth looking for a GPU. On Linux every one has a device file; without any, Dawn would
 * only complain on the terminal that it finds no driver.
 */
export function mayHaveGpu(): boolean {
  if (browserGpu() || !isNode()) return true;
  if (process.platform !== 'linux') return true;
  const { existsSync } = process.getBuiltinModule('node:fs');
  return ['/dev/dri', '/dev/nvidiactl', '/dev/dxg', '/dev/kfd'].some((path) => existsSync(path));
}

interface Dawn {
  create(options: string[]): GPU;
}

async function createNodeGpu(): Promise<GPU> {
  if (!isNode()) {
    throw new UserError('this browser has no WebGPU: use a newer one, or the device wasm');
  }
  const dawn = await loadDawn();
  return dawn.create([
    `enable-dawn-features=${dawnFeatures.join(',')}`,
    `disable-dawn-features=${dawnWithout.join(',')}`,
  ]);
}

async function loadDawn(): Promise<Dawn> {
  const library = process.env.DAWN_NODE;
  try {
    // Not a literal: bundlers for browsers, which never come here, would look for the package.
    const name = 'webgpu';
    if (!library) return (await import(/* @vite-ignore */ name)) as Dawn;
    const { createRequire } = process.getBuiltinModule('node:module');
    return createRequire(import.meta.url)(library) as Dawn;
  } catch (cause) {
    const reason = cause instanceof Error ? cause.message.split('\n')[0] : String(cause);
    throw new UserError(
      library
        ? `DAWN_NODE: cannot load ${library}: ${reason}`
        : `the device webgpu needs the package 'webgpu' (npm install webgpu): ${reason}`,
      { cause },
    );
  }
}

function browserGpu(): GPU | undefined {
  return (globalThis as { navigator?: { gpu?: GPU } }).navigator?.gpu;
}

function isNode(): boolean {
  return typeof process !== 'undefined' && process.versions?.node !== undefined;
}
