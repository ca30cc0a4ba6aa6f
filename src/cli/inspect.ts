import Table from 'cli-table3';
import { Command, Option } from 'commander';
import { openCheckpoint } from '../checkpoint/load.ts';
import { describeModel, type ModelSummary } from '../model/describe.ts';
import { hubNames, parameterSpecs } from '../model/parameters.ts';
import { type CacheType, cacheTypes } from '../tensor/cache-type.ts';

export function inspectCommand(): Command {
  return new Command('inspect')
    .description('show what a checkpoint holds: shapes, sizes, active parameters, cache per token')
    .argument('<checkpoint>', 'directory in the hub’s layout')
    .option('--tensors', 'list every parameter')
    .addOption(
      new Option('--cache-type <name>', 'of keys and values').choices(cacheTypes).default('f32'),
    )
    .option('--json', 'print JSON')
    .action(inspect);
}

async function inspect(
  path: string,
  options: { json?: boolean; tensors?: boolean; cacheType: CacheType },
): Promise<void> {
  const checkpoint = await openCheckpoint(path);
  try {
    const summary = describeModel(checkpoint.config, options.cacheType);
    const tensors = parameterSpecs(checkpoint.config).map((spec) => ({
      name: spec.name,
      shape: spec.shape,
      dtype: checkpoint.info(hubNames(spec)[0]!).dtype,
    }));
    if (options.json) {
      console.log(JSON.stringify({ config: checkpoint.config, ...summary, tensors }, null, 2));
      return;
    }
    printSummary(summary, options.cacheType);
    if (options.tensors) printTensors(tensors);
  } finally {
    await checkpoint.close();
  }
}

function printSummary(summary: ModelSummary, cacheType: CacheType): void {
  const { parameters, cache, layers } = summary;
  const table = new Table({ style: { head: [], border: [] } });
  table.push(
    ['layers', `${layers.total} (${layers.global} global, ${layers.sliding} sliding)`],
    ['feed-forward', `${layers.dense} dense, ${layers.experts} of experts`],
    ['parameters, trunk', count(parameters.trunk)],
    ['  active per token', count(parameters.active)],
    ['  embedding and head', count(parameters.embedding)],
    ['parameters, MTP', `${count(parameters.mtp)} in ${layers.mtp} heads`],
    ['cache, global layers', `${cache.globalBytesPerToken} bytes a token in ${cacheType}`],
    ['cache, sliding layers', `${cache.slidingBytes} bytes in all, ${cache.window} positions`],
    [
      'cache at full context',
      `${count(cache.bytesAtFullContext)} bytes at ${cache.context} tokens`,
    ],
    ['  if all layers were global', `${count(cache.allGlobalBytes)} bytes`],
  );
  console.log(table.toString());
}

function printTensors(tensors: { name: string; shape: number[]; dtype: string }[]): void {
  const table = new Table({
    head: ['parameter', 'shape', 'type'],
    style: { head: [], border: [] },
  });
  for (const { name, shape, dtype } of tensors) table.push([name, shape.join(' × '), dtype]);
  console.log(table.toString());
}

/** 1234567 → "1.23M (1,234,567)". */
function count(value: number): string {
  const exact = value.toLocaleString('en-US');
  for (const [unit, size] of [
    ['B', 1e9],
    ['M', 1e6],
    ['K', 1e3],
  ] as const) {
    if (value >= size) return `${(value / size).toPrecision(3)}${unit} (${exact})`;
  }
  return exact;
}
