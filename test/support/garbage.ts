import type { FoundAdapter } from '../../src/device/webgpu/adapter.ts';
import { withChangedDevice } from './changed-adapter.ts';

/**
 * The same adapter, but every kernel begins with its workgroup memory full of garbage. WebGPU promises
 * zeros there; in Node we do without (see `platform.ts`), so no kernel may count on them.
 */
export function withGarbage(found: FoundAdapter): FoundAdapter {
  return withChangedDevice(found, (device) => {
    const create = device.createShaderModule.bind(device);
    device.createShaderModule = (shader) => create({ ...shader, code: fill(shader.code) });
  });
}

function fill(code: string): string {
  const begin = code.indexOf('{', code.indexOf('@compute')) + 1;
  const variables = [...code.matchAll(/var<workgroup>\s+(\w+)\s*:\s*array<(.+?),\s*([^,>]+)>;/g)];
  if (variables.length !== code.split('var<workgroup>').length - 1) {
    throw new Error(`workgroup memory that is not an array of its own:\n${code}`);
  }
  if (variables.length === 0) return code;
  const loops = variables.map(([, name, type, size]) => {
    const write = type!.startsWith('atomic')
      ? `atomicStore(&${name}[i], garbage);`
      : `${name}[i] = ${garbageOf(type!, code)};`;
    return `for (var i = thread; i < ${size}; i += threads) { ${write} }`;
  });
  return [
    code.slice(0, begin),
    // A variable, because WGSL refuses constants that are not numbers.
    'var garbage = 0xffc12345u;',
    ...loops,
    'workgroupBarrier();',
    code.slice(begin),
  ].join('\n');
}

/** A value of which every number is NaN or absurd. */
function garbageOf(type: string, code: string): string {
  const fields = new RegExp(`struct ${type} \\{([^}]*)\\}`).exec(code)?.[1];
  if (fields !== undefined) {
    const types = fields.split(',').map((field) => field.split(':')[1]!.trim());
    return `${type}(${types.map((each) => garbageOf(each, code)).join(', ')})`;
  }
  const element = /^(?:vec\d)?<?(\w+?)>?$/.exec(type)![1]!;
  if (/^(u32|u)$/.test(element)) return `${type}(garbage)`;
  if (/^(i32|i)$/.test(element)) return `${type}(i32(garbage))`;
  return `${type}(${/^(f16|h)$/.test(element) ? 'f16' : 'f32'}(bitcast<f32>(garbage)))`;
}
