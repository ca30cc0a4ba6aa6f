import { Command } from 'commander';
import pc from 'picocolors';
import { UserError } from '../errors.ts';
import { type Comparison, compareWithFixture, isWithin } from '../eval/parity.ts';
import { type DeviceOptions, useDevice, withDevice } from './options.ts';

export function parityCommand(): Command {
  const command = new Command('parity')
    .description('check that this machine computes the model right, against a fixture')
    .argument('<prefix>', 'fixture: <prefix>.model.safetensors, .expected.safetensors, …')
    .option('--json', 'print one JSON object a comparison');
  return withDevice(command).action(parity);
}

async function parity(prefix: string, options: DeviceOptions & { json?: boolean }): Promise<void> {
  await useDevice(options, async (device) => {
    let failures = 0;
    for await (const comparison of compareWithFixture(device, prefix)) {
      if (!isWithin(comparison)) failures++;
      console.log(options.json ? JSON.stringify(comparison) : formatLine(comparison));
    }
    if (failures > 0) {
      throw new UserError(`${failures} of the comparisons with ${prefix} are beyond their limits`);
    }
  });
}

function formatLine(comparison: Comparison): string {
  const { what, error, limit, unit, where } = comparison;
  const mark = isWithin(comparison) ? pc.green('ok  ') : pc.red('FAIL');
  const isCount = unit === 'tokens' || unit === 'rows';
  const found = isCount ? `${error} differ` : `${error.toExponential(2)} ${unit}`;
  const allowed = isCount ? '' : pc.dim(` (limit ${limit})`);
  return `${mark}  ${what.padEnd(48)} ${found}${allowed}${where ? pc.dim(`  ${where}`) : ''}`;
}
