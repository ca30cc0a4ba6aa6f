/**
 * A problem a person can fix: a bad file, a bad option, a full disk. The command line prints its
 * message as one line and exits non-zero; anything else that is thrown is a bug and keeps its stack.
 *
 * The message says what is wrong, where (file and field), and what to do.
 */
export class UserError extends Error {
  override name = 'UserError';
}
