/**
 * What smaller caches change in a checkpoint with the weights that it has: how far next-token
 * distributions are from those with caches of f32, in steps as in decoding, on held-out text of the task
 * families that the shipped model was trained on. Of one that is not quantised, `mimoflash quantize
 * --check` says it too.
 *
 * Run: node bench/cache-divergence.ts models/mimoflash-25m [--device wasm] [--documents 200]
 */
import { parseArgs } from 'node:util';
import { findCheckpoint } from '../src/checkpoint/checkpoint-directory.ts';
import { loadInferenceModel } from '../src/checkpoint/load-model.ts';
import { createDevice } from '../src/device/create-device.ts';
import { allowedCacheTypes } from '../src/engine/cache-type.ts';
import { divergenceOf } from '../src/eval/divergence.ts';
import { solvedDocuments } from '../src/eval/solved-documents.ts';
import { passedInSteps } from '../src/eval/text-logits.ts';
import { shippedFamilies } from '../src/shipped-model.ts';
import { loadTextFiles } from '../src/text/tokenizer-files.ts';

const { values: options, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    device: { type: 'string', default: 'wasm' },
    documents: { type: 'string', default: '200' },
  },
});
const [path] = positionals;
if (path === undefined) throw new Error('give a checkpoint, such as models/mimoflash-25m');
const device = await createDevice(options.device);
const { tokenizer } = await loadTextFiles(await findCheckpoint(path));
const model = await loadInferenceModel(device, path, console.error);
const documents = solvedDocuments(tokenizer, 'test', {
  families: shippedFamilies,
  count: Number(options.documents),
});
for (const type of allowedCacheTypes(model).filter((type) => type !== 'f32')) {
  const exact = passedInSteps(model, 'f32');
  const { tokens, nats, agreement, perplexity } = await divergenceOf(
    exact,
    passedInSteps(model, type),
    documents,
  );
  console.log(
    `caches of ${type}, on ${tokens} tokens: KL to f32 ${nats.toExponential(1)} nats, ` +
      `same first choice ${(100 * agreement).toFixed(2)} %, ` +
      `perplexity ${perplexity.exact.toFixed(4)} and ${perplexity.rounded.toFixed(4)}`,
  );
}
await device.destroy();
