/**
 * Reads a value as Python prints it (`{'a': True, 'b': (1, None)}`), which models that were trained
 * on much Python write in place of JSON.
 */

/** Strings, words and everything else that a literal is made of. */
const TOKENS = /'(?:[^'\\]|\\.)*'|"(?:[^"\\]|\\.)*"|[A-Za-z_]\w*|[^'"A-Za-z_]+/gs;
const WORDS: Record<string, string> = { True: 'true', False: 'false', None: 'null' };

/** The value; `undefined` if the text is not a literal. */
export function parsePythonLiteral(text: string): unknown {
  const tokens = text.match(TOKENS) ?? [];
  if (tokens.join('') !== text) return undefined;
  const json = tokens
    .map((token) => {
      if (token[0] === "'" || token[0] === '"') return toJsonString(token);
      return WORDS[token] ?? token.replaceAll('(', '[').replaceAll(')', ']');
    })
    .join('');
  try {
    return JSON.parse(dropTrailingCommas(json));
  } catch {
    return undefined;
  }
}

/** The string as JSON writes it, with the escapes that JSON lacks resolved. */
function toJsonString(token: string): string {
  const content = token.slice(1, -1).replace(/\\(x[\da-fA-F]{2}|.)|"/gs, (all, escaped) => {
    if (all === '"') return '\\"';
    if (escaped === "'") return "'";
    if (escaped === '0') return '\\u0000';
    return escaped.length > 1 ? `\\u00${escaped.slice(1)}` : all;
  });
  return `"${content.replace(/\n/g, '\\n').replace(/\t/g, '\\t')}"`;
}

/** `[1, 2,]` is a list in Python; commas in strings are left alone. */
function dropTrailingCommas(json: string): string {
  return json.replace(/("(?:[^"\\]|\\.)*")|,(\s*[\]}])/gs, (_, string, close) => string ?? close);
}
