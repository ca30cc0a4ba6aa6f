// Every kernel of the wasm device: functions (…numbers, begin, end, thread) that handle the work items
// begin to end. Pointers are byte addresses; nothing is managed.
export * from './elementwise';
export * from './activation';
export * from './balance';
export * from './dispatch';
export * from './experts';
export * from './logprobs';
export * from './norm';
export * from './optimizer';
export * from './rotary';
export * from './rows';
export * from './matmul';
export { attention } from './attention/forward';
export { attentionMerge } from './attention/softmax';
export { attentionBackward } from './attention/backward';
export { sumSinkPartials, sumSlabs } from './attention/slabs';
export * from './inference/activations';
export { expertEntries } from './inference/entries';
export { gatherQuantized } from './inference/gather';
export * from './inference/products';
export { attentionInputs } from './inference/attention-inputs';
export { cachedAttention, mergeCachedAttention } from './inference/cached-attention';
export { expandHalfRows, roundToHalves, writeHalfRows } from './inference/halves';
export { expandByteRows, roundToBytes, writeByteRows } from './inference/cached-bytes';
export { drawTokens, samplingDistribution, verifyDrafts } from './inference/sampling';
