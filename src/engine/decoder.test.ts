import { afterEach, describe, expect, test, vi } from 'vitest';
import { tinyConfig } from '../../test/tiny-config.ts';
import { createReferenceDevice } from '../device/reference/device.ts';
import { ints } from '../device/reference/memory.ts';
import { createWasmDevice } from '../device/wasm/device.ts';
import { packDocuments } from '../model/batch.ts';
import { initializeModel } from '../model/initialize.ts';
import { mtpBlock, mtpInput } from '../model/mtp.ts';
import { trunk } from '../model/trunk.ts';
import { type Model, releaseModel } from '../model/weights.ts';
import { Random } from '../random.ts';
import type { Device } from '../tensor/device.ts';
import { linear } from '../tensor/ops/index.ts';
import { readFloats, Scope } from '../tensor/scope.ts';
import { Decoder } from './decoder.ts';
import type { DecoderSequence } from './decoder-sequence.ts';

afterEach(() => {
  vi.restoreAllMocks();
});

/** A decoder with sequences of these lengths, of which all but the last token have passed the trunk. */
async function decoderWith(device: Device, lengths: number[]) {
  const model = await initializeModel(device, tinyConfig(), 1);
  const decoder = new Decoder(model, { sequences: lengths.length, cacheTokens: 4096 });
  const sequences = lengths.map(
    (length) => decoder.open(Array.from({ length }, (_, i) => (i * 7 + length) % 23))!,
  );
  for (const sequence of sequences) decoder.reserve(sequence, sequence.tokens.length + 100);
  const end = ({ tokens }: DecoderSequence) => tokens.length - 1;
  const parts = sequences.map((sequence) => ({ sequence, end: end(sequence) }));
  await decoder.prefill(parts.filter(({ end }) => end > 0));
  const requests = sequences.map((sequence, seed) => ({
    sequence,
    sampling: { temperature: seed % 2 },
    random: new Random(seed),
  }));
  const release = () => {
    decoder.release();
    releaseModel(model);
  };
  return { decoder, sequences, requests, release };
}

describe('a step', () => {
  test.each([0, 3])('with %i drafts writes twice and reads once', async (drafts) => {
    const device = createReferenceDevice();
    const { decoder, requests, release } = await decoderWith(device, [1, 20, 33]);
    // The first step brings the MTP blocks to the end of the prompts.
    for (const step of ['first', 'second'] as const) {
      const write = vi.spyOn(device, 'write');
      const read = vi.spyOn(device, 'read');
      const given = await decoder.step(requests, drafts);
      for (const [s, { tokens }] of given.entries()) requests[s]!.sequence.append(tokens);
      expect(read).toHaveBeenCalledTimes(1);
      if (step === 'second') {
        // The host's own kernels write where rows of the cache lie; a step itself writes twice.
        const own = write.mock.calls.filter(([, , data]) => data.byteLength >= 256);
        expect(own).toHaveLength(2);
      }
      vi.restoreAllMocks();
    }
    release();
  });

  test('gives the same whatever the order of the sequences', async () => {
    const device = createReferenceDevice();
    const first = await decoderWith(device, [5, 64, 30]);
    const second = await decoderWith(device, [5, 64, 30]);
    for (let i = 0; i < 20; i++) {
      const given = await first.decoder.step(first.requests, 3);
      const reversed = await second.decoder.step([...second.requests].reverse(), 3);
      expect(reversed.reverse()).toEqual(given);
      given.forEach(({ tokens }, s) => {
        first.sequences[s]!.append(tokens);
        second.sequences[s]!.append(tokens);
      });
    }
    first.release();
    second.release();
    expect(device.allocatedBytes).toBe(0);
  });

  test('goes on from any number of its tokens', async () => {
    const device = createReferenceDevice();
    const { decoder, sequences, requests, release } = await decoderWith(device, [40]);
    const greedy = { ...requests[0]!, sampling: { temperature: 0 } };
    const sequence = sequences[0]!;
    const expected: number[] = [];
    const plain = await decoderWith(device, [40]);
    for (let i = 0; i < 60; i++) {
      const [given] = await plain.decoder.step([{ ...greedy, sequence: plain.sequences[0]! }], 0);
      plain.sequences[0]!.append(given!.tokens);
      expected.push(...given!.tokens);
    }
    for (let i = 0; sequence.tokens.length < 95; i++) {
      const [given] = await decoder.step([greedy], [3, 1, 0, 2][i % 4]!);
      sequence.append(given!.tokens.slice(0, 1 + (i % 3)));
    }
    expect(sequence.tokens.slice(40)).toEqual(expected.slice(0, sequence.tokens.length - 40));
    release();
    plain.release();
  });
});

