import { type Command, InvalidArgumentError, Option } from 'commander';
import { createDevice, deviceNames } from '../device/create-device.ts';
import type { Device } from '../tensor/device.ts';

export interface DeviceOptions {
  device: string;
  threads?: number;
}

/** Adds the options that choose where a command computes. */
export function withDevice(command: Command): Command {
  return command
    .addOption(
      new Option('--device <name>', 'where to compute').choices(deviceNames).default('auto'),
    )
    .option(
      '--threads <count>',
      'threads of the wasm device (default: all cores)',
      positiveInteger,
    );
}

/** Runs `work` on the chosen device and gives the device back afterwards. */
export async function useDevice<Result>(
  options: DeviceOptions,
  work: (device: Device) => Promise<Result>,
): Promise<Result> {
  const { threads } = options;
  const device = await createDevice(options.device, threads === undefined ? {} : { threads });
  try {
    return await work(device);
  } finally {
    await device.destroy();
  }
}

export function positiveInteger(text: string): number {
  const value = Number(text);
  if (!Number.isInteger(value) || value < 1)
    throw new InvalidArgumentError('give a whole number from 1');
  return value;
}

export function naturalNumber(text: string): number {
  const value = Number(text);
  if (!Number.isInteger(value) || value < 0)
    throw new InvalidArgumentError('give a whole number from 0');
  return value;
}

/** A number between two bounds, both allowed. */
export function numberBetween(low: number, high: number): (text: string) => number {
  return (text) => {
    const value = Number(text);
    if (text.trim() === '' || !(value >= low && value <= high)) {
      throw new InvalidArgumentError(`give a number from ${low} to ${high}`);
    }
    return value;
  };
}
