import { readFile } from 'node:fs/promises';
import { basename, resolve } from 'node:path';
import { Command, InvalidArgumentError, Option } from 'commander';
import pc from 'picocolors';
import { findCheckpoint } from '../checkpoint/checkpoint-directory.ts';
import { UserError } from '../errors.ts';
import { loadPage } from '../serve/page.ts';
import { isLoopback, startServer } from '../serve/server.ts';
import { Encoder } from '../serve/worker/encoder.ts';
import { startEngine } from '../serve/worker/start-engine.ts';
import { shippedModel } from '../shipped-model.ts';
import { textFilesFrom } from '../text/text-files.ts';
import { readTextFiles } from '../text/tokenizer-files.ts';
import {
  type CacheOptions,
  checkDirectory,
  type DeviceOptions,
  naturalNumber,
  numberBetween,
  positiveInteger,
  withCacheType,
  withDevice,
} from './options.ts';

interface ServeOptions extends DeviceOptions, CacheOptions {
  model: string;
  name?: string;
  host: string;
  port: number;
  apiKeyFile?: string;
  batch: number;
  cacheTokens?: number;
  prefixTokens?: number;
  maxRequests: number;
  requestTimeout: number;
  shutdownTimeout: number;
  bodyLimit: number;
  weightsRoot?: string;
  runs?: string;
}

/** Where keys may be put so that they are in no list of processes. */
const keyVariable = 'MIMOFLASH_API_KEY';

/** Where the configs of `runs/` put theirs, and `mimoflash runs` looks. */
const defaultRuns = 'out';

/** In seconds; timers hold no more than 24 days. */
const longestTime = 1e6;

export function serveCommand(): Command {
  const command = new Command('serve')
    .description(
      'serve a model over HTTP: a page to talk to it, and OpenAI’s, Anthropic’s and SGLang’s APIs',
    )
    .addOption(
      new Option('--model <directory>', 'checkpoint in the hub’s layout').default(
        shippedModel,
        'the one that ships',
      ),
    )
    .option('--name <name>', 'what clients call the model (default: its directory’s name)')
    .option('--host <address>', 'address to listen on; 0.0.0.0 for every network', '127.0.0.1')
    .option('--port <number>', 'port to listen on; 0 takes a free one', portNumber, 8000)
    .option(
      '--api-key-file <file>',
      `keys that clients need one of, one a line (or ${keyVariable} in the environment)`,
    )
    .option('--batch <count>', 'most requests computed at once', positiveInteger, 32)
    .option(
      '--cache-tokens <count>',
      'most positions in the caches of all requests (default: the batch times the context)',
      positiveInteger,
    )
    .option(
      '--prefix-tokens <count>',
      'positions of ended requests kept for later ones that begin alike; 0 for none (default: eight contexts)',
      naturalNumber,
    )
    .option(
      '--max-requests <count>',
      'most requests waiting or in work; more get status 429',
      positiveInteger,
      256,
    )
    .option(
      '--request-timeout <seconds>',
      'longest time of a request',
      numberBetween(1, longestTime),
      600,
    )
    .option(
      '--shutdown-timeout <seconds>',
      'time to finish requests in',
      numberBetween(0, longestTime),
      30,
    )
    .option('--body-limit <MiB>', 'largest request', numberBetween(0.001, 1024), 4)
    .option(
      '--weights-root <directory>',
      'folder that /update_weights_from_disk may load from (default: none)',
    )
    .option(
      '--runs <directory>',
      'training runs, for the page with their curves (default: out, as soon as there is one)',
    );
  return withCacheType(withDevice(command)).action(serve);
}

async function serve(options: ServeOptions): Promise<void> {
  const apiKeys = await readKeys(options.apiKeyFile);
  for (const given of [options.weightsRoot, options.runs]) {
    if (given !== undefined) await checkDirectory(given);
  }
  const {
    model: path,
    device,
    threads,
    batch,
    cacheTokens,
    cacheType,
    prefixTokens,
    runs = defaultRuns,
  } = options;
  const directory = await findCheckpoint(path);
  const files = await readTextFiles(directory);
  const text = textFilesFrom(files, directory);
  const page = await loadPage();
  const name = options.name ?? basename(resolve(path));
  const { engine, description, end } = await startEngine(
    {
      device,
      ...(threads !== undefined && { threads }),
      model: path,
      version: name,
      options: {
        sequences: batch,
        ...(cacheTokens !== undefined && { cacheTokens }),
        ...(cacheType !== undefined && { cacheType }),
        ...(prefixTokens !== undefined && { prefixTokens }),
      },
    },
    {
      notice: console.error,
      failure: (reason) => console.error(`${pc.red('error:')} ${reason}`),
    },
  );
  const encoder = new Encoder(text.tokenizer, files);
  try {
    const server = await startServer({
      engine,
      text,
      encode: encoder.encode,
      modelName: name,
      modelPath: resolve(path),
      device: description,
      page,
      host: options.host,
      port: options.port,
      apiKeys,
      maxRequests: options.maxRequests,
      requestSeconds: options.requestTimeout,
      bodyBytes: options.bodyLimit * 2 ** 20,
      weightsRoot: options.weightsRoot ?? null,
      runs: resolve(runs),
    });
    const { cacheType: held } = engine.figures();
    console.log(`serving ${path} on ${description}, caches of ${held}, at ${pc.bold(server.url)}`);
    if (page === null) {
      console.error(
        pc.yellow('the page is not built, only the API is there; npm run build makes it'),
      );
    } else {
      console.log('open that address in a browser to talk to the model; Ctrl-C ends');
    }
    if (!isLoopback(options.host) && apiKeys.length === 0) {
      console.error(
        pc.yellow(`anyone who reaches ${server.url} can use it; --api-key-file asks for a key`),
      );
    }
    await askedToEnd();
    console.error(pc.dim(`finishing requests, at most ${options.shutdownTimeout} s`));
    await server.close(options.shutdownTimeout);
  } finally {
    await encoder.end();
    await end();
  }
}

function portNumber(text: string): number {
  const port = naturalNumber(text);
  if (port > 65535) throw new InvalidArgumentError('give a number up to 65535');
  return port;
}

async function readKeys(file: string | undefined): Promise<string[]> {
  const lines = file === undefined ? [] : (await readKeyFile(file)).split(/\r?\n/);
  const keys = [...lines, process.env[keyVariable] ?? ''].map((key) => key.trim());
  const present = keys.filter((key) => key !== '');
  if (file !== undefined && present.length === 0) {
    throw new UserError(`${file}: has no keys; put one on each line`);
  }
  return present;
}

async function readKeyFile(file: string): Promise<string> {
  try {
    return await readFile(file, 'utf8');
  } catch (error) {
    throw new UserError(`${file}: cannot be read: ${(error as Error).message}`, { cause: error });
  }
}

/** Until a first signal asks to end; a second does not wait for requests. */
function askedToEnd(): Promise<void> {
  return new Promise((resolve) => {
    let isAsked = false;
    for (const signal of ['SIGINT', 'SIGTERM'] as const) {
      process.on(signal, () => {
        if (isAsked) process.exit(1);
        isAsked = true;
        resolve();
      });
    }
  });
}
