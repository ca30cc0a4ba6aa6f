// Every kernel of the wasm device: functions (…numbers, begin, end, thread) that handle the work items
// begin to end. Pointers are byte addresses; nothing is managed.
export * from './elementwise';
