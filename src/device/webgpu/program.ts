/**
 * A kernel's WGSL with its interface. What every kernel needs (the declarations of bindings and
 * parameters, the entry point) is written here once; a program gives the body of `main`, in which
 *
 *   thread   is the index in the workgroup, of `threads`
 *   group    is the workgroup's place in the grid, `groups` the grid's size
 *   p        holds the parameters
 */
export interface Program<Binding extends string = string, Parameter extends string = string> {
  /** As profiles and errors call it. */
  readonly name: string;
  /** Tensors in the order of their bindings; null for one that this variant does without. */
  readonly bindings: Readonly<Record<Binding, BindingType | null>>;
  /** Numbers given at each dispatch, at most `parameterBytes / 4`; null for one that this variant does without. */
  readonly parameters: Readonly<Record<Parameter, ParameterType | null>>;
  /**
   * Whether parameters are few and repeat themselves, as sizes in decoding do. They are then kept in
   * memory and bound like tensors, which costs the host nothing at a dispatch.
   */
  readonly keepsParameters?: boolean;
  readonly threads: number;
  /** Directives that the WGSL begins with: extensions, diagnostics. */
  readonly directives?: readonly string[];
  /** Declarations and functions outside of `main`. */
  readonly head?: string;
  readonly body: string;
}

/** What a kernel does with a tensor, and how it sees its elements. A written tensor can be read too. */
export type BindingType = `${'read' | 'write'} ${string}`;
export type ParameterType = 'u32' | 'i32' | 'f32';

/** Fixes the types of a program's names. */
export function program<Binding extends string, Parameter extends string>(
  definition: Program<Binding, Parameter>,
): Program<Binding, Parameter> {
  return definition;
}

/** A program for each distinct set of options, made when first asked for. */
export function programs<Options extends object, Made>(
  make: (options: Options) => Made,
): (options: Options) => Made {
  const made: { values: unknown[]; result: Made }[] = [];
  return (options) => {
    // Options are few plain values, given in the same order. This is in the way of every dispatch, and
    // comparing with the few variants there are is several times faster than making a key of them.
    const values = Object.values(options);
    for (let i = 0; i < made.length; i++) {
      const present = made[i]!;
      let at = 0;
      while (at < values.length && present.values[at] === values[at]) at++;
      if (at === values.length) return present.result;
    }
    const result = make(options);
    made.push({ values, result });
    return result;
  };
}

/** The whole shader. `immediates`: parameters lie in the command stream, not in a uniform buffer. */
export function shaderOf(source: Program, immediates: boolean): string {
  const tensors = bindingsOf(source);
  const bindings = tensors.map(({ name, written, element }, index) => {
    const access = written ? 'read_write' : 'read';
    return `@group(0) @binding(${index}) var<storage, ${access}> ${name}: array<${element}>;`;
  });
  const fields = parametersOf(source).map(({ name, type }) => `${name}: ${type}`);
  const inStream = immediates && !source.keepsParameters;
  const binding = source.keepsParameters ? [0, tensors.length] : [1, 0];
  const uniform = `@group(${binding[0]}) @binding(${binding[1]}) var<uniform>`;
  const place = inStream ? 'var<immediate>' : uniform;
  const parameters = [`struct Parameters { ${fields.join(', ')} }`, `${place} p: Parameters;`];
  return [
    ...(source.directives ?? []),
    ...(inStream && fields.length > 0 ? ['requires immediate_address_space;'] : []),
    ...bindings,
    ...(fields.length > 0 ? parameters : []),
    `const threads = ${source.threads}u;`,
    source.head ?? '',
    '@compute @workgroup_size(threads) fn main(',
    '  @builtin(local_invocation_index) thread: u32,',
    '  @builtin(workgroup_id) group: vec3u,',
    '  @builtin(num_workgroups) groups: vec3u,',
    ') {',
    source.body,
    '}',
  ].join('\n');
}

/** The tensors that a program has, in the order of their bindings. */
export function bindingsOf({ bindings }: Program) {
  return Object.entries(bindings).flatMap(([name, type]) => {
    if (type === null) return [];
    const [access, element] = type.split(' ') as [string, string];
    return [{ name, written: access === 'write', element }];
  });
}

/** The parameters that a program has, in order. */
export function parametersOf({ parameters }: Program): { name: string; type: ParameterType }[] {
  return Object.entries(parameters).flatMap(([name, type]) => (type ? [{ name, type }] : []));
}

/** Repeats a piece of WGSL for 0 to count−1: loops whose indices must be constants. */
export function unroll(count: number, piece: (index: number) => string): string {
  return Array.from({ length: count }, (_, index) => piece(index)).join('\n');
}
