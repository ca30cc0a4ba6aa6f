/**
 * The part of the WebAssembly interface that this device uses. The compiler knows it only as part of
 * the DOM, which most of the project must not see.
 */
export interface WasmModule {
  readonly [kind: symbol]: never;
}

export interface WasmMemory {
  /** A new object after each growth; views of the old one do not see the new pages. */
  readonly buffer: SharedArrayBuffer;
  /** @throws RangeError if the maximum or the machine does not allow it */
  grow(pages: number): number;
}

/** A kernel: (…arguments, begin, end, thread). */
export type KernelFunction = (...args: number[]) => void;

interface WebAssemblyApi {
  Module: {
    new (bytes: Uint8Array): WasmModule;
    exports(module: WasmModule): { name: string; kind: string }[];
  };
  Instance: new (
    module: WasmModule,
    imports: { env: { memory: WasmMemory } },
  ) => { exports: Record<string, KernelFunction> };
  Memory: new (options: { initial: number; maximum: number; shared: true }) => WasmMemory;
  compile(bytes: Uint8Array): Promise<WasmModule>;
  validate(bytes: Uint8Array): boolean;
}

export const { Module, Instance, Memory, compile, validate } = (
  globalThis as unknown as { WebAssembly: WebAssemblyApi }
).WebAssembly;

/** Names of a module's kernels in an order that is the same on every thread. */
export function kernelNames(module: WasmModule): string[] {
  return Module.exports(module).map(({ name }) => name);
}

/** The kernels of a module over one memory, in the order of `kernelNames`. */
export function instantiate(module: WasmModule, memory: WasmMemory): KernelFunction[] {
  const { exports } = new Instance(module, { env: { memory } });
  return kernelNames(module).map((name) => exports[name]!);
}

// (func (param v128) (result v128) local.get 0 ×3, f32x4.relaxed_madd), as bytes.
const relaxedModule = new Uint8Array([
  0, 97, 115, 109, 1, 0, 0, 0, 1, 6, 1, 96, 1, 123, 1, 123, 3, 2, 1, 0, 10, 13, 1, 11, 0, 32, 0, 32,
  0, 32, 0, 253, 133, 2, 11,
]);

/** Whether this engine has relaxed SIMD, and with it fused multiply-adds. */
export function supportsRelaxedSimd(): boolean {
  return validate(relaxedModule);
}

/**
 * What a dot product of bytes takes the second factor's bytes for: 128 if they are unsigned, so that
 * numbers are stored with 128 added, 0 if they are signed. Relaxed SIMD leaves that to the processor, and
 * allows it to saturate sums of two products; null then.
 */
export function byteOffsetOf(module: WasmModule): number | null {
  const memory = new Memory({ initial: 1, maximum: 1, shared: true });
  const probe = instantiate(module, memory)[kernelNames(module).indexOf('dotOfBytes')]!;
  const address = 32768;
  probe(address, 0, 1, 0);
  const [sum] = new Int32Array(memory.buffer, address, 1);
  if (sum === 4 * 127 * 255) return 128;
  return sum === 4 * 127 * -1 ? 0 : null;
}
