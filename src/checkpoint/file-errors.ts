/** Turns the file system's error codes into messages that say what to do. */
import { UserError } from '../errors.ts';

const reasons: Record<string, string> = {
  EACCES: 'permission denied',
  EBUSY: 'it is in use or a mount point; use a folder inside it',
  EDQUOT: 'the disk quota is used up; free some space and try again',
  EEXIST: 'there is something of that name already',
  EFBIG: 'the file would be larger than the disk allows',
  EIO: 'the disk reports an error',
  EISDIR: 'it is a folder',
  EMFILE: 'too many files are open',
  ENAMETOOLONG: 'the name is too long',
  ENOENT: 'no such file or folder',
  ENOSPC: 'the disk is full; free some space and try again',
  ENOTDIR: 'a part of its path is not a folder',
  ENOTEMPTY: 'the folder is not empty',
  EPERM: 'the operation is not permitted',
  EROFS: 'the disk is read-only',
  ETXTBSY: 'the file is in use',
  EXDEV: 'it lies on another disk',
};

/**
 * The error to throw in place of `error`: a `UserError` where the file system refused, and the
 * error itself where something else went wrong.
 *
 * @param problem what could not be done, such as `cannot write model.safetensors`
 * @param state what is true of the files now, such as `the previous file is intact`
 */
export function asUserError(error: unknown, problem: string, state?: string): unknown {
  const code = errorCode(error);
  if (code === undefined) return error;
  const reason = reasons[code] ?? `the system says ${code}`;
  const message = [`${problem}: ${reason}`, state].filter(Boolean).join('; ');
  return new UserError(message, { cause: error });
}

/** The system's name for a file error, such as `ENOENT`; none for other errors. */
export function errorCode(error: unknown): string | undefined {
  if (!(error instanceof Error) || !('syscall' in error) || !('code' in error)) return undefined;
  return typeof error.code === 'string' ? error.code : undefined;
}
