/** A model's files behind an address, as the server gives them at `/model/` and any static site can. */
import { z } from 'zod';
import { UserError } from '../errors.ts';
import { type ByteSource, memorySource } from './byte-source.ts';
import type { ModelFolder } from './open-folder.ts';

/** The file that lists the others: no protocol of the web lists a folder. */
const FILE_LIST = 'files.json';

const listSchema = z.object({
  /** What the model is called. */
  model: z.string(),
  files: z.array(z.object({ name: z.string(), bytes: z.int().nonnegative() })),
});

export type FileList = z.output<typeof listSchema>;

export interface HttpFolderOptions {
  headers?: Record<string, string>;
  /** Told after every piece that arrives, in bytes over all files read so far. */
  progress?: (loaded: number) => void;
}

/**
 * @param url of the folder, with a slash at its end
 * @throws UserError when its list cannot be had, then and in `open`
 */
export async function openHttpFolder(
  url: URL,
  { headers = {}, progress = () => {} }: HttpFolderOptions = {},
): Promise<ModelFolder & FileList> {
  let loaded = 0;
  const listed = listSchema.safeParse(
    await (await request(new URL(FILE_LIST, url), headers)).json().catch(() => null),
  );
  if (!listed.success) throw new UserError(`${url}${FILE_LIST}: is no list of a model's files`);
  const { model, files } = listed.data;
  return {
    name: url.href,
    model,
    files,
    list: async () => files.map(({ name }) => name),
    async open(file): Promise<ByteSource> {
      const address = new URL(encodeURIComponent(file), url);
      const expected = files.find(({ name }) => name === file)?.bytes ?? 0;
      const { body } = await request(address, headers);
      const bytes = new Uint8Array(expected);
      let length = 0;
      const reader = body!.getReader();
      for (;;) {
        const { done, value: chunk } = await reader.read();
        if (done) break;
        if (length + chunk.length <= expected) bytes.set(chunk, length);
        length += chunk.length;
        loaded += chunk.length;
        progress(loaded);
      }
      if (length !== expected) {
        throw new UserError(`${address}: has ${length} bytes and not ${expected}; load it again`);
      }
      return memorySource(address.href, bytes);
    },
  };
}

async function request(url: URL, headers: Record<string, string>): Promise<Response> {
  const response = await fetch(url, { headers }).catch((cause) => {
    throw new UserError(`${url}: cannot be reached`, { cause });
  });
  if (!response.ok) throw new UserError(`${url}: answers with status ${response.status}`);
  return response;
}
