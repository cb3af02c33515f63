// What an app wants sealed: selkie.json where there is one, else the policies in selkie/ that are named after process types.
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { join, normalize } from 'node:path';

/** Something that the app's developer must mend; the message says how. */
export class Refusal extends Error {}

/**
 * @param {string} build the app's folder
 * @returns {{ binary: string, policy?: string, record?: string[] }[]} paths inside of `build`; a policy's file, or arguments to record with
 * @throws {Refusal}
 */
export function readPlan(build) {
  const file = join(build, 'selkie.json');
  return existsSync(file) ? planOfJson(build, readFileSync(file, 'utf8')) : planOfProcfile(build);
}

function planOfJson(build, text) {
  const { seal } = parseJson(text);
  const isObject = typeof seal === 'object' && seal !== null && !Array.isArray(seal);
  if (!isObject || Object.keys(seal).length === 0) {
    throw new Refusal('Cannot read "selkie.json": wanted { "seal": { "bin/web": "web.yaml" } }, found no such "seal"');
  }
  return Object.entries(seal).map(([name, value]) => {
    const binary = inside(name);
    if (typeof value === 'string') return { binary, policy: policyAt(build, inside(value), name) };
    const words = value?.record;
    if (Array.isArray(words) && words.every((word) => typeof word === 'string')) return { binary, record: words };
    throw new Refusal(
      `Cannot read "selkie.json": "${name}" is ${JSON.stringify(value)}, wanted a policy's path, or { "record": ["ARGUMENT", ...] }`,
    );
  });
}

function parseJson(text) {
  try {
    return JSON.parse(text) ?? {};
  } catch (error) {
    throw new Refusal(`Cannot read "selkie.json": it is no JSON: ${error.message}`);
  }
}

/** The slug stands in /app when it runs, elsewhere while it is built. */
function inside(path) {
  const relative = normalize(path.replace(/^\/app\//, ''));
  if (!relative.startsWith('/') && !relative.startsWith('..')) return relative;
  throw new Refusal(`Cannot seal "${path}": wanted a path inside of the app`);
}

function policyAt(build, policy, binary) {
  if (existsSync(join(build, policy))) return policy;
  throw new Refusal(
    `Cannot seal "${binary}": its policy "${policy}" is not in the app: make it by \`selkie record\`, and commit it`,
  );
}

function planOfProcfile(build) {
  const types = readProcfile(join(build, 'Procfile'));
  const policies = readdirSync(join(build, 'selkie')).filter((name) => name.endsWith('.yaml'));
  const plan = new Map();
  for (const name of policies) {
    const type = name.slice(0, -'.yaml'.length);
    if (!types.has(type)) {
      throw new Refusal(
        `Cannot use "selkie/${name}": the Procfile has no process type "${type}", only ${[...types.keys()].join(', ')}`,
      );
    }
    const binary = binaryOf(type, types.get(type));
    plan.set(binary, { binary, policy: `selkie/${name}`, types: [...(plan.get(binary)?.types ?? []), type] });
  }
  for (const entry of plan.values()) requireOneUse(entry, types);
  return [...plan.values()];
}

function readProcfile(file) {
  const lines = readFileSync(file, 'utf8').matchAll(/^([\w-]+):[ \t]*(\S.*)$/gm);
  return new Map([...lines].map(([, type, command]) => [type, command.trim()]));
}

/** The file that a process type's command runs, behind assignments, `exec` and `env`; bin/ is on the PATH of a dyno. */
function binaryOf(type, command) {
  const word = command.split(/\s+/).find((entry) => !/^(exec|env|\w+=.*)$/.test(entry)) ?? '';
  if (/["'`$(|;&<>*?]/.test(word) || word === '') {
    throw new Refusal(
      `Cannot tell which binary the process type "${type}" runs: ${JSON.stringify(command)}: name it in selkie.json`,
    );
  }
  return inside(word.includes('/') ? word : `bin/${word}`);
}

/** A binary holds one filter: all process types that run it live under it. */
function requireOneUse({ binary, types: sealed }, types) {
  const users = [...types].filter(([type, command]) => mayRun(type, command, binary)).map(([type]) => type);
  if (sealed.length === 1 && users.length <= 1) return;
  const files = users.map((type) => `selkie/${type}.yaml`).join(' ');
  throw new Refusal(
    `Cannot seal "${binary}" for ${sealed.join(', ')}: a binary holds one policy, and ${users.join(', ')} run this one: ` +
      `\`selkie merge ${files} -o selkie.yaml\`, and commit selkie.json with { "seal": { "${binary}": "selkie.yaml" } }`,
  );
}

function mayRun(type, command, binary) {
  try {
    return binaryOf(type, command) === binary;
  } catch (error) {
    if (error instanceof Refusal) return false;
    throw error;
  }
}
