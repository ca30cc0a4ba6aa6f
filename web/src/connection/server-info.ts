/** What `/server_info` says. */
import type { EngineFigures } from '../../../src/serve/serving-engine.ts';
import { Failure } from './failure.ts';

export interface ServerInfo {
  model: string;
  device: string | null;
  max_model_len: number;
  mtp_heads: number;
  parameters: number;
  engine: EngineFigures;
  cache: CacheSizes;
}

/** Bytes of keys and values, as the engine keeps them. */
export interface CacheSizes {
  global_layers: number;
  sliding_layers: number;
  global_bytes_per_token: number;
  /** Of all rings when they are full. */
  sliding_bytes: number;
  window: number;
  /** If every layer kept everything. */
  all_global_bytes_per_token: number;
}

/** @throws {Failure} if the address is no server of ours, as with a static site. */
export function parseServerInfo(value: unknown): ServerInfo {
  const info = value as Partial<ServerInfo> | null;
  if (typeof info?.model !== 'string' || info.engine === undefined || info.cache === undefined) {
    throw new Failure('/server_info is not what this page knows');
  }
  return info as ServerInfo;
}
