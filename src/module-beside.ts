/**
 * The address of the module `name` beside the one at `url`, for threads to run. Node runs the sources as
 * they are; in dist/ the compiler has renamed them.
 *
 * @param name such as `./worker`, without its ending.
 * @param url `import.meta.url` of the caller.
 */
export function moduleBeside(name: string, url: string): URL {
  return new URL(`${name}${url.endsWith('.ts') ? '.ts' : '.js'}`, url);
}
