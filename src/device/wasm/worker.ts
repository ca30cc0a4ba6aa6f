/**
 * A worker thread: waits for launches and takes chunks of them. Between mail (the first: who it is;
 * later: one per new heap) it stays in a loop that never returns to the event loop.
 */
import { Control } from './control.ts';
import { connectToParent } from './platform.ts';
import {
  instantiate,
  type KernelFunction,
  type WasmMemory,
  type WasmModule,
} from './webassembly.ts';

export type WorkerMessage =
  | { type: 'start'; thread: number; module: WasmModule; control: SharedArrayBuffer }
  | { type: 'heap'; memory: WasmMemory };

let module: WasmModule;
let control: Control;
let thread = 0;
const kernels: KernelFunction[][] = [];
let received = 0;

const post = connectToParent((data) => {
  const message = data as WorkerMessage;
  if (message.type === 'start') {
    module = message.module;
    control = new Control(message.control);
    thread = message.thread;
    post('ready');
    return;
  }
  kernels.push(instantiate(module, message.memory));
  received++;
  serve();
});

function serve(): void {
  while (control.waitForWork(received)) {
    try {
      control.work(thread, (heap) => kernels[heap]);
    } catch (error) {
      control.fail();
      throw error;
    }
  }
}
