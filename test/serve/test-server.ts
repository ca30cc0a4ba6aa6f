/** A server over a scripted engine, on a free port, with the tokenizer that ships. */
import { type RunningServer, type ServerOptions, startServer } from '../../src/serve/server.ts';
import { shippedModel } from '../../src/shipped-model.ts';
import { loadTextFiles } from '../../src/text/tokenizer-files.ts';
import { tinyConfig } from '../tiny-config.ts';
import { type Script, ScriptedEngine } from './scripted-engine.ts';

export const text = await loadTextFiles(shippedModel);
export const modelName = 'mimo';
export const contextTokens = 2048;

export const scriptedConfig = tinyConfig({
  vocabSize: text.tokenizer.vocabSize,
  maxPositions: contextTokens,
  eosTokenIds: [text.tokenizer.idOf('<|im_end|>')!],
});

export interface TestServer extends RunningServer {
  engine: ScriptedEngine;
  /** What the engine says to every request from now on. */
  says(answer: string, script?: Omit<Script, 'tokens'>): void;
  /** The prompt of the last request, as text. */
  lastPrompt(): string;
  request(path: string, body?: unknown, init?: RequestInit): Promise<Response>;
}

export async function startTestServer(options: Partial<ServerOptions> = {}): Promise<TestServer> {
  const engine = new ScriptedEngine(scriptedConfig);
  const modelPath = shippedModel;
  const server = await startServer({ engine, text, modelName, modelPath, ...options });
  return {
    ...server,
    engine,
    says(answer, script = {}) {
      const tokens = text.tokenizer.encode(answer);
      engine.script = () => ({ ...script, tokens });
    },
    lastPrompt: () => text.tokenizer.decode(engine.requests.at(-1)!.prompt),
    request: (path, body, init = {}) =>
      fetch(server.url + path, {
        ...(body !== undefined && {
          method: 'POST',
          body: typeof body === 'string' ? body : JSON.stringify(body),
        }),
        ...init,
        headers: { 'content-type': 'application/json', ...init.headers },
      }),
  };
}

/** Waits until something is so, as when a server has noticed that a client left. */
export async function until(isSo: () => boolean): Promise<void> {
  while (!isSo()) await new Promise((resolve) => setTimeout(resolve, 5));
}

/** A call as the model writes it. */
export function writeCall(name: string, parameters: Record<string, string>): string {
  const lines = Object.entries(parameters).map(
    ([key, value]) => `<parameter=${key}>${value}</parameter>\n`,
  );
  return `<tool_call>\n<function=${name}>\n${lines.join('')}</function>\n</tool_call>`;
}
