import { stat } from 'node:fs/promises';
import { type Command, InvalidArgumentError, Option } from 'commander';
import pc from 'picocolors';
import { createDevice, deviceNames } from '../device/create-device.ts';
import { UserError } from '../errors.ts';
import { type CacheType, cacheTypes } from '../tensor/cache-type.ts';
import type { Device, Precision } from '../tensor/device.ts';

export interface DeviceOptions {
  device: string;
  threads?: number;
}

export interface CacheOptions {
  cacheType?: CacheType;
}

export interface PrecisionOptions {
  precision?: Precision | 'auto';
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

/** Adds the option that chooses what keys and values are kept in. */
export function withCacheType(command: Command): Command {
  return command.addOption(
    new Option(
      '--cache-type <name>',
      'of keys and values (default: f32, and f16 with quantised weights)',
    ).choices(cacheTypes),
  );
}

/** Adds the option that chooses what a command that trains computes in. */
export function withPrecision(command: Command): Command {
  return command.addOption(
    new Option(
      '--precision <name>',
      'of products in training; auto is mixed on a GPU with matrix units, else f32',
    ).choices(['auto', 'f32', 'mixed']),
  );
}

/**
 * Runs `work` on the chosen device, says on stderr which it is, and gives the device back afterwards.
 */
export async function useDevice<Result>(
  options: DeviceOptions & PrecisionOptions,
  work: (device: Device) => Promise<Result>,
): Promise<Result> {
  const device = await openDevice(options);
  try {
    return await work(device);
  } finally {
    await device.destroy();
  }
}

/** The chosen device, which the caller gives back; says on stderr which it is. */
export async function openDevice(options: DeviceOptions & PrecisionOptions): Promise<Device> {
  const { threads, precision } = options;
  const device = await createDevice(options.device, {
    ...(threads !== undefined && { threads }),
    ...(precision !== undefined && { precision }),
  });
  console.error(pc.dim(`on ${device.description}`));
  return device;
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

/** @throws UserError if there is no such directory */
export async function checkDirectory(path: string): Promise<void> {
  const found = await stat(path).catch(() => null);
  if (!found?.isDirectory()) throw new UserError(`${path}: there is no such directory`);
}
