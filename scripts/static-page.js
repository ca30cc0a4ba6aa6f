// Puts the page and a model into a folder that any static site can serve; the model then runs in the
// tab. node scripts/static-page.js <folder> [checkpoint]
import { cpSync, existsSync, mkdirSync, readdirSync, statSync, writeFileSync } from 'node:fs';
import { basename, dirname, join, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';

const root = resolve(dirname(fileURLToPath(import.meta.url)), '..');
const [folder, checkpoint = join(root, 'models/mimoflash-25m')] = process.argv.slice(2);

if (folder === undefined) fail('say where to: node scripts/static-page.js <folder> [checkpoint]');
if (existsSync(folder)) fail(`${folder}: is there already; choose a new folder`);
if (!existsSync(join(root, 'dist/web'))) fail('dist/web: is missing; build it with npm run build');

const isModelFile = (name) => /\.(safetensors|json|jinja)$/.test(name);
const files = readdirSync(checkpoint)
  .filter(isModelFile)
  .map((name) => ({ name, bytes: statSync(join(checkpoint, name)).size }));
cpSync(join(root, 'dist/web'), folder, { recursive: true });
mkdirSync(join(folder, 'model'));
for (const { name } of files) cpSync(join(checkpoint, name), join(folder, 'model', name));
const list = { model: basename(resolve(checkpoint)), files };
writeFileSync(join(folder, 'model/files.json'), JSON.stringify(list));

function fail(message) {
  console.error(`error: ${message}`);
  process.exit(1);
}
