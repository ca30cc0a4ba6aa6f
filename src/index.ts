/**
 * mimoflash as a library. The smallest program:
 *
 *     import { createDevice, loadAssistant } from 'mimoflash';
 *
 *     const assistant = await loadAssistant(await createDevice('auto'));
 *     for await (const event of assistant.reply([{ role: 'user', content: '47+58' }])) {
 *       if (event.type === 'text-delta') process.stdout.write(event.text);
 *     }
 */
import { Assistant } from './engine/assistant.ts';
import { shippedModel } from './shipped-model.ts';
import type { Device } from './tensor/device.ts';

export { Checkpoint } from './checkpoint/checkpoint.ts';
export { openCheckpoint, openCheckpointFiles } from './checkpoint/load.ts';
export { loadModel } from './checkpoint/load-model.ts';
export { saveCheckpoint } from './checkpoint/save.ts';
export { createDevice } from './device/create-device.ts';
export { createReferenceDevice } from './device/reference/device.ts';
export { createWasmDevice } from './device/wasm/device.ts';
export { Assistant, type ReplyEvent, type ReplyOptions } from './engine/assistant.ts';
export { Decoder } from './engine/decoder.ts';
export { Engine } from './engine/engine.ts';
export type { EngineOptions } from './engine/engine-options.ts';
export type {
  FinishReason,
  GenerationOptions,
  GenerationStep,
  TokenGenerator,
} from './engine/generation.ts';
export { greedy, type SamplingOptions } from './engine/sampling.ts';
export { Sequence } from './engine/sequence.ts';
export { GenerationStatistics } from './engine/statistics.ts';
export { UserError } from './errors.ts';
export { type Batch, packDocuments } from './model/batch.ts';
export type { ModelConfig } from './model/config.ts';
export { parseHubConfig, toHubConfig } from './model/hub-config.ts';
export { initializeModel } from './model/initialize.ts';
export { mtpBlock, mtpInput } from './model/mtp.ts';
export { type TrunkResult, trunk } from './model/trunk.ts';
export { type Model, releaseModel } from './model/weights.ts';
export * as tasks from './tasks/index.ts';
export type { Device } from './tensor/device.ts';
export * as ops from './tensor/ops/index.ts';
export { readFloats, readInts, Scope } from './tensor/scope.ts';
export { Tape } from './tensor/tape.ts';
export { Tensor } from './tensor/tensor.ts';
export type { ChatMessage, Tool } from './text/chat-messages.ts';
export { ChatTemplate, encodeChat, renderChat } from './text/chat-template.ts';
export { Tokenizer } from './text/tokenizer.ts';
export { allocateGradients, type Gradients, releaseGradients } from './train/gradients.ts';
export { forwardBackward, score } from './train/objective.ts';
export { AdamW } from './train/optimizer.ts';
export { stepTotals, type TrainingBatch, trainingBatch } from './train/targets.ts';

/** An assistant on a device, by default with the model that ships with the package. */
export function loadAssistant(device: Device, path: string = shippedModel): Promise<Assistant> {
  return Assistant.load(device, path);
}
