/** Loads a model over HTTP onto the best device that this browser has. */

import { openHttpFolder } from '../../../src/checkpoint/http-folder.ts';
import { loadOpenModel } from '../../../src/checkpoint/load-open-model.ts';
import { openFolder } from '../../../src/checkpoint/open-folder.ts';
import { createWasmDevice } from '../../../src/device/wasm/device.ts';
import workerUrl from '../../../src/device/wasm/worker.ts?worker&url';
import { findRealGpu } from '../../../src/device/webgpu/adapter.ts';
import { createWebgpuDevice } from '../../../src/device/webgpu/device.ts';
import { UserError } from '../../../src/errors.ts';
import type { Model } from '../../../src/model/weights.ts';
import type { Device } from '../../../src/tensor/device.ts';
import { type TextFiles, textFileNames, textFilesFrom } from '../../../src/text/text-files.ts';
import type { TabDevice } from '../preferences.ts';

export interface OpenedModel {
  name: string;
  model: Model;
  text: TextFiles;
}

/** @param progress is told the share of all files that has arrived. */
export async function openModel(
  url: URL,
  deviceName: TabDevice,
  headers: Record<string, string>,
  progress: (share: number) => void,
): Promise<OpenedModel> {
  let total = 1;
  const folder = await openHttpFolder(url, {
    headers,
    progress: (loaded) => progress(Math.min(1, loaded / total)),
  });
  total = folder.files.reduce((sum, { bytes }) => sum + bytes, 0);
  const files: Record<string, string> = {};
  for (const name of textFileNames) {
    if (!folder.files.some((file) => file.name === name)) continue;
    const source = await folder.open(name);
    files[name] = new TextDecoder().decode(await source.read(0, source.byteLength));
  }
  const text = textFilesFrom(files, url.href.replace(/\/$/, ''));
  const checkpoint = await openFolder(folder);
  try {
    text.tokenizer.assertFits(checkpoint.config);
    const model = await loadOpenModel(await openDevice(deviceName), checkpoint);
    return { name: folder.model, model, text };
  } finally {
    await checkpoint.close();
  }
}

async function openDevice(name: TabDevice): Promise<Device> {
  if (name === 'webgpu') {
    if (await navigator.gpu?.requestAdapter()) return createWebgpuDevice();
    throw new UserError('this browser offers no GPU; choose WebAssembly in the settings');
  }
  const found = name === 'auto' ? await findRealGpu() : null;
  if (found) return createWebgpuDevice({ found });
  return createWasmDevice({ workerUrl: new URL(workerUrl, import.meta.url) });
}
