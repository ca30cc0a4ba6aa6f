/** Calls of functions, which come in pieces. */
export interface ToolCall {
  id: string;
  name: string;
  /** JSON text; without its end in a call that was cut off. */
  arguments: string;
}

export interface ToolCallPiece {
  /** Which call of the answer it goes on with, or begins. */
  index: number;
  id?: string;
  function: { name?: string; arguments: string };
}

export function withPieces(
  calls: readonly ToolCall[],
  pieces: readonly ToolCallPiece[],
): readonly ToolCall[] {
  if (pieces.length === 0) return calls;
  const grown = [...calls];
  for (const { index, id = '', function: piece } of pieces) {
    const call = grown[index] ?? { id, name: piece.name ?? '', arguments: '' };
    grown[index] = { ...call, arguments: call.arguments + piece.arguments };
  }
  return grown;
}

/** What a call is given, indented; `null` while its end is missing. */
export function writtenArguments(call: ToolCall): string | null {
  try {
    return JSON.stringify(JSON.parse(call.arguments), null, 2);
  } catch {
    return null;
  }
}

export function isComplete(call: ToolCall): boolean {
  return writtenArguments(call) !== null;
}
