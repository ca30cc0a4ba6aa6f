import { parameterBytes } from './adapter.ts';
import type { KeptGroups } from './bind-groups.ts';
import { bindingsOf, type ParameterType, type Program, parametersOf, shaderOf } from './program.ts';

/** A program, compiled, with the layout of its bindings. */
export interface Pipeline {
  readonly gpu: GPUComputePipeline;
  readonly layout: BindingLayout;
  /** Its tensors' names in order, and which of them are written. */
  readonly bindings: { name: string; written: boolean }[];
  /** The indices of the latter. */
  readonly written: number[];
  readonly parameters: { name: string; type: ParameterType }[];
  /** Whether these are bound with the tensors: see `Program`. */
  readonly keepsParameters: boolean;
}

/** Shared by all programs with the same kinds of bindings, and so are their bind groups. */
export interface BindingLayout {
  readonly group: GPUBindGroupLayout;
  readonly groups: KeptGroups;
}

type BindingKind = 'storage' | 'read-only-storage' | 'uniform';

/** Compiles programs, each once. */
export class Pipelines {
  readonly #device: GPUDevice;
  readonly #compiled = new Map<Program, Pipeline>();
  readonly #layouts = new Map<string, BindingLayout>();
  /** The layout of the uniform buffer; null where parameters are immediates. */
  readonly parameterLayout: GPUBindGroupLayout | null;

  constructor(device: GPUDevice, immediates: boolean) {
    this.#device = device;
    this.parameterLayout = immediates
      ? null
      : device.createBindGroupLayout({
          entries: [
            { binding: 0, visibility: 4, buffer: { type: 'uniform', hasDynamicOffset: true } },
          ],
        });
  }

  get(program: Program): Pipeline {
    let pipeline = this.#compiled.get(program);
    if (!pipeline) {
      pipeline = this.#compile(program);
      this.#compiled.set(program, pipeline);
    }
    return pipeline;
  }

  #compile(program: Program): Pipeline {
    const bindings = bindingsOf(program);
    const parameters = parametersOf(program);
    if (4 * parameters.length > parameterBytes) throw new Error(`${program.name}: parameters`);
    const keepsParameters = program.keepsParameters === true;
    const layout = this.#layoutOf([
      ...bindings.map(({ written }): BindingKind => (written ? 'storage' : 'read-only-storage')),
      ...(keepsParameters ? (['uniform'] as const) : []),
    ]);
    const code = shaderOf(program, this.parameterLayout === null);
    const { parameterLayout } = this;
    const immediateSize = keepsParameters ? 0 : 4 * parameters.length;
    return {
      gpu: this.#device.createComputePipeline({
        label: program.name,
        layout: this.#device.createPipelineLayout({
          bindGroupLayouts: [layout.group, ...(parameterLayout ? [parameterLayout] : [])],
          ...(parameterLayout === null && { immediateSize }),
        }),
        compute: { module: this.#device.createShaderModule({ label: program.name, code }) },
      }),
      layout,
      bindings,
      written: bindings.flatMap(({ written }, index) => (written ? [index] : [])),
      parameters,
      keepsParameters,
    };
  }

  #layoutOf(kinds: BindingKind[]): BindingLayout {
    const key = kinds.join();
    let layout = this.#layouts.get(key);
    if (!layout) {
      const group = this.#device.createBindGroupLayout({
        entries: kinds.map((type, binding) => ({ binding, visibility: 4, buffer: { type } })),
      });
      layout = { group, groups: new Map() };
      this.#layouts.set(key, layout);
    }
    return layout;
  }
}
