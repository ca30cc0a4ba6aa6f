import { basename } from 'node:path';
import { permutation } from './permutation.ts';
import type { ShardSet } from './prepare-shards.ts';
import type { SampleSource } from './sample-stream.ts';
import { Shard } from './shards.ts';

/**
 * The documents of shards, each once an epoch, in an order that is another in each epoch and depends on
 * the seed and the epoch only.
 *
 * @throws UserError when a shard is missing or cut short
 */
export async function openShards(
  { directory, index }: ShardSet,
  seed: number,
): Promise<SampleSource> {
  const { location, documents } = index;
  const shards = await Promise.all(
    index.shards.map(({ file, documents }) => Shard.open(directory, file, documents)),
  );
  const starts = [0];
  for (const shard of index.shards) starts.push(starts.at(-1)! + shard.documents);
  const label = basename(location);
  let epoch = -1;
  let order = (place: number) => place;
  const numberOf = (at: number): number => {
    const wanted = Math.floor(at / documents);
    if (wanted !== epoch) {
      epoch = wanted;
      order = permutation(documents, `${seed} epoch ${epoch}`);
    }
    return order(at % documents);
  };
  return {
    where: (at) => `${location}, document ${numberOf(at) + 1}`,
    async sample(at) {
      const number = numberOf(at);
      const shard = starts.findLastIndex((start) => start <= number);
      return { ...(await shards[shard]!.read(number - starts[shard]!)), label };
    },
    async close() {
      await Promise.all(shards.map((shard) => shard.close()));
    },
  };
}
