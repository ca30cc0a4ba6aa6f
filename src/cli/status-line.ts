import pc from 'picocolors';

/** One dim line on a terminal that says what a command is at; nothing elsewhere, and gone at the end. */
export const statusLine = {
  show(what: string): void {
    if (process.stderr.isTTY) process.stderr.write(`\r\x1b[K${pc.dim(what)}`);
  },
  clear(): void {
    if (process.stderr.isTTY) process.stderr.write('\r\x1b[K');
  },
};
