/** Formats of strings that a JSON schema may name, as patterns. */
const [year, month, day] = ['\\d{4}', '(0[1-9]|1[0-2])', '(0[1-9]|1\\d|2[0-8])'];
// All months have 28 days; which have more is left out rather than wrong.
const date = `${year}-${month}-${day}`;
const time = '([01]\\d|2[0-3]):[0-5]\\d:[0-5]\\d(\\.\\d{1,6})?(Z|[+-]([01]\\d|2[0-3]):[0-5]\\d)';
const label = '[A-Za-z0-9]([A-Za-z0-9-]{0,61}[A-Za-z0-9])?';
const hostname = `${label}(\\.${label}){0,8}`;
const byte = '(25[0-5]|2[0-4]\\d|1\\d\\d|[1-9]?\\d)';
const group = '[0-9a-fA-F]{1,4}';

export const stringFormats: Readonly<Record<string, string>> = {
  date,
  time,
  'date-time': `${date}T${time}`,
  duration: 'P(\\d{1,4}D|\\d{1,4}W|(\\d{1,4}D)?T\\d{1,4}[HMS])',
  email: `[A-Za-z0-9_+-]{1,32}(\\.[A-Za-z0-9_+-]{1,32}){0,3}@(${label}\\.){1,4}[A-Za-z]{2,24}`,
  hostname,
  ipv4: `${byte}(\\.${byte}){3}`,
  ipv6: `${group}(:${group}){7}`,
  uuid: '[0-9a-f]{8}-[0-9a-f]{4}-[1-8][0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}',
};