/** What the MTP blocks draft after `known` tokens, the last pending, computed without any cache. */
async function draftsAfter(model: Model, known: readonly number[], count: number) {
  const { device } = model;
  const tokens = [...known];
  const length = known.length - 1;
  for (let head = 0; head < count; head++) {
    const scope = new Scope(device);
    const passed = trunk(scope, model, packDocuments(scope, [known.slice(0, length)]));
    const batch = packDocuments(scope, [tokens.slice(1 + head, 1 + head + length)]);
    const out = mtpBlock(scope, model, head, batch, mtpInput(model, passed));
    const last = linear(scope, out.slice(length - 1, length), model.head);
    const logits = await readFloats(device, last);
    tokens.push(logits.indexOf(Math.max(...logits)));
    scope.close();
  }
  return tokens.slice(known.length);
}

test('drafts are those of the blocks on the whole text, after prompts, steps and new text', async () => {
  const device = createReferenceDevice();
  const { decoder, sequences, requests, release } = await decoderWith(device, [2, 41, 9]);
  const greedy = requests.map((request) => ({ ...request, sampling: { temperature: 0 } }));
  for (let i = 0; i < 12; i++) {
    const expected: number[][] = [];
    for (const { tokens } of sequences) {
      expected.push(await draftsAfter(decoder.model, tokens, 3));
    }
    const verify = vi.spyOn(device.kernels, 'verifyDrafts');
    const drafts = i % 4 === 3 ? 1 : 3;
    const given = await decoder.step(greedy, drafts);
    const tokens = ints(verify.mock.lastCall![0].tokens);
    for (const s of sequences.keys()) {
      const own = [...tokens.subarray(s * (drafts + 1) + 1, (s + 1) * (drafts + 1))];
      expect(own, `sequence ${s}, step ${i}`).toEqual(expected[s]!.slice(0, drafts));
    }
    vi.restoreAllMocks();
    for (const [s, { tokens }] of given.entries())
      sequences[s]!.append(tokens.slice(0, 1 + (i % 3)));
    if (i !== 5) continue;
    // The second sequence goes on with a text of its own, longer than a window.
    const sequence = sequences[1]!;
    sequence.tokens.push(...Array.from({ length: 15 }, (_, k) => (3 * k) % 23));
    await decoder.prefill([{ sequence, end: sequence.tokens.length - 1 }]);
  }
  release();
  expect(device.allocatedBytes).toBe(0);
});

test('wasm gives the same tokens alone and in a batch of few rows', async () => {
  const device = await createWasmDevice({ threads: 2 });
  // Up to eight rows a matrix product has the same sums; see assembly/dots.ts.
  const batch = await decoderWith(device, [17, 200]);
  const answers: number[][] = [[], []];
  for (let i = 0; i < 25; i++) {
    const given = await batch.decoder.step(batch.requests, 3);
    given.forEach(({ tokens }, s) => {
      batch.sequences[s]!.append(tokens);
      answers[s]!.push(...tokens);
    });
  }
  batch.release();
  for (const [s, length] of [17, 200].entries()) {
    const alone = await decoderWith(device, [17, 200]);
    const tokens: number[] = [];
    while (tokens.length < answers[s]!.length) {
      const [given] = await alone.decoder.step([alone.requests[s]!], 3);
      alone.sequences[s]!.append(given!.tokens);
      tokens.push(...given!.tokens);
    }
    expect(tokens, `the one of ${length}`).toEqual(answers[s]);
    alone.release();
  }
  expect(device.allocatedBytes).toBe(0);
  await device.destroy();
});
