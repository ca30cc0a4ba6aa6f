import type { Device } from '../../src/tensor/device.ts';
import { readFloats, readInts, Scope } from '../../src/tensor/scope.ts';
import { Tape } from '../../src/tensor/tape.ts';
import type { Tensor } from '../../src/tensor/tensor.ts';
import type { HostTensor, OpCase } from './case.ts';
import { TestRandom } from './random.ts';

export type Results = Record<string, Float32Array | Int32Array>;

/**
 * Runs a case on a device: its outputs, and the gradients `d <input>` of Σ w·output with fixed random
 * w over the outputs that gradients flow from.
 */
export async function runCase(device: Device, opCase: OpCase): Promise<Results> {
  const scope = new Scope(device);
  const inputs: Record<string, Tensor> = {};
  for (const [name, { shape, data }] of Object.entries(opCase.inputs)) {
    inputs[name] = scope.from(shape, data);
  }
  const gradients = new Map(
    opCase.differentiable.map((name) => [inputs[name]!, scope.zeros(inputs[name]!.shape)]),
  );
  const tape = new Tape(gradients);
  const recording = new Scope(device, tape);
  const outputs = opCase.run(recording, inputs);
  // Read before the backward pass, which may reuse the memory of what it has consumed.
  const results: Results = {};
  for (const [name, tensor] of Object.entries(outputs)) {
    results[name] = await readTensor(device, tensor);
  }
  const seeds = seedNames(opCase, results).map((name) => {
    const output = outputs[name]!;
    return { output, gradient: recording.from(output.shape, seedFor(output.size)) };
  });
  tape.backward(recording, seeds);
  for (const name of opCase.differentiable) {
    results[`d ${name}`] = await readFloats(device, gradients.get(inputs[name]!)!);
  }
  recording.close();
  scope.close();
  return results;
}

/** Σ w·output in f64, of the same outputs and w as `runCase` differentiates. */
export async function objective(
  device: Device,
  opCase: OpCase,
  inputs: Record<string, HostTensor>,
): Promise<number> {
  const results = await runCase(device, { ...opCase, inputs, differentiable: [] });
  if (opCase.outputs?.length === 0) return Object.values(results)[0]![0]!;
  let sum = 0;
  for (const name of seedNames(opCase, results)) {
    const values = results[name]!;
    const weights = seedFor(values.length);
    for (let i = 0; i < values.length; i++) sum += weights[i]! * values[i]!;
  }
  return sum;
}

function seedNames(opCase: OpCase, results: Results): string[] {
  return opCase.outputs ?? Object.keys(results).slice(0, 1);
}

function seedFor(size: number): Float32Array {
  return new TestRandom(7).floats(size);
}

function readTensor(device: Device, tensor: Tensor): Promise<Float32Array | Int32Array> {
  return tensor.dtype === 'i32' ? readInts(device, tensor) : readFloats(device, tensor);
}
