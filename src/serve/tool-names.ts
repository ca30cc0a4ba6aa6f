import { z } from 'zod';

/** Names that can be written in MiMo's tool format, where one ends at `>`, and in everyone's API. */
export const toolName = z
  .string()
  .regex(/^[\w.:-]{1,128}$/, 'must be 1 to 128 letters, digits, "_", "-", "." or ":"');

/** A list in which no two tools have one name. */
export function uniqueNames<Tool extends z.ZodType>(
  list: z.ZodArray<Tool>,
  nameOf: (tool: z.output<Tool>) => string,
) {
  return list.superRefine((tools, context) => {
    const seen = new Set<string>();
    for (const [i, entry] of tools.entries()) {
      const name = nameOf(entry);
      if (seen.has(name)) {
        context.addIssue({ code: 'custom', path: [i], message: `a second tool called "${name}"` });
      }
      seen.add(name);
    }
  });
}
